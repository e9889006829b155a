//! The verdicts of the checks. Pure.

use super::{Standing, View, Vip, in_sync, loses_to};

/// May this node take the VIP?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eligibility {
    /// Yes, as far as the data goes.
    pub eligible: bool,
    /// Why.
    pub standing: Standing,
    /// The same for a person.
    pub why: String,
}

/// May this node take the VIP, or is its data behind? Not eligible lowers the priority and no more: a node that is
/// behind is still taken when nothing better lives.
pub fn eligibility(view: &View) -> Eligibility {
    let (eligible, standing, why) = judge(view);
    Eligibility { eligible, standing, why }
}

fn judge(view: &View) -> (bool, Standing, String) {
    let local = match &view.local.seen {
        Ok(local) if local.loading => return (false, Standing::Unknown, "the local Redis is loading its data".into()),
        Ok(local) => local,
        Err(failure) => return (false, Standing::Unknown, format!("the local Redis: {failure}")),
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
            None if local.is_master() => (true, Standing::Serving, format!("master, and {address} has no more")),
            None => (false, Standing::Behind, format!("a replica, but not of {address}, which is master")),
        };
    }
    if let Some((_, why)) = view.better(local) {
        return (false, Standing::Behind, why);
    }
    if local.is_master() && view.served_this_run(local) {
        return (true, Standing::Serving, "master".into());
    }
    if view.reachable().next().is_some() {
        return (true, Standing::InSync, "no other node has newer data".into());
    }
    if view.synced_this_run(local) {
        return (true, Standing::InSync, "in sync when the master went away".into());
    }
    let why = view.undecided(local, std::time::Duration::ZERO).unwrap_or_else(|| view.waits_alone());
    (view.is_alone(), Standing::Unknown, why)
}

/// Is the local Redis in a role that going through FAULT repairs? The sentence says what is wrong.
///
/// Only where another node serves, or where this node's own program is missing: a check that fails on both nodes
/// leaves the VIP nowhere. `at_work` is whether a program for the newest notification is still at it.
pub fn wrong_role(view: &View, at_work: bool) -> Option<String> {
    let local = view.local.up()?;
    if at_work {
        return None;
    }
    if view.vip == Vip::Here {
        let following = local.following()?;
        return Some(format!(
            "this node holds the VIP, its Redis is a replica of {}:{}, and no redis_master is at work",
            following.host, following.port
        ));
    }
    let (address, _) = view.serving_peer().filter(|(address, _)| view.vip == Vip::At(*address))?;
    match local.following() {
        None => Some(format!("the local Redis is a lone master and {address} serves")),
        Some(_) if view.peers.iter().any(|peer| local.follows(peer.address)) => None,
        Some(following) => Some(format!(
            "the local Redis follows {}:{}, which is no other node, and {address} serves",
            following.host, following.port
        )),
    }
}
