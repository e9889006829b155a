//! The term: which reign a data set is of, carried by the data itself. Pure.
//!
//! A restart with AOF loses the ids of a history (R7), and memory is each node's own: two cold
//! nodes could not tell who served last. So whoever makes a Redis master writes a term into it,
//! which is replicated and persisted with the data but is no key: a function library that answers
//! with it (R24; Redis 7, Valkey). For older servers there is a key, where `policy.term_key` names
//! one.

use std::net::SocketAddr;

use redis::{Cmd, cmd};

/// One reign: a node became master, by whatever program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// One more than any that its maker saw.
    pub number: u64,
    /// The node that became master.
    pub node: SocketAddr,
    /// The history that it made from then on.
    pub replid: String,
    /// When, in local time; for people.
    pub at: String,
}

/// How two terms stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The local data is of the later reign.
    Later,
    Earlier,
    /// Both are of the same reign.
    Same,
    /// Two nodes became master without seeing each other.
    Rivals,
}

/// The function library that carries it.
pub(crate) const LIBRARY: &str = "keepalived_redis";
const FUNCTION: &str = "keepalived_redis_term";
/// Longer texts are not ours.
const LONGEST: usize = 200;

impl Term {
    /// Reads what a Redis answered; `None` for anything that [`Term`]'s display did not write.
    pub(crate) fn read(text: &str) -> Option<Term> {
        if text.len() > LONGEST {
            return None;
        }
        let mut words = text.split(' ');
        let term = Term {
            number: words.next()?.parse().ok().filter(|number| *number > 0)?,
            node: words.next()?.parse().ok()?,
            replid: words
                .next()
                .filter(|id| id.len() == 40 && id.bytes().all(|b| b.is_ascii_hexdigit()))?
                .to_string(),
            at: words
                .next()
                .filter(|at| {
                    at.bytes()
                        .all(|b| b.is_ascii_graphic() && !b"'\\".contains(&b))
                })?
                .to_string(),
        };
        words.next().is_none().then_some(term)
    }

    /// Compares the term of the local data with a peer's.
    pub(crate) fn order(&self, peer: &Term) -> Order {
        match self.number.cmp(&peer.number) {
            std::cmp::Ordering::Greater => Order::Later,
            std::cmp::Ordering::Less => Order::Earlier,
            std::cmp::Ordering::Equal if self.node == peer.node && self.replid == peer.replid => {
                Order::Same
            }
            std::cmp::Ordering::Equal => Order::Rivals,
        }
    }

    /// The term of `node`, master of the history `replid`, beside data of the terms `seen`.
    pub(crate) fn after<'a>(
        seen: impl Iterator<Item = &'a Term>,
        node: SocketAddr,
        replid: &str,
        at: String,
    ) -> Term {
        let highest = seen.map(|term| term.number).max().unwrap_or(0);
        Term {
            number: highest.saturating_add(1),
            node,
            replid: replid.to_string(),
            at,
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
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {} {} {}",
            self.number, self.node, self.replid, self.at
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn term(number: u64, node: &str, replid: char) -> Term {
        let at = "2026-01-02T03:04:05.678+01:00".to_string();
        Term {
            number,
            node: node.parse().expect("an address"),
            replid: replid.to_string().repeat(40),
            at,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for node in ["192.168.158.11:6379", "[2001:db8::1]:6379"] {
            let term = term(7, node, 'a');
            assert_eq!(Term::read(&term.to_string()), Some(term));
        }
    }

    #[test]
    fn the_later_reign_wins_and_rivals_are_told_apart() {
        let (a, b) = ("192.168.158.11:6379", "192.168.158.12:6379");
        for (local, peer, expected) in [
            (term(2, a, 'x'), term(1, b, 'y'), Order::Later),
            (term(1, a, 'x'), term(2, a, 'y'), Order::Earlier),
            (term(2, a, 'x'), term(2, a, 'x'), Order::Same),
            (term(2, a, 'x'), term(2, b, 'y'), Order::Rivals),
            (term(2, a, 'x'), term(2, a, 'y'), Order::Rivals),
        ] {
            assert_eq!(local.order(&peer), expected, "{local} {peer}");
        }
    }

    #[test]
    fn a_new_term_is_higher_than_all_that_were_seen() {
        let node = "192.168.158.11:6379";
        let (one, two) = (term(4, node, 'x'), term(9, node, 'y'));
        let next = |seen: &[&Term]| {
            Term::after(
                seen.iter().copied(),
                node.parse().expect("an address"),
                "z",
                String::new(),
            )
            .number
        };
        assert_eq!(
            (
                next(&[]),
                next(&[&one, &two]),
                next(&[&term(u64::MAX, node, 'x')])
            ),
            (1, 10, u64::MAX)
        );
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic_and_what_is_read_can_be_written(
            text in "([0-9]{1,22} )?(192.168.158.11:6379 )?([0-9a-f]{40} )?[ -~]{0,40}",
        ) {
            if let Some(term) = Term::read(&text) {
                prop_assert_eq!(term.to_string(), text);
                // Nothing of it ends the string of the library early.
                let once = term.lua().matches('\'').count() == 8;
                prop_assert!(once);
            }
        }
    }
}
