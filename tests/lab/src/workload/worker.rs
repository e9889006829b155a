//! One thread of the workload: it draws a step, sends it, and writes down what came of it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::draw::{Answer, Draft, Drawer, LIBRARY};
use super::history::{Life, Step};
use super::look::{database, mark};
use super::{Shared, WORKERS};
use crate::campaign::dice::Dice;
use crate::redis_client::{self, Connection, Reply};
use crate::redis_server::PASSWORD;
use crate::story::Story;
use crate::writer::TIMEOUT;

/// For so many milliseconds a replica is waited for.
const WAIT: &str = "10";
/// A server that says this has done nothing.
const REFUSED: [&str; 13] = [
    "READONLY",
    "LOADING",
    "NOREPLICAS",
    "MASTERDOWN",
    "BUSY",
    "NOAUTH",
    "WRONGPASS",
    "NOPERM",
    "OOM",
    "MISCONF",
    "EXECABORT",
    "UNKILLABLE",
    "TRYAGAIN",
];

pub(super) struct Worker {
    number: u16,
    shared: Arc<Shared>,
    story: Story,
    drawer: Drawer,
    connection: Option<Connection>,
    /// The current life goes on.
    alive: bool,
    generation: u64,
}

/// What became of the mark behind a step that was refused.
enum Mark {
    Written,
    Refused,
    Unknown,
}

/// What the service said to a step.
enum Said {
    /// It was done. Of the mark beside it something else may be known.
    Done { mark_too: bool },
    /// It was not done, for this reason.
    Refused { code: String, marked: Mark },
    /// Nobody knows; this went wrong.
    Unknown(String),
    /// It was done to other data than the life's.
    Astray(String),
}

impl Worker {
    pub(super) fn new(number: u16, shared: Arc<Shared>, story: Story) -> Worker {
        let dice = Dice::new(0x6a0b, number.into());
        let drawer = Drawer::new(dice, shared.has_functions);
        Worker {
            number,
            shared,
            story,
            drawer,
            connection: None,
            alive: false,
            generation: 0,
        }
    }

    /// One step; an error is one word.
    pub(super) fn step(&mut self) -> Result<(), String> {
        let generation = self.shared.generation.load(Ordering::Relaxed);
        if generation != self.generation {
            (self.generation, self.alive, self.connection) = (generation, false, None);
        }
        let outcome = self.try_step();
        if outcome.is_err() {
            self.connection = None;
        }
        outcome
    }

