//! What a Redis shows of the workload's objects: the service, or a rollback file that was loaded.

use anyhow::{Context, Result, ensure};

use super::history::{Life, Object, Seen, State};
use crate::redis_client::{Connection, Reply};

/// So many databases a Redis has to have: a life that empties one has it for itself.
pub const DATABASES: u32 = 1000;
/// Lives asked for at a time.
const CHUNK: usize = 50;

/// The key of an object; those of a [`Object::Database`] are numbers in a database of their own.
pub(super) fn key(life: &Life, object: Object) -> String {
    let name = match object {
        Object::Register(number) => format!("r{number}"),
        Object::Queue => "queue".to_owned(),
        Object::Counter => "counter".to_owned(),
        Object::Stream => "stream".to_owned(),
        Object::Database => "database".to_owned(),
    };
    format!("v:{}:{}:{name}", life.worker, life.number)
}

/// Where the number of the last step is written down.
pub(super) fn mark(life: &Life) -> String {
    format!("v:{}:{}:mark", life.worker, life.number)
}

/// The database that this life alone writes to, while there are any.
pub(super) fn database(life: &Life, workers: u16) -> Option<u32> {
    let number = 1 + u32::from(life.number) * u32::from(workers) + u32::from(life.worker);
    (number < DATABASES).then_some(number)
}

/// Each life as `redis` shows it.
///
/// # Errors
/// Where it does not answer, or with something else than was asked for.
pub fn look(redis: &mut Connection, lives: &[Life], workers: u16) -> Result<Vec<Seen>> {
    let mut all = Vec::with_capacity(lives.len());
    for chunk in lives.chunks(CHUNK) {
        let commands: Vec<Vec<String>> = chunk
            .iter()
            .flat_map(|life| questions(life, workers))
            .collect();
        let mut replies = redis.pipeline(&commands)?.into_iter();
        for life in chunk {
            let name = || format!("life {} of {}", life.number, life.worker);
            all.push(read(life, &mut replies).with_context(name)?);
        }
    }
    Ok(all)
}

fn questions(life: &Life, workers: u16) -> Vec<Vec<String>> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let mut all = vec![words(&["GET", &mark(life)])];
    for object in life.objects() {
        let key = key(life, object);
        match object {
            Object::Register(_) => {
                all.push(words(&["GET", &key]));
                all.push(words(&["PTTL", &key]));
            }
            Object::Counter => all.push(words(&["GET", &key])),
            Object::Queue => all.push(words(&["LRANGE", &key, "0", "-1"])),
            Object::Stream => {
                all.push(words(&["XLEN", &key]));
                all.push(words(&["XREVRANGE", &key, "+", "-", "COUNT", "1"]));
            }
            Object::Database => {
                let database = database(life, workers).unwrap_or_default();
                all.push(words(&["SELECT", &database.to_string()]));
                all.push(words(&["KEYS", "*"]));
                all.push(words(&["SELECT", "0"]));
            }
        }
    }
    all
}

fn read(life: &Life, replies: &mut impl Iterator<Item = Reply>) -> Result<Seen> {
    let mut next = || -> Result<Reply> {
        let reply = replies.next().context("a reply is missing")?;
        ensure!(reply.code().is_none(), "{}", reply.text());
        Ok(reply)
    };
    let mut seen = Seen {
        mark: number(&next()?)?.unwrap_or_default(),
        ..Seen::default()
    };
    for object in life.objects() {
        let state = match object {
            Object::Register(_) => {
                let (value, left) = (number(&next()?)?, next()?.text());
                // It may expire between the two.
                match (value, left.as_str()) {
                    (None, _) => State::Nothing,
                    (Some(value), "-1") => State::Value(value),
                    (Some(value), _) => State::Leaving(value),
                }
            }
            Object::Counter => number(&next()?)?.map_or(State::Nothing, State::Value),
            Object::Queue => {
                let mut jobs = numbers(next()?)?;
                jobs.reverse();
                State::items(jobs)
            }
            Object::Stream => {
                let (count, rows) = (number(&next()?)?.unwrap_or_default(), next()?);
                last_row(rows)?.map_or(State::Nothing, |last| State::Rows(count, last))
            }
            Object::Database => {
                next()?;
                let mut keys = numbers(next()?)?;
                keys.sort_unstable();
                next()?;
                State::items(keys)
            }
        };
        seen.states.insert(object, state);
    }
    Ok(seen)
}

fn number(reply: &Reply) -> Result<Option<u64>> {
    let text = reply.text();
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse().with_context(|| format!("no number: {text}"))?;
    Ok(Some(number))
}

fn numbers(reply: Reply) -> Result<Vec<u64>> {
    let texts = reply.texts().context("no list")?;
    let parsed = texts.iter().map(|text| text.parse());
    Ok(parsed.collect::<Result<_, _>>()?)
}

/// The number in the last entry of a stream: a list of one entry, which is its id and its fields.
fn last_row(rows: Reply) -> Result<Option<u64>> {
    let Some(row) = rows.items().context("no list")?.into_iter().next() else {
        return Ok(None);
    };
    let fields = row.items().and_then(|row| row.into_iter().nth(1));
    let value = fields
        .and_then(Reply::texts)
        .and_then(|all| all.into_iter().nth(1));
    Ok(Some(value.context("an entry without a field")?.parse()?))
}
