//! The next step of each notify program. Pure.

use std::net::SocketAddr;
use std::time::Duration;

use super::containment::containment;
use super::outdated::held_back;
use super::step::{Reign, Step};
use super::worth::{beside_each_other, better, in_sync, is_clearly_better, loses_to};
use crate::decide::lineage::compare;
use crate::decide::rule::{Rule, holds};
use crate::decide::view::{View, Vip};
use crate::server::info::{Following, Observation};

/// A VIP that has been at one node for this long is there to stay: VRRP settles within an advert,
/// one second at most.
const SETTLED: Duration = Duration::from_secs(1);

/// A master whose data is the better one waits so many times the grace for the holder of the VIP to
/// follow it.
const BETTER: u32 = 12;

/// The next step of `redis_master`: this node has been given the VIP. `waited` is for how long the
/// pair has been seen as it is now.
pub fn serve(view: &View, waited: Duration) -> Step {
    if let Vip::At(holder) = view.vip
        && holds(Rule::VipDecides)
    {
        return Step::Refuse(format!(
            "the VIP is at {holder}, and keepalived decides who holds it"
        ));
    }
    let local = match &view.local.seen {
        Ok(local) if local.loading => {
            return Step::Wait("the local Redis is loading its data".to_string());
        }
        Ok(local) => local,
        Err(failure) => {
            return Step::Wait(format!(
                "the local Redis at {}: {failure}",
                view.local.address
            ));
        }
    };
    match local.following() {
        None => serve_as_master(view, local, waited),
        Some(following) => serve_from_replica(view, local, following, waited),
    }
}

fn serve_as_master(view: &View, local: &Observation, waited: Duration) -> Step {
    if let Some((address, peer)) = view.serving_peer() {
        return match loses_to(view, local, address, peer) {
            Some(why) => follow(local, address, peer, why),
            None => Step::Done(format!(
                "master already; {address} is one too and has to follow"
            )),
        };
    }
    if view.served_this_run(local) {
        return Step::Done("master already".to_string());
    }
    // A Redis that has restarted as master by itself, or that a person made master.
    // Before another is raised, too: the one that is waited for may be better still.
    if let Some(why) = view.undecided(local, waited) {
        return Step::Hold(why);
    }
    if let Some(why) = held_back(view) {
        return Step::Hold(why);
    }
    let complete = view.is_complete();
    if (complete || view.is_alone())
        && let Some((address, why)) = better(view, local).filter(|_| holds(Rule::BetterIsRaised))
    {
        return park_for(view, address).unwrap_or(Step::Raise(address, why));
    }
    if complete {
        Step::Done("master already".to_string())
    } else if view.is_alone() {
        Step::Promote(
            Reign::Unsure,
            "master already, and whoever does not answer has not for long enough".to_string(),
        )
    } else if holds(Rule::UnknownTakesNoWrites) {
        Step::Hold(view.waits_alone())
    } else {
        Step::Wait(view.waits_alone())
    }
}

fn serve_from_replica(
    view: &View,
    local: &Observation,
    following: &Following,
    waited: Duration,
) -> Step {
    if let Some((address, peer)) = view.serving_peer() {
        if local.follows(address) {
            return match in_sync(local, peer, view.max_lag) {
                Ok(()) => Step::TakeOver(address, format!("in sync with {address}")),
                Err(missing) if !holds(Rule::SyncedBeforeTakingOver) => {
                    Step::Promote(Reign::Sure, missing)
                }
                Err(missing) => Step::Wait(missing),
            };
        }
        let now = format!(
            "it follows {}:{} and the master is {address}",
            following.host, following.port
        );
        if clearly_better(view, local, address, peer) && holds(Rule::BetterReplicaIsPromoted) {
            return park_for(view, view.local.address).unwrap_or_else(|| {
                Step::Promote(
                    Reign::Sure,
                    format!("{address} is master but has less, and has to follow"),
                )
            });
        }
        return follow(local, address, peer, now);
    }
    if let Some(why) = view.undecided(local, waited) {
        return Step::Wait(why);
    }
    if let Some(why) = held_back(view) {
        return Step::Wait(why);
    }
    if !view.can_compare(local) {
        return Step::Wait(view.waits_alone());
    }
    if let Some((address, why)) = better(view, local).filter(|_| holds(Rule::BetterIsRaised)) {
        return park_for(view, address).unwrap_or(Step::Raise(address, why));
    }
    if let Some(park) = park_for(view, view.local.address) {
        return park;
    }
    if view.is_complete() {
        return Step::Promote(
            Reign::Sure,
            "no node is master, and none has newer data".to_string(),
        );
    }
    if view.synced_this_run(local) && holds(Rule::MemoryCounts) {
        return Step::Promote(Reign::Sure, "in sync when the master went away".to_string());
    }
    Step::Promote(Reign::Unsure, view.waits_alone())
}

