//! The terms of a pair: which one comes next, what a look teaches of them, and which one the data
//! of the node that serves still lacks. Pure.
//!
//! A master that goes on without a node that had shared its data begins a new reign at once, so
//! that whoever meets later can tell the one that stopped from the one that did not.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::step::Reign;
use super::worth::{better, in_sync};
use crate::decide::rule::{Rule, holds};
use crate::decide::view::{View, Vip};
use crate::node::memory::{Elsewhere, Place, Reigns, Shared};
use crate::server::info::Observation;
use crate::server::term::Term;

/// A master's PING to its replicas, in bytes (R5).
const PING: i64 = 14;
/// So many there are, one each 10 s, until it has given up the last replica (R3).
const PINGS: i64 = 8;

/// What is random or of this moment in a new term.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    /// Eight random hexadecimal digits.
    pub id: String,
    /// Local time, for people.
    pub at: String,
}

/// The term of a reign that `node` begins over the data that it has in `view`, making the history
/// `replid`.
///
/// A sure one is above all that was seen or is remembered anywhere. An unsure one keeps the number
/// of the data and counts beside it: it may lack what another node has of that very number.
pub(crate) fn next_term(
    view: &View,
    reign: Reign,
    node: SocketAddr,
    replid: &str,
    stamp: Stamp,
) -> Term {
    let of = view
        .seen(node)
        .and_then(Result::ok)
        .and_then(|seen| seen.term.clone());
    let (sure, unsure) = match (reign, &of) {
        (Reign::Unsure, Some(of)) if holds(Rule::UnsureKeepsTheNumber) => {
            (of.sure, of.unsure.saturating_add(1))
        }
        (Reign::Unsure, None) if holds(Rule::UnsureKeepsTheNumber) => (0, 1),
        _ => (highest(view).saturating_add(1), 0),
    };
    let grown_from = of.filter(|_| unsure > 0).map(|of| of.base);
    Term {
        sure,
        unsure,
        node,
        replid: replid.to_string(),
        base: grown_from.unwrap_or_else(|| stamp.id.clone()),
        id: stamp.id,
        at: stamp.at,
    }
}

/// The highest sure number that was seen, or that this node remembers.
fn highest(view: &View) -> u64 {
    let memory = &view.memory;
    let own = memory.reigns.own.as_ref().map(|term| term.sure);
    let elsewhere = memory.reigns.elsewhere.as_ref().map(|seen| seen.sure);
    let pending = memory.pending.as_ref().map(|pending| pending.term.sure);
    let remembered = [own, elsewhere, pending].into_iter().flatten();
    let remembered = remembered.filter(|_| holds(Rule::NumbersAreRemembered));
    let seen = view.terms().map(|term| term.sure);
    seen.chain(remembered).max().unwrap_or(0)
}

/// What is remembered of reigns after this look, where that is not what was remembered before it.
/// `at` is the time, for people.
pub(crate) fn learned(view: &View, at: &str) -> Option<Reigns> {
    let local = view.local.up().filter(|local| !local.loading)?;
    let before = &view.memory.reigns;
    let mut reigns = before.clone();
    if let Some(own) = &local.term {
        reigns.own = Some(own.clone());
        let known = before.shared.as_ref().filter(|shared| shared.id == own.id);
        let mut nodes = known.map_or(BTreeSet::new(), |shared| shared.nodes.clone());
        nodes.extend(sharing(view, local, own));
        let left = nodes.iter().any(|node| !is_linked(view, *node));
        let left_at = left.then(|| {
            let known = known.and_then(|shared| shared.left_at.clone());
            known.unwrap_or_else(|| place(local))
        });
        reigns.shared = Some(Shared {
            id: own.id.clone(),
            nodes,
            left_at: left_at.filter(|_| local.is_master()),
        });
    }
    let sure = local.term.as_ref().map_or(0, |term| term.sure);
    let remembered = before.elsewhere.as_ref().map_or(0, |seen| seen.sure);
    let later = view
        .reachable()
        .filter_map(|(node, peer)| Some((node, peer.term.as_ref()?.sure)))
        .filter(|(_, theirs)| *theirs > sure.max(remembered))
        .max_by_key(|(_, theirs)| *theirs);
    if let Some((node, sure)) = later {
        reigns.elsewhere = Some(Elsewhere {
            sure,
            node,
            at: at.to_string(),
        });
    }
    (reigns != *before).then_some(reigns)
}

