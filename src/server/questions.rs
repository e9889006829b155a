//! What the programs ask of a Redis, and the term that they write.

use redis::{Cmd, Value, cmd};

use super::failure::{Denial, Failure};
use super::info::{Memory, Observation, Replication, Version, short};
use super::term::Term;
use super::{Server, string};
use crate::deadline::Deadline;

impl Server {
    /// The commands whose answers [`Server::observation`] reads.
    pub(crate) fn questions() -> [Cmd; 4] {
        ["server", "replication", "persistence", "keyspace"]
            .map(|section| cmd("INFO").arg(section).clone())
    }

    /// Reads the answers to [`Server::questions`].
    ///
    /// # Errors
    /// `Denied`, or `Rubbish` where a field without which nothing can be decided is missing or
    /// absurd.
    pub(crate) fn observation(
        answers: impl Iterator<Item = Result<Value, Denial>>,
    ) -> Result<Observation, Failure> {
        let mut text = String::with_capacity(4096);
        for answer in answers {
            text.push_str(&string(answer.map_err(Failure::Denied)?)?);
        }
        Observation::read(&text).map_err(Failure::Rubbish)
    }

    /// Everything that the programs decide on, in one round trip.
    pub fn observe(&mut self, deadline: Deadline) -> Result<Observation, Failure> {
        let mut commands = Server::questions().to_vec();
        let infos = commands.len();
        commands.push(Term::question());
        commands.extend(
            self.term_key
                .as_ref()
                .map(|key| cmd("GET").arg(key).clone()),
        );
        let mut answers = self.batch(&commands, deadline)?;
        // No function, no such command, no right to it: no term.
        let terms = answers
            .split_off(infos)
            .into_iter()
            .flatten()
            .filter_map(|answer| string(answer).ok());
        let term = terms
            .filter_map(|text| Term::read(&text))
            .max_by_key(|term| (term.sure, term.unsure));
        Ok(Observation {
            term,
            ..Server::observation(answers.into_iter())?
        })
    }

    /// Writes the term into a master of `version`; false where neither functions (before 7.0) nor a
    /// key are to be had.
    pub(crate) fn write_term(
        &mut self,
        term: &Term,
        version: Version,
        deadline: Deadline,
    ) -> Result<bool, Failure> {
        let key = self
            .term_key
            .as_ref()
            .map(|key| cmd("SET").arg(key).arg(term.to_string()).clone());
        match key {
            _ if version.has_functions() => {
                self.call(&term.load(), deadline)?;
                // Whoever may not read terms takes each for the first, and would never say so.
                self.call(&Term::question(), deadline).map(|_| true)
            }
            Some(set) => self.call(&set, deadline).map(|_| true),
            None => Ok(false),
        }
    }

    /// The replication section alone: for loops that wait for an offset.
    pub(crate) fn replication(&mut self, deadline: Deadline) -> Result<Replication, Failure> {
        let text = string(self.call(&replication(), deadline)?)?;
        Replication::read(&text).map_err(Failure::Rubbish)
    }

    /// A command, and a look at the replication right after it, in one round trip.
    ///
    /// # Errors
    /// Every [`Failure`]; unless it is `Denied`, the command may have been carried out.
    pub(crate) fn call_and_look(
        &mut self,
        command: Cmd,
        deadline: Deadline,
    ) -> Result<Replication, Failure> {
        let answers = self.batch(&[command, replication()], deadline)?;
        let mut answers = answers
            .into_iter()
            .map(|answer| answer.map_err(Failure::Denied));
        let mut next = || answers.next().unwrap_or(Err(Failure::Reset));
        next()?;
        let seen = next().map_err(|failure| Failure::Rubbish(format!("to INFO {failure}")))?;
        Replication::read(&string(seen)?).map_err(Failure::Rubbish)
    }

    /// One number of a section of INFO that no decision rests on; `None` where the server does not
    /// say it.
    pub(crate) fn number(&mut self, section: &str, field: &str, deadline: Deadline) -> Option<u64> {
        let text = string(self.call_again(cmd("INFO").arg(section), deadline).ok()?).ok()?;
        text.lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?
            .trim()
            .parse()
            .ok()
    }

    /// How much of its memory it uses; `None` where it does not say.
    pub(crate) fn memory(&mut self, deadline: Deadline) -> Option<Memory> {
        let text = self.call_again(cmd("INFO").arg("memory"), deadline).ok()?;
        Memory::read(&string(text).ok()?)
    }

    /// One configuration parameter; `None` where this version does not know it.
    pub fn setting(&mut self, name: &str, deadline: Deadline) -> Result<Option<String>, Failure> {
        match self.call_again(cmd("CONFIG").arg("GET").arg(name), deadline)? {
            Value::Array(pair) => pair.into_iter().nth(1).map(string).transpose(),
            other => Err(Failure::Rubbish(format!(
                "CONFIG GET answered {}",
                short(&format!("{other:?}"))
            ))),
        }
    }
}

fn replication() -> Cmd {
    cmd("INFO").arg("replication").clone()
}
