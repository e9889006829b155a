//! What one data set contains of another, and what may therefore follow what. Pure.

use std::net::SocketAddr;

use crate::decide::lineage::{Relation, compare};
use crate::decide::rule::{Rule, holds};
use crate::decide::view::View;
use crate::server::info::{Lineage, Observation};

/// How the local data stands to the peer's. What a replica of a replica has of the history that a
/// master makes was the master's before, and is more only because it was read later.
pub(crate) fn relation(local: &Observation, peer: &Observation) -> Relation {
    let (mine, theirs) = (&local.replication.lineage, &peer.replication.lineage);
    let makes_it = mine.replid == theirs.replid && peer.is_master() && !local.is_master();
    match compare(mine, theirs) {
        Relation::Ahead(_) if makes_it && holds(Rule::MasterMakesTheHistory) => Relation::Equal,
        relation => relation,
    }
}

/// Is the local data provably contained in the peer's, and how many bytes past the fork are only
/// here, where the ids tell? An empty data set that never had a term is contained in any; to delete
/// all is to write, too.
pub fn containment(local: &Observation, peer: &Observation) -> (bool, Option<u64>) {
    let relation = relation(local, peer);
    let diverged = match relation {
        Relation::Ahead(bytes) | Relation::Diverged { local: bytes, .. } => Some(bytes),
        Relation::Equal | Relation::Behind(_) => Some(0),
        Relation::Unrelated => None,
    };
    let contained =
        has_lost_its_disk(local) || relation.may_follow() || !holds(Rule::KeptBeforeDropping);
    (contained, diverged)
}

/// Does a master contain what a replica has, whose history is `lineage` by now?
pub(crate) fn contains(master: &Observation, replica: &Observation, lineage: &Lineage) -> bool {
    let mut now = replica.clone();
    now.replication.lineage = lineage.clone();
    containment(&now, master).0
}

/// The other nodes that follow something else than `master`, to which the role has just moved, and
/// whose data is contained in its: who moved it lets them follow at once, which their own programs
/// would do some seconds later.
pub(crate) fn stragglers(view: &View, master: SocketAddr) -> Vec<SocketAddr> {
    let Some(Ok(theirs)) = view.seen(master) else {
        return Vec::new();
    };
    let strays = |seen: &Observation| {
        !seen.is_master() && !seen.follows(master) && containment(seen, theirs).0
    };
    let others = view
        .reachable()
        .filter(|(address, seen)| *address != master && strays(seen));
    // Of two nodes the other one gave the role, or has a program of its own.
    let wanted = view.peers.len() > 1
        && theirs.is_master()
        && !theirs.loading
        && holds(Rule::OthersAreBroughtAlong);
    others
        .filter(|_| wanted)
        .map(|(address, _)| address)
        .collect()
}

/// No keys and no term. A Redis whose clients have deleted everything still has its term.
pub(super) fn has_lost_its_disk(seen: &Observation) -> bool {
    seen.keys == 0 && seen.term.is_none()
}