    fn lives(&self) -> MutexGuard<'_, Vec<Life>> {
        lock(&self.shared.lives[usize::from(self.number)])
    }

    fn try_step(&mut self) -> Result<(), String> {
        let mut redis = match self.connection.take() {
            Some(redis) => redis,
            None => self.connect()?,
        };
        let draft = {
            let mut lives = lock(&self.shared.lives[usize::from(self.number)]);
            if !self.alive {
                let number = u16::try_from(lives.len()).map_err(|_| "lives".to_owned())?;
                let mut life = Life::new(self.number, number);
                life.born = self.shared.flushes.load(Ordering::Relaxed);
                lives.push(life);
                self.alive = true;
            }
            let life = lives.last().ok_or("no life")?;
            let has_database = database(life, WORKERS).is_some();
            self.drawer.draw(life, has_database)
        };
        let sent = self.story.now();
        let said = self.send(&mut redis, &draft)?;
        let at = self.story.now();
        let mut lives = self.lives();
        let life = lives.last_mut().ok_or("no life")?;
        let step = |acknowledged| Step {
            number: life.next_number(),
            command: spell(&draft),
            effects: draft.effects.clone(),
            sent,
            at,
            acknowledged,
        };
        match said {
            Said::Done { mark_too } => {
                let step = step(true);
                life.add(step);
                drop(lives);
                self.alive = mark_too;
                self.connection = mark_too.then_some(redis);
                Ok(())
            }
            Said::Refused { code, marked } => {
                match marked {
                    // The number is taken, by a step that did nothing.
                    Mark::Written => {
                        let step = step(true);
                        life.add(Step {
                            effects: Vec::new(),
                            ..step
                        });
                    }
                    Mark::Refused => {}
                    Mark::Unknown => {
                        drop(lives);
                        self.alive = false;
                    }
                }
                Err(code)
            }
            Said::Unknown(kind) => {
                let step = step(false);
                life.add(step);
                drop(lives);
                self.alive = false;
                Err(kind)
            }
            Said::Astray(what) => {
                let (number, worker) = (life.next_number(), self.number);
                drop(lives);
                self.alive = false;
                let command = spell(&draft);
                let text = format!("worker {worker}: step {number}, {command}: {what}");
                self.story.add_at(at, "client", "astray", text.clone());
                lock(&self.shared.astray).push(text);
                Err("astray".to_owned())
            }
        }
    }

    /// A connection, to data in which the current life is whole: otherwise that life is over.
    fn connect(&mut self) -> Result<Connection, String> {
        let opened = Connection::open_within(self.shared.target, PASSWORD, TIMEOUT, TIMEOUT);
        let mut redis = opened.map_err(|e| redis_client::kind(&e))?;
        if !self.alive {
            return Ok(redis);
        }
        let (name, done) = {
            let lives = self.lives();
            let life = lives.last().ok_or("no life")?;
            (mark(life), life.next_number() - 1)
        };
        let reply = redis.call(&["GET", &name]);
        let reply = reply.map_err(|e| redis_client::kind(&e))?;
        if let Some(code) = reply.code() {
            return Err(code.to_owned());
        }
        let shown: u64 = reply.text().parse().unwrap_or_default();
        if shown != done {
            self.alive = false;
            // More than is known of is a mark whose answer did not come.
        }
        if shown < done {
            let text = format!(
                "worker {}: the service shows step {shown} of {done}, another life begins",
                self.number
            );
            self.story.add("client", "sees", text);
        }
        Ok(redis)
    }

    fn send(&self, redis: &mut Connection, draft: &Draft) -> Result<Said, String> {
        let (mark, number, elsewhere) = {
            let lives = self.lives();
            let life = lives.last().ok_or("no life")?;
            (mark(life), life.next_number(), database(life, WORKERS))
        };
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let mut commands = draft.commands.clone();
        let counts = commands.len() - 1;
        if draft.elsewhere {
            // On its own, for where it is refused the flush would be another database's.
            let database = elsewhere.unwrap_or_default().to_string();
            let reply = redis.call(&["SELECT", &database]);
            let reply = reply.map_err(|e| redis_client::kind(&e))?;
            if !reply.is_ok() {
                return Err(reply.code().unwrap_or("SELECT").to_owned());
            }
            commands.push(words(&["SELECT", "0"]));
        }
        let marks = commands.len();
        commands.push(words(&["GETSET", &mark, &number.to_string()]));
        if draft.waits {
            commands.push(words(&["WAIT", "1", WAIT]));
        }
        let (replies, outcome) = redis.pipeline_as_far(&commands);
        let failed = outcome.err().map(|e| redis_client::kind(&e));
        let unanswered = || failed.clone().unwrap_or_else(|| "closed".to_owned());
        let Some(reply) = replies.get(counts) else {
            return Ok(Said::Unknown(unanswered()));
        };
        let marked = replies.get(marks);
        if let Some(code) = reply.code() {
            let code = code.to_owned();
            let marked = match marked.map(Reply::code) {
                Some(None) => Mark::Written,
                Some(Some(_)) => Mark::Refused,
                None => Mark::Unknown,
            };
            if reply.text().contains("unction not found") {
                let _ = redis.call(&["FUNCTION", "LOAD", "REPLACE", LIBRARY]);
                let code = "function".to_owned();
                return Ok(Said::Refused { code, marked });
            }
            return Ok(match REFUSED.contains(&code.as_str()) {
                true => Said::Refused { code, marked },
                false => Said::Unknown(code),
            });
        }
        let before = number - 1;
        if let Some(other) = marked.filter(|reply| reply.code().is_none())
            && other.text().parse().unwrap_or(0) != before
        {
            let text = format!("done on data that shows step {} of {before}", other.text());
            return Ok(Said::Astray(text));
        }
        if !expected(reply, &draft.answer) {
            let said = reply.text();
            let text = format!("answered {said:?} instead of {:?}", draft.answer);
            return Ok(Said::Astray(text));
        }
        if draft.waits && replies.get(marks + 1).is_some_and(|r| r.text() == "1") {
            self.shared.waited.fetch_add(1, Ordering::Relaxed);
        }
        let mark_too = failed.is_none() && marked.is_some_and(|reply| reply.code().is_none());
        Ok(Said::Done { mark_too })
    }
}

fn expected(reply: &Reply, answer: &Answer) -> bool {
    match answer {
        Answer::Any => true,
        Answer::Text(text) => reply.text() == *text,
        Answer::List(count) => reply
            .clone()
            .items()
            .is_some_and(|items| items.len() == *count && items.iter().all(|i| i.code().is_none())),
    }
}

/// As a person would type it.
fn spell(draft: &Draft) -> String {
    let lines: Vec<String> = draft.commands.iter().map(|words| words.join(" ")).collect();
    let place = if draft.elsewhere {
        " in a database of its own"
    } else {
        ""
    };
    lines.join("; ") + place
}

pub(super) fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
