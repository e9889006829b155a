//! One side of a comparison: a Redis that is asked for values, database by database, and no more
//! than it is meant to bear.

use std::fmt::Display;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use redis::{Cmd, Value, cmd};

use crate::console::interrupt::Interrupt;
use crate::deadline::{Deadline, Stopwatch};
use crate::server::Server;
use crate::server::failure::Denial;

/// For the answers to one batch: a megabyte or so, over whatever line.
const ANSWERS: Duration = Duration::from_secs(20);
const TICK: Duration = Duration::from_millis(20);
/// The rights that a comparison needs on the side that serves, beside those of the programs.
pub(crate) const RIGHTS: &str = "~* +select +type +memory|usage +dump +strlen +getrange +llen +lrange \
    +hlen +hmget +scard \
    +sismember +zcard +zscore +xlen +xrange +xinfo";

/// What became of a batch.
pub(crate) enum Answers {
    /// An answer for each command.
    All(Vec<Result<Value, Denial>>),
    /// The server has no database of that number.
    NoDatabase,
}

/// How many commands a server was asked so far, and in what time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub commands: u64,
    pub time: Duration,
}

/// One side of a comparison: a Redis that is only read.
pub(crate) struct Reader<'s> {
    server: &'s mut Server,
    name: String,
    /// Commands a second, and no more than half of the time at work; `None`: it is our own.
    pace: Option<u32>,
    /// It knows CLIENT NO-TOUCH: then what we read counts as used no later than it was.
    untouched: bool,
    asked: u64,
    clock: Stopwatch,
    interrupt: Interrupt,
}

impl<'s> Reader<'s> {
    /// One that sentences call `name`.
    pub(crate) fn new(
        server: &'s mut Server,
        name: &dyn Display,
        pace: Option<u32>,
        interrupt: &Interrupt,
    ) -> Reader<'s> {
        let no_touch = server.call(
            cmd("CLIENT").arg("NO-TOUCH").arg("ON"),
            Deadline::after(ANSWERS),
        );
        Reader {
            server,
            name: name.to_string(),
            pace,
            untouched: no_touch.is_ok(),
            asked: 0,
            clock: Stopwatch::start(),
            interrupt: interrupt.clone(),
        }
    }

    pub(crate) fn asked(&self) -> Asked {
        Asked {
            commands: self.asked,
            time: self.clock.elapsed(),
        }
    }

    /// Asks in the database `db`. All commands only read, so that they may be asked once more where
    /// the connection ended.
    ///
    /// # Errors
    /// A sentence; a right that is missing is one too.
    pub(crate) fn ask(&mut self, db: u64, commands: &[Cmd]) -> anyhow::Result<Answers> {
        let mut all = Vec::with_capacity(commands.len() + 2);
        if self.untouched {
            all.push(cmd("CLIENT").arg("NO-TOUCH").arg("ON").clone());
        }
        // In each batch: the connection may be another one by now.
        all.push(cmd("SELECT").arg(db).clone());
        let prelude = all.len();
        all.extend_from_slice(commands);
        self.interrupt.check()?;
        let took = Stopwatch::start();
        let trouble = || format!("reading the data of {}", self.name);
        let mut answers = self
            .server
            .again(|server| server.batch(&all, Deadline::after(ANSWERS)))
            .with_context(trouble)?;
        self.asked += all.len() as u64;
        self.rest(all.len(), took.elapsed())?;
        let asked = answers.split_off(prelude);
        if let Some(Err(denial)) = answers.pop() {
            match denial.code.as_str() {
                "ERR" if denial.text.contains("index") => return Ok(Answers::NoDatabase),
                _ => return Err(self.denied(&denial)),
            }
        }
        // A wrong type is an answer: the key may have changed since its type was asked for.
        let is_answer = |denial: &Denial| match denial.code.as_str() {
            "WRONGTYPE" => true,
            "ERR" => !denial.text.starts_with("unknown command"),
            _ => false,
        };
        match asked
            .iter()
            .flat_map(|answer| answer.as_ref().err())
            .find(|denial| !is_answer(denial))
        {
            Some(denial) => Err(self.denied(denial)),
            None => Ok(Answers::All(asked)),
        }
    }

    /// As [`Reader::ask`], of a database that is there, and every command known.
    pub(crate) fn values(&mut self, db: u64, commands: &[Cmd]) -> anyhow::Result<Vec<Value>> {
        match self.ask(db, commands)? {
            Answers::All(answers) => answers
                .into_iter()
                .map(|answer| {
                    answer.map_err(|denial| {
                        anyhow!("reading the data of {}: it says {denial}", self.name)
                    })
                })
                .collect(),
            Answers::NoDatabase => bail!(
                "reading the data of {}: it has no database {db} any more",
                self.name
            ),
        }
    }

    fn denied(&self, denial: &Denial) -> anyhow::Error {
        let name = &self.name;
        match denial.code.as_str() {
            "NOPERM" => {
                anyhow!(
                    "reading the data of {name}: it says {denial}; a comparison needs these \
                     rights: {RIGHTS}"
                )
            }
            _ => anyhow!("reading the data of {name}: it says {denial}"),
        }
    }

    /// Pauses, so that the server works for us at most half of the time, and no faster than the
    /// pace.
    fn rest(&self, commands: usize, took: Duration) -> anyhow::Result<()> {
        let Some(pace) = self.pace else { return Ok(()) };
        let rest = resting(commands, took, pace);
        let until = Deadline::after(rest);
        while until.pause(TICK) {
            self.interrupt.check()?;
        }
        Ok(())
    }
}

fn resting(commands: usize, took: Duration, pace: u32) -> Duration {
    let meant = Duration::from_secs_f64(commands as f64 / f64::from(pace.max(1)));
    meant.saturating_sub(took).max(took)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rests_at_least_as_long_as_it_works_and_keeps_the_pace() {
        let ms = Duration::from_millis;
        for (commands, took, pace, rest) in [
            (100, 10, 1000, 90),
            (100, 60, 1000, 60),
            (100, 500, 1000, 500),
            (0, 0, 0, 0),
        ] {
            assert_eq!(
                resting(commands, ms(took), pace),
                ms(rest),
                "{commands} in {took} ms"
            );
        }
    }
}
