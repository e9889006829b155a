//! What one data set is worth beside another. Pure.

use std::net::SocketAddr;

use crate::decide::lineage::{Relation, compare};
use crate::decide::rule::{Rule, holds};
use crate::decide::view::View;
use crate::server::info::{Copied, Lineage, Observation};
use crate::server::term::Order;

/// Is a replica as far as its serving peer? `Err` says what is missing. `master` was observed
/// before or together with `replica`, so that an equal offset proves it (R2).
pub fn in_sync(replica: &Observation, master: &Observation, max_lag: u64) -> Result<(), String> {
    let Some(following) = replica.following() else {
        return Err("it is no replica".to_string());
    };
    if following.syncing || replica.loading {
        return Err(match following.copied.and_then(Copied::percent) {
            Some(percent) => format!("a full copy is being received, {percent} %"),
            None => "a full copy is being received".to_string(),
        });
    }
    if !following.link_up {
        return Err("its link to the master is down".to_string());
    }
    let (mine, theirs) = (&replica.replication.lineage, &master.replication.lineage);
    if mine.replid != theirs.replid {
        return Err("its history is not yet the master's".to_string());
    }
    match u64::try_from(theirs.offset.saturating_sub(mine.offset)).unwrap_or(0) {
        lag if lag > max_lag => Err(format!(
            "{lag} bytes behind the master, {max_lag} are allowed"
        )),
        _ => Ok(()),
    }
}

/// Is the local data the worse one, beside a peer that is master or could be? With the reason.
///
/// In this order: what the ids prove; an empty data set against one with keys; bytes past a known
/// fork; the terms; what this node remembers.
pub(crate) fn loses_to(
    view: &View,
    local: &Observation,
    address: SocketAddr,
    peer: &Observation,
) -> Option<String> {
    let (mine, theirs) = (&local.replication.lineage, &peer.replication.lineage);
    let same = mine.replid == theirs.replid;
    match compare(mine, theirs) {
        Relation::Equal | Relation::Ahead(_) => None,
        // It was read a moment before its replica, which is no proof.
        Relation::Behind(_) if same && local.is_master() && holds(Rule::MasterMakesTheHistory) => {
            None
        }
        Relation::Behind(_) if !holds(Rule::ContainedLoses) => None,
        Relation::Behind(bytes) if same => Some(format!(
            "{address} has {bytes} bytes more of the same history"
        )),
        Relation::Behind(bytes) => Some(format!(
            "{address} was promoted out of our history at offset {} and holds {bytes} bytes more",
            theirs.second_offset
        )),
        Relation::Diverged { .. } | Relation::Unrelated
            if peer.keys == 0 && holds(Rule::EmptyNeverWins) =>
        {
            None
        }
        Relation::Diverged { .. } | Relation::Unrelated
            if local.keys == 0 && holds(Rule::EmptyNeverWins) =>
        {
            (peer.keys > 0).then(|| {
                format!(
                    "the local Redis is empty and {address} has {} keys",
                    peer.keys
                )
            })
        }
        Relation::Diverged {
            local: ours,
            peer: others,
        } => diverged(local, address, peer, ours, others).filter(|_| holds(Rule::MorePastTheFork)),
        Relation::Unrelated => unrelated(view, local, address, peer),
    }
}

/// Bytes past the fork, but not those that only wrote a term: they are nobody's data.
fn diverged(
    local: &Observation,
    address: SocketAddr,
    peer: &Observation,
    ours: u64,
    others: u64,
) -> Option<String> {
    let order = order(local, peer);
    let written = |seen: &Observation| seen.term.as_ref().map_or(0, |term| term.written_bytes());
    let ours = ours.saturating_sub(if order == Some(Order::Later) {
        written(local)
    } else {
        0
    });
    let others = others.saturating_sub(if order == Some(Order::Earlier) {
        written(peer)
    } else {
        0
    });
    (others > ours || others == ours && order == Some(Order::Earlier)).then(|| {
        format!(
            "{address} has {others} bytes past the fork of our histories, the local Redis {ours}"
        )
    })
}

fn unrelated(
    view: &View,
    local: &Observation,
    address: SocketAddr,
    peer: &Observation,
) -> Option<String> {
    match order(local, peer) {
        Some(Order::Later) if holds(Rule::LaterTermWins) => return None,
        Some(Order::Earlier) if holds(Rule::LaterTermWins) => {
            let number = |seen: &Observation| seen.term.as_ref().map_or(0, |term| term.number);
            let (mine, theirs) = (number(local), number(peer));
            return Some(format!(
                "{address} has data of term {theirs}, the local Redis of term {mine}"
            ));
        }
        // A replica that was in sync when its master died goes on at once; what the other has
        // beyond that is kept in a file.
        Some(Order::Same)
            if view.synced_this_run(local) && !peer.is_master() && holds(Rule::MemoryCounts) =>
        {
            return None;
        }
        Some(Order::Same) if holds(Rule::MakerOfTheTermWins) => {
            let maker = local.term.as_ref().map(|term| term.node);
            if maker == Some(view.local.address) {
                return None;
            }
            if maker == Some(address) {
                return Some(format!(
                    "{address} was the master of the term that the local data is of, too"
                ));
            }
        }
        _ => {}
    }
    if (view.served_this_run(local) || view.synced_this_run(local)) && holds(Rule::MemoryCounts) {
        return None;
    }
    (peer.is_master() && holds(Rule::UnknownLosesToMaster)).then(|| {
        format!("{address} is master and nothing is known of the local data since its restart")
    })
}

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

/// Is the local data better by its ids or its term, whatever is remembered? Then the other side
/// would see it too.
pub(crate) fn is_clearly_better(local: &Observation, peer: &Observation) -> bool {
    match relation(local, peer) {
        Relation::Ahead(_) => true,
        Relation::Equal | Relation::Behind(_) => false,
        Relation::Diverged { local, peer } => local > peer,
        Relation::Unrelated => {
            local.keys > 0 && (peer.keys == 0 || order(local, peer) == Some(Order::Later))
        }
    }
}

/// Only where both have one: the right to read it may be missing on one side.
fn order(local: &Observation, peer: &Observation) -> Option<Order> {
    Some(local.term.as_ref()?.order(peer.term.as_ref()?))
}

/// Is the local data provably contained in the peer's, and how many bytes past the fork are only
/// here, where the ids tell? An empty data set is contained in any.
pub fn containment(local: &Observation, peer: &Observation) -> (bool, Option<u64>) {
    let relation = relation(local, peer);
    let diverged = match relation {
        Relation::Ahead(bytes) | Relation::Diverged { local: bytes, .. } => Some(bytes),
        Relation::Equal | Relation::Behind(_) => Some(0),
        Relation::Unrelated => None,
    };
    (
        local.keys == 0 || relation.may_follow() || !holds(Rule::KeptBeforeDropping),
        diverged,
    )
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
        !seen.is_master()
            && !seen.follows(master)
            && containment(seen, theirs).0
            && (theirs.keys > 0 || seen.keys == 0)
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

/// A node whose data is better than the local one, with the reason; of several the best.
pub(crate) fn better(view: &View, local: &Observation) -> Option<(SocketAddr, String)> {
    let all = view
        .reachable()
        .filter_map(|(address, peer)| Some((peer, address, loses_to(view, local, address, peer)?)));
    let best = all.reduce(|best, next| {
        if is_clearly_better(next.0, best.0) {
            next
        } else {
            best
        }
    });
    best.map(|(_, address, why)| (address, why))
}
