//! What one look saw, and what this node remembers: all that a decision may rest on. Pure.

use std::net::SocketAddr;
use std::time::Duration;

use super::rule::{Rule, holds};
use crate::node::memory::Memory;
use crate::server::failure::Failure;
use crate::server::info::Observation;
use crate::server::term::Term;

/// A peer that only says no is taken for gone after this: it lives, but nobody can serve from it.
const DENIED: Duration = Duration::from_secs(3);
/// Two looks are always further apart than this.
const SECOND_LOOK: Duration = Duration::from_millis(10);

/// One node, as it was seen a moment ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its address in `nodes`.
    pub address: SocketAddr,
    /// What it said, or why it said nothing usable.
    pub seen: Result<Observation, Failure>,
}

impl Node {
    pub(crate) fn up(&self) -> Option<&Observation> {
        self.seen.as_ref().ok()
    }

    fn master(&self) -> Option<&Observation> {
        self.up().filter(|seen| seen.is_master() && !seen.loading)
    }
}

/// Where the virtual address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vip {
    /// On an interface of this machine.
    Here,
    /// The Redis that answers on it is this node's.
    At(SocketAddr),
    /// Nobody answers on it, or nobody that we know.
    Unknown,
}

/// Everything that a decision may rest on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    pub local: Node,
    /// The others, in order of preference.
    pub peers: Vec<Node>,
    pub vip: Vip,
    pub memory: Memory,
    /// For how long those peers that can't be compared with have said nothing of their data,
    /// without a break: of several the one that was heard last counts.
    pub alone_for: Duration,
    /// `timing.alone_after`.
    pub alone_after: Duration,
    /// `policy.outdated`: after so long alone also data that is known to be old is served; `None`
    /// is never.
    pub outdated_after: Option<Duration>,
    /// `policy.max_lag`, bytes.
    pub max_lag: u64,
    /// The local Redis died again and again; for how long that still counts.
    pub flapping: Option<Duration>,
    /// A person wants this node to stay out: the words for it.
    pub drained: Option<String>,
}

