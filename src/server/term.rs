//! The term: which reign a data set is of, carried by the data itself. Pure.
//!
//! A restart with AOF loses the ids of a history (R7), and memory is each node's own: two cold
//! nodes could not tell who served last. So whoever makes a Redis master writes a term into it,
//! which is replicated and persisted with the data but is no key: a function library that answers
//! with it (R24; Redis 7, Valkey). For older servers there is a key, where `policy.term_key` names
//! one.

use std::hash::{BuildHasher, Hasher};
use std::net::SocketAddr;

use redis::{Cmd, cmd};
use serde::{Deserialize, Serialize};

/// One reign: a node became master, or went on as one without a node that had shared its data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Term {
    /// One more than any that its maker saw or remembered, where the role moved surely: whoever
    /// began it had all that there was.
    pub sure: u64,
    /// How many times since a node has served without knowing whether it had all: it was alone for
    /// long enough. It counts beside `sure`, so that such a reign never outranks one that did not
    /// stop.
    pub unsure: u32,
    /// The node that became master.
    pub node: SocketAddr,
    /// The history that it made from then on.
    pub replid: String,
    /// The `id` of the sure term that this one grew from; its own, where `unsure` is 0.
    pub base: String,
    /// Eight random hexadecimal digits: two nodes that begin a reign apart from each other may
    /// come to the same numbers.
    pub id: String,
    /// When, in local time; for people.
    pub at: String,
}

/// The function library that carries it.
pub(crate) const LIBRARY: &str = "keepalived_redis";
const FUNCTION: &str = "keepalived_redis_term";
/// Longer texts are not ours.
const LONGEST: usize = 240;
/// The length of `id` and `base`.
const ID: usize = 8;

impl Term {
    /// Reads what a Redis answered; `None` for anything that [`Term`]'s display did not write, or
    /// that of the programs of before, which had one number: a running pair is upgraded one node
    /// after the other.
    pub(crate) fn read(text: &str) -> Option<Term> {
        if text.len() > LONGEST {
            return None;
        }
        let mut words = text.split(' ');
        let sure = words.next()?.parse().ok()?;
        let node = words.next()?.parse().ok()?;
        let replid = words.next().filter(|id| is_hex(id, 40))?.to_string();
        let last = words.next().filter(|last| {
            last.bytes()
                .all(|b| b.is_ascii_graphic() && !b"'\\".contains(&b))
        })?;
        if words.next().is_some() {
            return None;
        }
        let mut parts = last.split(',');
        let at = parts.next()?.to_string();
        let Some(unsure) = parts.next() else {
            if sure == 0 {
                return None;
            }
            let id = replid[..ID].to_string();
            return Some(Term {
                sure,
                unsure: 0,
                node,
                replid,
                base: id.clone(),
                id,
                at,
            });
        };
        let unsure = unsure.strip_prefix("unsure=")?.parse().ok()?;
        let base = parts
            .next()?
            .strip_prefix("base=")
            .filter(|id| is_hex(id, ID))?;
        let id = parts
            .next()?
            .strip_prefix("id=")
            .filter(|id| is_hex(id, ID))?;
        parts.next().is_none().then(|| Term {
            sure,
            unsure,
            node,
            replid,
            base: base.to_string(),
            id: id.to_string(),
            at,
        })
    }

    /// Its numbers, for people: `7`, or `7+1` where it was begun without knowing whether the data
    /// was the newest.
    pub(crate) fn numbers(&self) -> String {
        match self.unsure {
            0 => self.sure.to_string(),
            unsure => format!("{}+{unsure}", self.sure),
        }
    }

    pub(crate) fn question() -> Cmd {
        cmd("FCALL_RO").arg(FUNCTION).arg(0).clone()
    }

    /// What writes it. `allow-stale`: a replica whose link is down answers too.
    pub(crate) fn load(&self) -> Cmd {
        cmd("FUNCTION")
            .arg("LOAD")
            .arg("REPLACE")
            .arg(self.lua())
            .clone()
    }

    /// How many bytes of a history the writing of it takes: past a fork these are no client's.
    pub(crate) fn written_bytes(&self) -> u64 {
        // The SELECT before it is the first command's of any history.
        const SELECT: usize = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n".len();
        (SELECT + self.load().get_packed_command().len()) as u64
    }

    fn lua(&self) -> String {
        format!(
            "#!lua name={LIBRARY}\nredis.register_function{{function_name='{FUNCTION}', \
             callback=function() return '{self}' end, flags={{'no-writes','allow-stale'}}}}"
        )
    }
}

impl std::fmt::Display for Term {
    // What is new stands behind the time, in one word with it: the programs of before read it as a
    // time, and the rest as ever.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {} {} {},unsure={},base={},id={}",
            self.sure, self.node, self.replid, self.at, self.unsure, self.base, self.id
        )
    }
}

impl TryFrom<String> for Term {
    type Error = String;

    fn try_from(text: String) -> Result<Term, String> {
        Term::read(&text).ok_or_else(|| format!("{text} is no term"))
    }
}

impl From<Term> for String {
    fn from(term: Term) -> String {
        term.to_string()
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The `id` of a new term.
pub(crate) fn new_id() -> String {
    // Each state of the standard library's maps is random.
    let random = std::collections::hash_map::RandomState::new().build_hasher();
    format!("{:08x}", random.finish() >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn term(sure: u64, unsure: u32, node: &str) -> Term {
        Term {
            sure,
            unsure,
            node: node.parse().expect("an address"),
            replid: "a".repeat(40),
            base: "0123abcd".to_string(),
            id: "4567cdef".to_string(),
            at: "2026-01-02T03:04:05.678+01:00".to_string(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for node in ["192.168.158.11:6379", "[2001:db8::1]:6379"] {
            for term in [term(7, 0, node), term(u64::MAX, u32::MAX, node)] {
                assert_eq!(Term::read(&term.to_string()), Some(term));
            }
        }
    }

    #[test]
    fn a_term_of_the_programs_of_before_is_read_and_they_read_ours() {
        let node = "192.168.158.11:6379";
        let old = format!("7 {node} {} 2026-01-02T03:04:05.678+01:00", "a".repeat(40));
        let read = Term::read(&old).expect("a term");
        assert_eq!((read.sure, read.unsure), (7, 0));
        assert_eq!(
            (read.id.as_str(), read.base.as_str()),
            ("aaaaaaaa", "aaaaaaaa")
        );
        // As they did: four words, the last one of graphic letters, 200 bytes in all.
        let ours = term(7, 2, "[2001:db8:1111:2222:3333:4444:5555:6666]:16379").to_string();
        let words: Vec<&str> = ours.split(' ').collect();
        assert_eq!(words.len(), 4);
        assert!(words[3].bytes().all(|b| b.is_ascii_graphic()) && ours.len() <= 200);
    }

    #[test]
    fn no_two_new_ids_are_the_same() {
        let (one, two) = (new_id(), new_id());
        assert!(is_hex(&one, ID) && is_hex(&two, ID) && one != two);
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic_and_what_is_read_can_be_written(
            text in "([0-9]{1,22} )?(192.168.158.11:6379 )?([0-9a-f]{40} )?[ -~]{0,20}(,unsure=[0-9]{1,2},base=[0-9a-f]{8},id=[0-9a-f]{8})?",
        ) {
            if let Some(term) = Term::read(&text) {
                prop_assert_eq!(Term::read(&term.to_string()), Some(term.clone()));
                // Nothing of it ends the string of the library early.
                let once = term.lua().matches('\'').count() == 8;
                prop_assert!(once);
            }
        }
    }
}
