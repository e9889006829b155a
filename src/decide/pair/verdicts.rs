//! The verdicts of the checks. Pure.

use super::outdated::held_back;
use super::steps::clearly_better;
use super::worth::{better, in_sync, loses_to};
use crate::decide::rule::{Rule, holds};
use crate::decide::view::{View, Vip};

/// May this node take the VIP?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eligibility {
    /// Yes, as far as the data goes.
    pub eligible: bool,
    pub standing: Standing,
    /// The same for a person.
    pub why: String,
}

/// May this node take the VIP, or is its data behind? Not eligible lowers the priority and no more:
/// a node that is behind is still taken when nothing better lives.
pub fn eligibility(view: &View) -> Eligibility {
    let (eligible, standing, why) = judge(view);
    let eligible = eligible || standing == Standing::Behind && !holds(Rule::BehindIsNotEligible);
    match (view.flapping, well_peer(view)) {
        (Some(left), Some(peer)) if eligible && holds(Rule::FlappingIsNotEligible) => {
            let why =
                format!("{why}; but the local Redis died again and again, and {peer} is well");
            Eligibility {
                eligible: false,
                standing,
                why: format!("{why}; so for {} s more", left.as_secs()),
            }
        }
        _ => match &view.drained {
            Some(drained) => Eligibility {
                eligible: false,
                standing,
                why: format!("{why}; but {drained}"),
            },
            None => Eligibility {
                eligible,
                standing,
                why,
            },
        },
    }
}

/// A peer that could serve in our place.
pub(crate) fn well_peer(view: &View) -> Option<std::net::SocketAddr> {
    let local = view.local.up()?;
    let well =
        |(address, peer): &(std::net::SocketAddr, &crate::server::info::Observation)| match peer
            .following()
        {
            None => loses_to(view, local, *address, peer).is_some() || local.follows(*address),
            Some(_) => {
                peer.follows(view.local.address) && in_sync(peer, local, view.max_lag).is_ok()
            }
        };
    view.reachable().find(well).map(|(address, _)| address)
}

fn judge(view: &View) -> (bool, Standing, String) {
    let local = match &view.local.seen {
        Ok(local) if local.loading => {
            return (
                false,
                Standing::Unknown,
                "the local Redis is loading its data".into(),
            );
        }
        Ok(local) => local,
        Err(failure) => {
            return (
                false,
                Standing::Unknown,
                format!("the local Redis: {failure}"),
            );
        }
    };
    if let Some((address, peer)) = view.serving_peer() {
        if local.follows(address) {
            return match in_sync(local, peer, view.max_lag) {
                Ok(()) => (true, Standing::InSync, format!("in sync with {address}")),
                Err(missing) => (false, Standing::Behind, missing),
            };
        }
        return match loses_to(view, local, address, peer) {
            Some(why) => (false, Standing::Behind, why),
            None if local.is_master() => (
                true,
                Standing::Serving,
                format!("master, and {address} has no more"),
            ),
            None if clearly_better(view, local, address, peer)
                && holds(Rule::BetterReplicaIsPromoted) =>
            {
                (
                    true,
                    Standing::InSync,
                    format!("{address} is master and has less"),
                )
            }
            None => (
                false,
                Standing::Behind,
                format!("a replica, but not of {address}, which is master"),
            ),
        };
    }
    if let Some((_, why)) = better(view, local) {
        return (false, Standing::Behind, why);
    }
    if local.is_master() && view.served_this_run(local) {
        return (true, Standing::Serving, "master".into());
    }
    if view.is_complete() {
        return (
            true,
            Standing::InSync,
            "no other node has newer data".into(),
        );
    }
    if let Some(why) = held_back(view) {
        return (false, Standing::Behind, why);
    }
    if view.synced_this_run(local) && holds(Rule::MemoryCounts) {
        return (
            true,
            Standing::InSync,
            "in sync when the master went away".into(),
        );
    }
    let why = view
        .undecided(local, std::time::Duration::ZERO)
        .unwrap_or_else(|| view.waits_alone());
    (view.is_alone(), Standing::Unknown, why)
}

/// Is the local Redis in a role that going through FAULT repairs? The sentence says what is wrong.
///
/// Only where another node serves, or where this node's own program is missing: a check that fails
/// on both nodes leaves the VIP nowhere. `at_work` is whether a program for the newest notification
/// is still at it.
pub fn wrong_role(view: &View, at_work: bool) -> Option<String> {
    let local = view.local.up()?;
    if at_work {
        return None;
    }
    if view.vip == Vip::Here {
        let following = local
            .following()
            .filter(|_| holds(Rule::HolderMustBeMaster))?;
        return Some(format!(
            "this node holds the VIP, its Redis is a replica of {}:{}, and no redis_master is at \
             work",
            following.host, following.port
        ));
    }
    let (address, _) = view
        .serving_peer()
        .filter(|(address, _)| view.vip == Vip::At(*address))?;
    match local.following() {
        None => holds(Rule::LoneMasterIsWrong)
            .then(|| format!("the local Redis is a lone master and {address} serves")),
        Some(_) if local.follows(address) => None,
        Some(following) => holds(Rule::ReplicaOfAnotherIsWrong).then(|| {
            format!(
                "the local Redis follows {}:{} and {address} serves",
                following.host, following.port
            )
        }),
    }
}

/// What this node's data is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Master, by our own doing and this run of Redis, and no peer was promoted after it.
    Serving,
    /// Has all that the serving peer has, or had when the peer went away.
    InSync,
    Behind,
    /// Nobody is there to compare with, and nothing is remembered of this run.
    Unknown,
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Standing::Serving => "serving",
            Standing::InSync => "in sync",
            Standing::Behind => "behind",
            Standing::Unknown => "unknown",
        })
    }
}
