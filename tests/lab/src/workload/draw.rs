//! What a thread of the workload does next.

use super::history::{Life, Object, State};
use super::look::key;
use crate::campaign::dice::Dice;

/// The library of functions that FCALL needs, as the application would load it.
pub(super) const LIBRARY: &str = "#!lua name=workload\nredis.register_function('workload_set', \
     function(keys, args) return redis.call('SET', keys[1], args[1]) end)";
const SCRIPT: &str = "return redis.call('SET', KEYS[1], ARGV[1])";
const REGISTERS: u8 = 8;
/// A queue has so many jobs at most, a database so many keys.
const FILL: u64 = 6;
/// A key that expires does so within so many milliseconds.
const EXPIRES: u64 = 3000;

/// The answer that shows that a step was done to the object as it should have been before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// This text.
    Text(String),
    /// A list of so many items.
    List(usize),
    /// Any that is no error.
    Any,
}

/// A step before it is sent.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    /// The last of these is the one whose answer counts.
    pub(super) commands: Vec<Vec<String>>,
    /// They go to the life's own database.
    pub(super) elsewhere: bool,
    pub(super) answer: Answer,
    pub(super) effects: Vec<(Object, State)>,
    /// WAIT is asked for the replica.
    pub(super) waits: bool,
}

impl Draft {
    fn new(commands: &[&[&str]], answer: Answer, effects: Vec<(Object, State)>) -> Draft {
        let owned = |words: &&[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Draft {
            commands: commands.iter().map(owned).collect(),
            elsewhere: false,
            answer,
            effects,
            waits: false,
        }
    }
}

#[derive(Clone, Copy)]
enum Act {
    Set,
    Eval,
    Call,
    Delete,
    Expire,
    Queue,
    Count,
    Together,
    Row,
    Database,
}

const ACTS: [(Act, u64); 10] = [
    (Act::Set, 5),
    (Act::Eval, 2),
    (Act::Call, 2),
    (Act::Delete, 5),
    (Act::Expire, 2),
    (Act::Queue, 8),
    (Act::Count, 4),
    (Act::Together, 3),
    (Act::Row, 3),
    (Act::Database, 4),
];

/// Draws steps that make sense after what a life has done.
pub(super) struct Drawer {
    dice: Dice,
    drains: bool,
    has_functions: bool,
}

impl Drawer {
    pub(super) fn new(dice: Dice, has_functions: bool) -> Drawer {
        Drawer {
            dice,
            drains: false,
            has_functions,
        }
    }

    pub(super) fn draw(&mut self, life: &Life, has_database: bool) -> Draft {
        loop {
            let act = self.dice.weighted(&ACTS).unwrap_or(Act::Set);
            if let Some(draft) = self.try_act(act, life, has_database) {
                return draft;
            }
        }
    }

    fn try_act(&mut self, act: Act, life: &Life, has_database: bool) -> Option<Draft> {
        let number = life.next_number();
        let value = number.to_string();
        let ok = || Answer::Text("OK".to_owned());
        let one = || Answer::Text("1".to_owned());
        let register = self.register();
        let name = key(life, register);
        let set = || vec![(register, State::Value(number))];
        let is_there = matches!(life.now(register), State::Value(_));
        Some(match act {
            Act::Set => Draft::new(&[&["SET", &name, &value]], ok(), set()),
            Act::Eval => Draft::new(&[&["EVAL", SCRIPT, "1", &name, &value]], ok(), set()),
            Act::Call if self.has_functions => Draft::new(
                &[&["FCALL", "workload_set", "1", &name, &value]],
                ok(),
                set(),
            ),
            Act::Delete if is_there => {
                Draft::new(&[&["DEL", &name]], one(), vec![(register, State::Nothing)])
            }
            Act::Expire => {
                let State::Value(now) = life.now(register) else {
                    return None;
                };
                let left = (1 + self.dice.below(EXPIRES)).to_string();
                let leaving = vec![(register, State::Leaving(*now))];
                Draft::new(&[&["PEXPIRE", &name, &left]], one(), leaving)
            }
            Act::Queue => self.queue(life),
            Act::Count => {
                let (counted, state) = count(life);
                let counter = key(life, Object::Counter);
                Draft::new(&[&["INCR", &counter]], Answer::Text(counted), vec![state])
            }
            Act::Together => self.together(life, register),
            Act::Row => {
                let stream = key(life, Object::Stream);
                let count = match life.now(Object::Stream) {
                    State::Rows(count, _) => count + 1,
                    _ => 1,
                };
                let rows = vec![(Object::Stream, State::Rows(count, number))];
                Draft {
                    waits: true,
                    ..Draft::new(&[&["XADD", &stream, "*", "n", &value]], Answer::Any, rows)
                }
            }
            Act::Database if has_database => self.database(life),
            Act::Call | Act::Delete | Act::Database => return None,
        })
    }

