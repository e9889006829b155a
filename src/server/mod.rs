//! One Redis: connect, command, observe. Never logs, never decides.

pub mod access;
pub(crate) mod conversation;
pub mod endpoint;
pub mod failure;
pub mod fence;
pub mod info;
pub mod probe;
pub mod renamed;
pub(crate) mod resp;
pub(crate) mod stream;
pub(crate) mod term;
pub mod tls;

use std::os::fd::BorrowedFd;
use std::time::Duration;

use redis::{Cmd, Value, cmd};

use self::access::Access;
use self::conversation::{AT_HAND, Line};
use self::endpoint::Endpoint;
use self::failure::{Denial, Failure};
use self::info::{Observation, Replication, Version, short};
use self::term::Term;
use crate::deadline::Deadline;

/// A connection to one Redis. After a broken conversation it is opened again by the next command:
/// what was left in the old one would answer the wrong question.
pub struct Server {
    endpoint: Endpoint,
    auth: Access,
    line: Option<Line>,
    term_key: Option<String>,
}

impl Server {
    /// Connects; AUTH is sent together with the first command, so that it costs no round trip of
    /// its own.
    ///
    /// # Errors
    /// [`Failure::Refused`], [`Failure::NoConnection`] or [`Failure::Network`].
    pub fn connect(
        endpoint: &Endpoint,
        auth: &Access,
        deadline: Deadline,
    ) -> Result<Server, Failure> {
        let line = Some(Line::open(endpoint, auth, deadline)?);
        Ok(Server {
            endpoint: endpoint.clone(),
            auth: auth.clone(),
            line,
            term_key: None,
        })
    }

    /// This Redis, which is of `version`, can stop its writes for a while (R12).
    pub(crate) fn can_pause_writes(&self, version: Version) -> bool {
        version.can_pause_writes() && !self.lacks("client")
    }

    /// The command is disabled there, and not to be sent.
    pub(crate) fn lacks(&self, command: &str) -> bool {
        self.auth.lacks(command)
    }

    /// The key that holds the term where there are no functions (`policy.term_key`).
    pub(crate) fn with_term_key(self, key: Option<&str>) -> Server {
        Server {
            term_key: key.map(str::to_owned),
            ..self
        }
    }

    /// Sends all `commands` in one write and reads their answers. An error reply is the answer of
    /// its command; only a broken conversation fails the batch.
    ///
    /// # Errors
    /// Every [`Failure`]; `Denied` only where the server refuses the connection itself.
    pub fn batch(
        &mut self,
        commands: &[Cmd],
        deadline: Deadline,
    ) -> Result<Vec<Result<Value, Denial>>, Failure> {
        let mut line = match self.line.take() {
            Some(line) => line,
            None => Line::open(&self.endpoint, &self.auth, deadline)?,
        };
        let answers = line.exchange(commands, deadline)?;
        self.line = Some(line);
        Ok(answers)
    }

    /// One command, one answer.
    pub fn call(&mut self, command: &Cmd, deadline: Deadline) -> Result<Value, Failure> {
        let mut answers = self.batch(std::slice::from_ref(command), deadline)?;
        match answers.pop() {
            Some(answer) => answer.map_err(Failure::Denied),
            None => Err(Failure::Reset),
        }
    }

    /// As [`Server::call`], and asked once more where the connection ended instead: whoever takes
    /// the role over ends all of the old master's, those of the programs too (CLIENT KILL). For
    /// commands that may be carried out twice.
    pub(crate) fn call_again(
        &mut self,
        command: &Cmd,
        deadline: Deadline,
    ) -> Result<Value, Failure> {
        match self.call(command, deadline) {
            Err(Failure::Reset) => self.call(command, deadline),
            answer => answer,
        }
    }

    /// As [`Server::call`]; each `tick` of waiting `go_on` is asked, and where it says no that is a
    /// timeout.
    pub fn call_while(
        &mut self,
        command: &Cmd,
        deadline: Deadline,
        tick: Duration,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Value, Failure> {
        let mut line = match self.line.take() {
            Some(line) => line,
            None => Line::open(&self.endpoint, &self.auth, deadline)?,
        };
        let sent = line.send(std::slice::from_ref(command), deadline);
        while !line.has_news(deadline.at_most(tick)) {
            if deadline.is_over() || !go_on() {
                return Err(Failure::TimedOut);
            }
        }
        // What is there already is not too late, if it was we who came late to it.
        line.read_until(deadline.max(Deadline::after(AT_HAND)));
        let answer = line.receive(sent, 1)?.pop();
        self.line = Some(line);
        answer
            .unwrap_or(Err(Denial {
                code: String::new(),
                text: String::new(),
            }))
            .map_err(Failure::Denied)
    }

    /// Waits until `deadline`, or until there is something to read from `other`; true where the
    /// connection ends before. Nothing is asked, so that nothing else may come.
    pub fn ends_before(&mut self, other: Option<BorrowedFd<'_>>, deadline: Deadline) -> bool {
        let Some(line) = &mut self.line else {
            deadline.pause(deadline.left());
            return false;
        };
        let (ended, _) = line.has_news_or(other, deadline);
        if ended {
            self.line = None;
        }
        ended
    }

    /// Subscribes to all that a sentinel tells; [`Server::message`] waits for it.
    pub fn subscribe(&mut self, deadline: Deadline) -> Result<(), Failure> {
        self.call(cmd("PSUBSCRIBE").arg("*"), deadline).map(|_| ())
    }

    /// Waits for something that comes unasked; false where nothing has come before `deadline`.
    ///
    /// # Errors
    /// Every [`Failure`]: the subscription is over.
    pub fn message(&mut self, deadline: Deadline) -> Result<bool, Failure> {
        let mut line = self.line.take().ok_or(Failure::Reset)?;
        if line.has_news(deadline) {
            line.message(Deadline::after(AT_HAND))?;
            self.line = Some(line);
            return Ok(true);
        }
        self.line = Some(line);
        Ok(false)
    }

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
            .max_by_key(|term| term.number);
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

/// The text of a string answer.
///
/// # Errors
/// [`Failure::Rubbish`] for any other kind of answer.
pub fn string(value: Value) -> Result<String, Failure> {
    match value {
        Value::BulkString(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Value::SimpleString(text) => Ok(text),
        Value::VerbatimString { text, .. } => Ok(text),
        Value::Okay => Ok("OK".to_string()),
        other => Err(Failure::Rubbish(format!(
            "expected a text, got {}",
            short(&format!("{other:?}"))
        ))),
    }
}