/// The next step of `redis_backup` and `redis_fault`: this node does not hold the VIP. `waited` is
/// for how long the program has seen the pair as it is now; `grace` is how long it leaves a step to
/// the other node's program.
pub fn yield_role(view: &View, waited: Duration, grace: Duration) -> Step {
    let local = match &view.local.seen {
        Ok(local) if local.loading => {
            return Step::Wait("the local Redis is loading its data".to_string());
        }
        Ok(local) => local,
        Err(failure) => {
            return Step::Wait(format!(
                "the local Redis at {}: {failure}",
                view.local.address
            ));
        }
    };
    let Some((address, peer)) = view.serving_peer() else {
        return without_a_serving_peer(view, local, waited, grace);
    };
    let serves = view.vip == Vip::At(address);
    if local.follows(address) {
        return match in_sync(local, peer, view.max_lag) {
            Ok(()) => Step::Done(format!("replica of {address}, in sync")),
            Err(missing) => {
                let link_up = local
                    .following()
                    .is_some_and(|following| following.link_up || following.syncing);
                let hint = if !link_up && waited >= 3 * grace {
                    " (is masterauth right on this node?)"
                } else {
                    ""
                };
                Step::Wait(format!("replica of {address}: {missing}{hint}"))
            }
        };
    }
    if let Some(following) = local.following() {
        let now = format!(
            "it follows {}:{} and the master is {address}",
            following.host, following.port
        );
        if !holds(Rule::ReplicaFollowsTheServing) {
            return Step::Wait(now);
        }
        if peer.keys == 0 && peer.term.is_none() && local.keys > 0 && waited < grace {
            return Step::Wait(format!("{now}, which is empty"));
        }
        if clearly_better(view, local, address, peer)
            && waited < BETTER * grace
            && holds(Rule::BetterWaitsLonger)
        {
            return Step::Wait(format!(
                "{now}, which has less; waiting for the VIP to come here"
            ));
        }
        return follow(local, address, peer, now);
    }
    // Two masters. The holder of the VIP decides who stands; its program has the grace to follow
    // us.
    if !serves && holds(Rule::HolderDecidesBetweenMasters) {
        return Step::Wait(format!(
            "{address} is master too; waiting for one of us to hold the VIP"
        ));
    }
    // Two nodes that start together may both be MASTER for a moment, and then it is the other one
    // that stays.
    if waited < SETTLED && holds(Rule::SettledBeforeFollowing) {
        return Step::Wait(format!("{address} serves since a moment ago"));
    }
    let relation = compare(&local.replication.lineage, &peer.replication.lineage);
    // It may be keeping a large file of its own data before it follows us: somebody takes a copy
    // there.
    let keeping = peer.replication.replicas > 0 && clearly_better(view, local, address, peer);
    let better = keeping && holds(Rule::BetterWaitsLonger);
    let patience = if better { BETTER * grace } else { grace };
    if relation.may_follow()
        || local.keys == 0 && local.term.is_none()
        || waited >= patience
        || !holds(Rule::GraceBeforeDropping)
    {
        return follow(local, address, peer, format!("{address} serves"));
    }
    Step::Wait(format!(
        "{address} serves; leaving it the time to see our data"
    ))
}

fn without_a_serving_peer(
    view: &View,
    local: &Observation,
    waited: Duration,
    grace: Duration,
) -> Step {
    if !local.is_master() {
        return Step::Wait("no node is master; the one that gets the VIP will be".to_string());
    }
    let Vip::At(holder) = view.vip else {
        return Step::Wait("no other node serves; keeping the data as it is".to_string());
    };
    match view.reachable().find(|(address, _)| *address == holder) {
        Some((_, peer))
            if peer.follows(view.local.address) && in_sync(peer, local, view.max_lag).is_ok() =>
        {
            if waited >= grace && holds(Rule::RoleIsGivenUp) {
                Step::GiveUp(
                    holder,
                    format!("{holder} holds the VIP and its redis_master does not take the role"),
                )
            } else {
                Step::Wait(format!("{holder} holds the VIP and takes the role"))
            }
        }
        _ => Step::Wait(format!(
            "{holder} holds the VIP and is not ready for the role"
        )),
    }
}

/// See [`is_clearly_better`], of what `view` saw.
pub(super) fn clearly_better(
    view: &View,
    local: &Observation,
    address: SocketAddr,
    peer: &Observation,
) -> bool {
    let (ours, other) = beside_each_other(view, local, address, peer);
    is_clearly_better(ours, other)
}

fn follow(local: &Observation, address: SocketAddr, peer: &Observation, why: String) -> Step {
    let (contained, diverged) = containment(local, peer);
    Step::Follow {
        peer: address,
        contained,
        diverged,
        why,
    }
}

/// Before `next` becomes master: a node that follows it and has data of its own.
fn park_for(view: &View, next: SocketAddr) -> Option<Step> {
    let winner = view.seen(next)?.ok()?;
    let nodes = view.nodes().filter(|node| node.address != next);
    let node = nodes
        .filter_map(|node| Some((node.address, node.up()?)))
        .find(|(_, seen)| {
            seen.follows(next) && !containment(seen, winner).0 && holds(Rule::ParkedBeforePromoting)
        });
    node.map(|(address, _)| {
        Step::Park(
            address,
            format!("it follows {next}, and would drop data of its own when that becomes master"),
        )
    })
}
