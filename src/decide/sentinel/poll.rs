//! The words of the sentinels, and what they come to. Pure.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::server::failure::Failure;

/// A sentinel asks a living master once a second (more often with a short `down-after`): one that
/// has not been heard for longer by any of them answers nobody.
const UNHEARD: Duration = Duration::from_millis(1500);
/// What one sentinel does on its own the others know after this at the latest (R35).
const MADE_KNOWN: Duration = Duration::from_millis(2000);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The node that it calls master.
    pub master: SocketAddr,
    /// It is moving the role at this moment.
    pub failing_over: bool,
    /// How long ago the master answered it; `None` where it does not say.
    pub heard: Option<Duration>,
    /// It holds the master for down.
    pub down: bool,
    /// Its `down-after-milliseconds`: it will, when the master has been silent for so long.
    pub down_after: Duration,
}

/// The words of all sentinels at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// Each sentinel, and what it said or why it said nothing usable.
    pub words: Vec<(SocketAddr, Result<Word, Failure>)>,
    pub asked: usize,
    /// So many have to name a node.
    pub quorum: usize,
}

/// What a poll comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// At least a quorum name this node.
    Node(SocketAddr),
    /// A quorum answered, and does not agree: a switch is being made known.
    Nobody,
    /// Fewer than a quorum answered.
    Silent,
}

impl Poll {
    pub(crate) fn silence(asked: usize, quorum: usize) -> Poll {
        Poll {
            words: Vec::new(),
            asked,
            quorum,
        }
    }

    /// Who is master by their word.
    pub fn named(&self) -> Named {
        let named = self
            .said()
            .find(|(_, word)| self.count(word.master) >= self.quorum);
        match named {
            Some((_, word)) => Named::Node(word.master),
            None if self.answered() >= self.quorum => Named::Nobody,
            None => Named::Silent,
        }
    }

    /// How many gave a usable answer.
    pub(crate) fn answered(&self) -> usize {
        self.said().count()
    }

    /// The sentinels that name `node`.
    pub(crate) fn naming(&self, node: SocketAddr) -> impl Iterator<Item = SocketAddr> {
        self.said()
            .filter(move |(_, word)| word.master == node)
            .map(|(sentinel, _)| sentinel)
    }

    /// Enough of them to begin a failover: one sentinel does it without asking the others, so one
    /// that is cut off from them must not be told to. Their own failovers need as many.
    pub(crate) fn may_act(&self) -> bool {
        self.answered() >= self.quorum.max(self.asked / 2 + 1)
    }

    pub(crate) fn count(&self, node: SocketAddr) -> usize {
        self.naming(node).count()
    }

    fn said(&self) -> impl Iterator<Item = (SocketAddr, &Word)> {
        self.words
            .iter()
            .filter_map(|(sentinel, word)| word.as_ref().ok().map(|word| (*sentinel, word)))
    }

    pub(crate) fn is_failing_over(&self) -> bool {
        self.said().any(|(_, word)| word.failing_over)
    }

    /// None of those who name it has heard `node` of late.
    pub(crate) fn is_unheard(&self, node: SocketAddr) -> bool {
        let mut naming = self.said().filter(|(_, word)| word.master == node);
        // Nothing is known of one that was named a moment ago, and a new connection to it may not
        // stand yet.
        naming.all(|(_, word)| word.down || word.heard.is_some_and(|heard| heard > UNHEARD))
    }

    /// They are about to replace `node`, which is dead, by themselves. A failover that is asked for
    /// beside theirs has the same epoch, and of two nodes that are promoted one is demoted at once
    /// (R32).
    pub(crate) fn is_contested(&self, node: SocketAddr) -> bool {
        let mut naming = self.said().filter(|(_, word)| word.master == node);
        naming.any(|(_, word)| {
            let soon = word
                .heard
                .is_some_and(|heard| word.down_after.saturating_sub(heard) < MADE_KNOWN);
            word.down || soon
        })
    }
}

impl fmt::Display for Poll {
    /// `2 of 3 sentinels name 192.168.158.11:6379, 1 silent`, the most words first; where there are
    /// none, what one of them says instead.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut nodes: Vec<SocketAddr> = self.said().map(|(_, word)| word.master).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes.sort_by_key(|node| std::cmp::Reverse(self.count(*node)));
        let asked = self.asked;
        if nodes.is_empty() {
            let refusal = self.words.iter().find_map(|(sentinel, word)| match word {
                Err(why @ (Failure::Denied(_) | Failure::Rubbish(_) | Failure::Tls(_))) => {
                    Some((sentinel, why))
                }
                _ => None,
            });
            return match refusal {
                Some((sentinel, why)) => write!(
                    f,
                    "none of {asked} sentinels names a master; {sentinel}: {why}"
                ),
                None => write!(f, "none of {asked} sentinels answers"),
            };
        }
        for (index, node) in nodes.iter().enumerate() {
            let count = self.count(*node);
            match index {
                0 => write!(f, "{count} of {asked} sentinels name {node}")?,
                _ => write!(f, ", {count} {node}")?,
            }
        }
        match asked - self.answered() {
            0 => Ok(()),
            silent => write!(f, ", {silent} silent"),
        }
    }
}