/// The peers that are in the stream with the local Redis and have data of the term `own`.
fn sharing<'a>(
    view: &'a View,
    local: &'a Observation,
    own: &'a Term,
) -> impl Iterator<Item = SocketAddr> + 'a {
    let has_it = |seen: &Observation| seen.term.as_ref().is_some_and(|term| term.id == own.id);
    view.reachable()
        .filter(move |(address, peer)| {
            has_it(peer) && (linked(peer, view.local.address) || linked(local, *address))
        })
        .map(|(address, _)| address)
}

fn linked(replica: &Observation, master: SocketAddr) -> bool {
    let in_stream = replica
        .following()
        .is_some_and(|following| following.link_up && !following.syncing);
    in_stream && replica.follows(master)
}

/// A term that the data of the local Redis, which serves, lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// This very one: it was refused, or has been erased since.
    Again(Term, &'static str),
    /// A new one, of a sure reign.
    New(String),
}

/// Which term is due, while the local Redis serves and nobody else is master. With the reason.
pub(crate) fn due(view: &View) -> Option<Due> {
    let local = view.local.up().filter(|local| !local.loading)?;
    let serves = view.vip == Vip::Here && local.is_master() && view.served_this_run(local);
    if !serves || view.serving_peer().is_some() {
        return None;
    }
    let pending = view.pending_term(local);
    if let Some(term) = pending.filter(|_| holds(Rule::RefusedTermIsTriedAgain)) {
        return Some(Due::Again(
            term,
            "it was refused, or not seen in the data yet",
        ));
    }
    let reigns = &view.memory.reigns;
    let Some(own) = &local.term else {
        // Not where there never was one: then it can't be read, or not be written, here.
        let erased = reigns
            .own
            .clone()
            .filter(|_| holds(Rule::ErasedTermIsPutBack))?;
        return Some(Due::Again(erased, "it has been erased"));
    };
    // A new number must not lift old data above newer.
    let elsewhere = reigns.elsewhere.as_ref().map_or(0, |seen| seen.sure);
    let is_behind = elsewhere > own.sure || better(view, local).is_some();
    if is_behind && holds(Rule::OldDataBeginsNoReign) {
        return None;
    }
    let joined = view.reachable().find(|(_, peer)| {
        linked(peer, view.local.address) && in_sync(peer, local, u64::MAX).is_ok()
    });
    if let Some((node, _)) = joined.filter(|_| own.unsure > 0) {
        return Some(Due::New(format!(
            "{node} has joined a reign that was begun alone"
        )));
    }
    let shared = reigns
        .shared
        .as_ref()
        .filter(|shared| shared.id == own.id)?;
    let left = shared.nodes.iter().find(|node| !is_linked(view, **node))?;
    let written = shared
        .left_at
        .as_ref()
        .is_some_and(|at| has_written(local, at))
        || !holds(Rule::OnlyWritesBeginAReign);
    (written && own.unsure == 0 && holds(Rule::GoingOnBeginsAReign)).then(|| {
        Due::New(format!(
            "going on without {left}, which had shared the data"
        ))
    })
}

fn is_linked(view: &View, node: SocketAddr) -> bool {
    let seen = view.seen(node).and_then(Result::ok);
    seen.is_some_and(|seen| linked(seen, view.local.address))
}

fn place(seen: &Observation) -> Place {
    Place {
        replid: seen.replication.lineage.replid.clone(),
        offset: seen.replication.lineage.offset,
    }
}

/// Have clients written since `at`? What moves an offset by itself are the PINGs to replicas that
/// are not given up yet.
fn has_written(local: &Observation, at: &Place) -> bool {
    let lineage = &local.replication.lineage;
    let bytes = lineage.offset.saturating_sub(at.offset);
    let pings = bytes % PING == 0 && bytes / PING <= PINGS;
    lineage.replid != at.replid || !pings
}