impl View {
    /// All nodes, this one first.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        std::iter::once(&self.local).chain(&self.peers)
    }

    /// What `address` said, or why it said nothing usable; `None` when it is not one of the nodes.
    pub(crate) fn seen(&self, address: SocketAddr) -> Option<Result<&Observation, &Failure>> {
        self.nodes()
            .find(|node| node.address == address)
            .map(|node| node.seen.as_ref())
    }

    /// The terms of all nodes that could be read.
    pub(crate) fn terms(&self) -> impl Iterator<Item = &Term> {
        self.nodes().filter_map(|node| node.up()?.term.as_ref())
    }

    fn masters(&self) -> impl Iterator<Item = (SocketAddr, &Observation)> {
        self.peers
            .iter()
            .filter_map(|node| node.master().map(|seen| (node.address, seen)))
    }

    /// The peer that is master; where there are several, the one that holds the VIP.
    pub(crate) fn serving_peer(&self) -> Option<(SocketAddr, &Observation)> {
        self.masters()
            .find(|(address, _)| self.vip == Vip::At(*address))
            .or_else(|| self.masters().next())
    }

    /// The peers whose data can be compared; what is still being loaded can't.
    pub(crate) fn reachable(&self) -> impl Iterator<Item = (SocketAddr, &Observation)> {
        self.peers
            .iter()
            .filter_map(|node| node.up().map(|seen| (node.address, seen)))
            .filter(|(_, seen)| !seen.loading)
    }

    /// A peer of which more may be known in a moment, before the local Redis is promoted. `waited`
    /// is for how long the nodes have been seen as they are.
    pub(crate) fn undecided(&self, local: &Observation, waited: Duration) -> Option<String> {
        if !holds(Rule::UndecidedIsWaitedFor) {
            return None;
        }
        self.peers
            .iter()
            .find_map(|Node { address, seen }| match seen {
                Ok(seen) if seen.loading && !self.synced_this_run(local) => {
                    Some(format!("{address} is loading its data, which may be newer"))
                }
                // Of three nodes a mere replica that says no is not waited for.
                Err(Failure::Denied(_))
                    if self.peers.len() > 1
                        && self.synced_this_run(local)
                        && !local.follows(*address) =>
                {
                    None
                }
                Err(Failure::Denied(denial)) if waited < DENIED => {
                    Some(format!("{address} is alive, but it says {denial}"))
                }
                Err(failure @ Failure::Tls(_)) if waited < DENIED => {
                    Some(format!("{address} is alive, but {failure}"))
                }
                // A fork or a slow command; the link says that its host lives.
                Err(Failure::TimedOut)
                    if waited < SECOND_LOOK
                        && local.follows(*address)
                        && local.following().is_some_and(|f| f.link_up) =>
                {
                    Some(format!(
                        "{address} does not answer, but the link to it is up; looking again"
                    ))
                }
                _ => None,
            })
    }

    /// Every peer can be compared with.
    pub(crate) fn is_complete(&self) -> bool {
        self.peers
            .iter()
            .all(|node| node.up().is_some_and(|seen| !seen.loading))
            || !holds(Rule::MissingMayHaveMore) && self.reachable().next().is_some()
    }

    /// May it be decided whose data is the best? Of three nodes one that does not answer may have
    /// it.
    pub(crate) fn can_compare(&self, local: &Observation) -> bool {
        self.is_complete()
            || self.synced_this_run(local) && holds(Rule::MemoryCounts)
            || self.is_alone()
    }

    /// It is master by our own doing, in this run, and has followed nobody since.
    pub(crate) fn served_this_run(&self, local: &Observation) -> bool {
        let lineage = &local.replication.lineage;
        // The first replica of a master without a backlog makes it rename its history (R28), and
        // leaves no elder name; to have followed somebody does.
        let renamed =
            local.is_master() && lineage.replid2.is_none() && holds(Rule::RenamedHistoryIsKnown);
        let served = self
            .memory
            .served
            .as_ref()
            .filter(|served| served.run_id == local.run_id);
        served.is_some_and(|served| served.replid == lineage.replid || renamed)
    }

    /// The term that the data of `local` is to have, and has not yet.
    pub(crate) fn pending_term(&self, local: &Observation) -> Option<Term> {
        let pending = self.memory.pending.as_ref();
        let pending = pending.filter(|pending| pending.run_id == local.run_id)?;
        let stands = |term: &Term| term.id == pending.term.id || term.sure > pending.term.sure;
        (!local.term.as_ref().is_some_and(stands)).then(|| pending.term.clone())
    }

    pub(crate) fn synced_this_run(&self, local: &Observation) -> bool {
        let replid = &local.replication.lineage.replid;
        self.memory
            .synced
            .as_ref()
            .is_some_and(|s| s.run_id == local.run_id && s.replid == *replid)
            && (self.memory.outdated.is_none() || !holds(Rule::OutdatedIsHeld))
            && local.following().is_none_or(|f| !f.syncing)
    }

    pub(crate) fn is_alone(&self) -> bool {
        !holds(Rule::AloneForLongEnough) || self.alone_for >= self.alone_after
    }

    pub(crate) fn waits_alone(&self) -> String {
        let (since, limit) = (self.alone_for.as_secs(), self.alone_after.as_secs());
        let missing = self.peers.iter().find(|node| node.up().is_none());
        match (self.reachable().next(), missing) {
            (Some(_), Some(Node { address, .. })) => format!(
                "{address} does not answer, and nothing is known of the worth of the local data \
                 beside its; silent for \
                 {since} s of {limit} s"
            ),
            _ => format!(
                "no peer answers, and nothing is known of the worth of the local data; alone for \
                 {since} s of {limit} s"
            ),
        }
    }
}
