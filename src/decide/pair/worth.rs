//! What one data set is worth beside another. Pure.

use std::net::SocketAddr;

use super::containment::{has_lost_its_disk, relation};
use crate::decide::lineage::{Relation, compare};
use crate::decide::rule::{Rule, holds};
use crate::decide::view::{View, Vip};
use crate::server::info::{Copied, Observation};
use crate::server::term::Term;

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

/// The data of one node, as a comparison sees it.
#[derive(Clone, Copy)]
pub(crate) struct Held<'a> {
    pub address: SocketAddr,
    pub seen: &'a Observation,
}

/// Is the local data the worse one, beside a peer that is master or could be? With the reason.
///
/// What the ids prove comes first. Then the order is that of docs/protocol.md: the later reign;
/// bytes past a known fork; who serves; and at the very end keys against no keys, for to delete is
/// to write.
pub(crate) fn loses_to(
    view: &View,
    local: &Observation,
    address: SocketAddr,
    peer: &Observation,
) -> Option<String> {
    let (mine, theirs) = (&local.replication.lineage, &peer.replication.lineage);
    let same = mine.replid == theirs.replid;
    let (ours, other) = beside_each_other(view, local, address, peer);
    match apart_from_terms(local, peer) {
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
        Relation::Diverged {
            local: ours_past,
            peer: others_past,
        } => beside(view, ours, other, Some((ours_past, others_past))),
        Relation::Unrelated => beside(view, ours, other, None),
    }
}

pub(crate) fn beside_each_other<'a>(
    view: &View,
    local: &'a Observation,
    address: SocketAddr,
    peer: &'a Observation,
) -> (Held<'a>, Held<'a>) {
    let ours = Held {
        address: view.local.address,
        seen: local,
    };
    let other = Held {
        address,
        seen: peer,
    };
    (ours, other)
}

/// How the local data stands to the peer's by their ids. Bytes past a fork that only wrote a term
/// are nobody's data.
fn apart_from_terms(local: &Observation, peer: &Observation) -> Relation {
    let relation = compare(&local.replication.lineage, &peer.replication.lineage);
    let Relation::Diverged {
        local: ours,
        peer: others,
    } = relation
    else {
        return relation;
    };
    let written = |seen: &Observation| {
        let here = |term: &&Term| term.replid == seen.replication.lineage.replid;
        let term = seen.term.as_ref().filter(here);
        term.map_or(0, Term::written_bytes)
    };
    let (ours, others) = (
        ours.saturating_sub(written(local)),
        others.saturating_sub(written(peer)),
    );
    match (ours, others) {
        (ours, 0) if ours > 0 => Relation::Ahead(ours),
        (0, others) if others > 0 => Relation::Behind(others),
        _ => Relation::Diverged {
            local: ours,
            peer: others,
        },
    }
}