    fn register(&mut self) -> Object {
        let number = self.dice.below(REGISTERS.into());
        Object::Register(u8::try_from(number).unwrap_or_default())
    }

    /// Jobs are pushed until it is as full as the dice say, and popped until it is empty.
    fn queue(&mut self, life: &Life) -> Draft {
        let (queue, number) = (key(life, Object::Queue), life.next_number());
        let mut jobs = jobs(life);
        self.drains = match u64::try_from(jobs.len()) {
            Ok(0) => false,
            Ok(count) => self.drains || self.dice.below(FILL) < count,
            Err(_) => true,
        };
        if self.drains {
            let oldest = jobs.remove(0).to_string();
            let left = vec![(Object::Queue, State::items(jobs))];
            return Draft::new(&[&["RPOP", &queue]], Answer::Text(oldest), left);
        }
        jobs.push(number);
        let length = Answer::Text(jobs.len().to_string());
        let more = vec![(Object::Queue, State::items(jobs))];
        Draft::new(&[&["LPUSH", &queue, &number.to_string()]], length, more)
    }

    /// Two objects in one transaction: a job is done and noted, or something is counted and noted.
    fn together(&self, life: &Life, register: Object) -> Draft {
        let (number, note) = (life.next_number(), key(life, register));
        let value = number.to_string();
        let mut jobs = jobs(life);
        let noted = (register, State::Value(number));
        let (first, state) = if jobs.is_empty() {
            (
                ["INCR".to_owned(), key(life, Object::Counter)],
                count(life).1,
            )
        } else {
            jobs.remove(0);
            let left = (Object::Queue, State::items(jobs));
            (["RPOP".to_owned(), key(life, Object::Queue)], left)
        };
        let [verb, first] = &first;
        Draft::new(
            &[
                &["MULTI"],
                &[verb, first],
                &["SET", &note, &value],
                &["EXEC"],
            ],
            Answer::List(2),
            vec![state, noted],
        )
    }

    /// Keys are set until there are as many as the dice say, and then it is flushed.
    fn database(&mut self, life: &Life) -> Draft {
        let number = life.next_number();
        let mut keys = match life.now(Object::Database) {
            State::Items(keys) => keys.clone(),
            _ => Vec::new(),
        };
        let count = u64::try_from(keys.len()).unwrap_or_default();
        let flushes = count > 0 && self.dice.below(FILL) < count;
        let command: &[&str] = match flushes {
            true => &["FLUSHDB"],
            false => &["SET", &number.to_string(), "1"],
        };
        match flushes {
            true => keys.clear(),
            false => keys.push(number),
        }
        let ok = Answer::Text("OK".to_owned());
        Draft {
            elsewhere: true,
            ..Draft::new(&[command], ok, vec![(Object::Database, State::items(keys))])
        }
    }
}

fn jobs(life: &Life) -> Vec<u64> {
    match life.now(Object::Queue) {
        State::Items(jobs) => jobs.clone(),
        _ => Vec::new(),
    }
}

/// The next number of the counter.
fn count(life: &Life) -> (String, (Object, State)) {
    let next = match life.now(Object::Counter) {
        State::Value(now) => now + 1,
        _ => 1,
    };
    (next.to_string(), (Object::Counter, State::Value(next)))
}