/// The local data beside the peer's, where the ids do not prove that one contains the other; `past`
/// are the bytes past a fork that is known.
fn beside(
    view: &View,
    ours: Held<'_>,
    other: Held<'_>,
    past: Option<(u64, u64)>,
) -> Option<String> {
    let (local, peer, address) = (ours.seen, other.seen, other.address);
    let later = || {
        let (mine, theirs) = (numbers(local), numbers(peer));
        format!("{address} has data of term {theirs}, the local Redis of term {mine}")
    };
    if let Some(wins) = by_reign(ours, other) {
        return (!wins).then(later);
    }
    if let Some((ours, others)) = past
        && ours != others
        && holds(Rule::MorePastTheFork)
    {
        return (others > ours).then(|| {
            format!(
                "{address} has {others} bytes past the fork of our histories, the local Redis \
                 {ours}"
            )
        });
    }
    let serves = view.vip == Vip::Here && local.is_master() && view.served_this_run(local);
    // The check does not ask who answers on a VIP that is not here.
    let may_hold_it = view.vip == Vip::At(address) || view.vip == Vip::Unknown;
    let other_serves = may_hold_it && is_in_service(peer);
    if serves != other_serves && holds(Rule::ServingStands) {
        return other_serves.then(|| format!("{address} is master and holds the VIP"));
    }
    let lacks_a_term = local.term.is_none() || peer.term.is_none();
    match (&local.term, &peer.term) {
        (Some(mine), Some(theirs)) if mine.unsure != theirs.unsure => {
            return (mine.unsure < theirs.unsure).then(later);
        }
        // A replica that was in sync when its master died goes on at once; what the other has
        // beyond that is kept in a file.
        (Some(mine), Some(theirs))
            if mine.id == theirs.id
                && view.synced_this_run(local)
                && !peer.is_master()
                && holds(Rule::MemoryCounts) =>
        {
            return None;
        }
        (Some(mine), Some(theirs)) if mine.id == theirs.id && holds(Rule::MakerOfTheTermWins) => {
            if mine.node == ours.address {
                return None;
            }
            if mine.node == address {
                return Some(format!(
                    "{address} was the master of the term that the local data is of, too"
                ));
            }
        }
        // Nothing here and nothing there: a fresh pair does not swap its roles for that.
        _ if local.keys == 0 && peer.keys == 0 && lacks_a_term => return None,
        (Some(_), None) if holds(Rule::TermOverNone) => return None,
        (None, Some(_)) if holds(Rule::TermOverNone) => return Some(later()),
        _ => {}
    }
    let emptied = (has_lost_its_disk(local), has_lost_its_disk(peer));
    if emptied.0 != emptied.1 && holds(Rule::LostDiskLoses) {
        let keys = peer.keys;
        return emptied
            .0
            .then(|| format!("the local Redis is empty and {address} has {keys} keys"));
    }
    if (view.served_this_run(local) || view.synced_this_run(local)) && holds(Rule::MemoryCounts) {
        return None;
    }
    // Of two fresh nodes neither has to follow the other.
    let unknown = peer.is_master() && !emptied.1;
    (unknown && holds(Rule::UnknownLosesToMaster)).then(|| {
        format!("{address} is master and nothing is known of the local data since its restart")
    })
}

/// Does `ours` stand by what the terms say, or `other`? `None` where they say nothing, or where it
/// depends on who serves.
fn by_reign(ours: Held<'_>, other: Held<'_>) -> Option<bool> {
    let (mine, theirs) = (ours.seen.term.as_ref()?, other.seen.term.as_ref()?);
    if mine.sure != theirs.sure {
        return holds(Rule::LaterTermWins).then_some(mine.sure > theirs.sure);
    }
    let sure = (mine.unsure == 0, theirs.unsure == 0);
    let apart = mine.base != theirs.base && sure.0 != sure.1;
    (apart && holds(Rule::SureOverUnsure)).then_some(sure.0)
}

fn numbers(seen: &Observation) -> String {
    let term = seen.term.as_ref();
    term.map_or("none".to_string(), Term::numbers)
}

/// A master that clients write to, as far as others can see.
fn is_in_service(seen: &Observation) -> bool {
    seen.is_master() && !(has_lost_its_disk(seen) && seen.version.has_functions())
}

/// Is `ours` better by its ids or its term, whatever is remembered? Then the other side would see
/// it too.
pub(crate) fn is_clearly_better(ours: Held<'_>, other: Held<'_>) -> bool {
    let (local, peer) = (ours.seen, other.seen);
    let past = match relation(local, peer) {
        Relation::Ahead(_) => return true,
        Relation::Equal | Relation::Behind(_) => return false,
        Relation::Diverged { .. } => match apart_from_terms(local, peer) {
            Relation::Diverged { local, peer } => Some(local > peer),
            relation => return matches!(relation, Relation::Ahead(_)),
        },
        Relation::Unrelated => None,
    };
    by_reign(ours, other)
        .or(past)
        .unwrap_or(has_lost_its_disk(peer) && !has_lost_its_disk(local))
}

/// A node whose data is better than the local one, with the reason; of several the best.
pub(crate) fn better(view: &View, local: &Observation) -> Option<(SocketAddr, String)> {
    let all = view.reachable().filter_map(|(address, seen)| {
        let why = loses_to(view, local, address, seen)?;
        Some((Held { address, seen }, why))
    });
    let best = all.reduce(|best, next| {
        if is_clearly_better(next.0, best.0) {
            next
        } else {
            best
        }
    });
    best.map(|(held, why)| (held.address, why))
}
