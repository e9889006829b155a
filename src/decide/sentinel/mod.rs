//! Sentinel mode: what follows from the sentinels' words. Pure.

pub(crate) mod candidates;
pub(crate) mod poll;
#[cfg(test)]
pub(crate) mod tests;

use std::net::SocketAddr;
use std::time::Duration;

pub(crate) use self::candidates::{Candidate, choice, is_best, is_safe};
pub use self::poll::{Named, Poll, Word};
use super::view::{Node, View, Vip};
use crate::server::failure::Failure;
use crate::server::info::Observation;

/// Two looks are always further apart than this.
const SECOND_LOOK: Duration = Duration::from_millis(10);
/// How long to wait while the named node is no master, or the sentinels disagree: they usually
/// settle that within two seconds.
const NO_MASTER: Duration = Duration::from_secs(3);
/// How long a failover that the sentinels begin by themselves is waited for. After a failed one
/// they pause for twice `failover-timeout`, six minutes.
const PATIENCE: Duration = Duration::from_secs(10);
/// Of two nodes that have the VIP after a cut one hears of the other within an advert, of a second
/// or less.
const BACK: Duration = Duration::from_millis(1500);
/// For each node before this one that is not seen: what it may have begun is known to all by then.
const RIVAL: Duration = Duration::from_secs(3);

/// What is seen in Sentinel mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scene {
    pub view: View,
    /// All nodes, in order of preference.
    pub order: Vec<SocketAddr>,
    pub poll: Poll,
    /// Too few of them were reached earlier, or this machine stood still: it may have been given
    /// the VIP for that alone.
    pub was_cut_off: bool,
}

/// May this node hold the VIP, by Sentinel's word?
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Yes or no; `None` where only the last answer says it.
    pub eligible: Option<bool>,
    pub why: String,
}

/// The next move of `redis_master`. `why` is a sentence for the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// The local Redis is master, and Sentinel says so too.
    Done(String),
    /// Nothing can be done now; look again.
    Wait(String),
    /// The same, while the local Redis must not take writes: another one is master, and it would
    /// drop them.
    Hold(String),
    /// The master is dead: ask a sentinel to promote a replica now.
    Promote(SocketAddr, String),
    /// The master lives: stop its writes, let the replicas reach it, and ask a sentinel to move the
    /// role.
    HandOver(SocketAddr, String),
    Refuse(String),
}

/// May the node that has the Redis `local` hold the VIP?
pub(crate) fn eligible(address: SocketAddr, local: &Observation, poll: &Poll) -> Claim {
    let no = |why: String| Claim {
        eligible: Some(false),
        why,
    };
    if local.loading {
        return no("loading its data".to_string());
    }
    if let Some(following) = local.following() {
        return no(format!(
            "a replica of {}:{}; {poll}",
            following.host, following.port
        ));
    }
    match poll.named() {
        Named::Node(node) if node == address => Claim {
            eligible: Some(true),
            why: format!("master; {poll}"),
        },
        // It was restarted, or cut off, and Sentinel makes it a replica some seconds later (R22).
        Named::Node(_) => no(format!("master, but not by Sentinel's word: {poll}")),
        Named::Nobody | Named::Silent => Claim {
            eligible: None,
            why: format!("master; {poll}"),
        },
    }
}

/// The next move of `redis_master`: this node has been given the VIP. `waited` is for how long all
/// has been seen as it is now.
pub(crate) fn serve(scene: &Scene, waited: Duration) -> Move {
    let (view, poll) = (&scene.view, &scene.poll);
    let address = view.local.address;
    if let Vip::At(holder) = view.vip {
        return Move::Refuse(format!(
            "the VIP is at {holder}, and keepalived decides who holds it"
        ));
    }
    let local = match &view.local.seen {
        Ok(local) => local,
        Err(failure) => return Move::Wait(format!("the local Redis at {address}: {failure}")),
    };
    let master = match poll.named() {
        Named::Node(node) if node == address && local.is_master() => {
            return Move::Done(format!("master; {poll}"));
        }
        Named::Node(node) if node == address => {
            return Move::Wait(format!("the local Redis is about to become master: {poll}"));
        }
        Named::Node(node) => node,
        Named::Nobody => return Move::Wait(format!("Sentinel has not decided: {poll}")),
        Named::Silent => return Move::Wait(format!("too few sentinels answer: {poll}")),
    };
    if local.is_master() {
        let why =
            format!("master, but not by Sentinel's word, which makes it a replica soon: {poll}");
        let is_master =
            |node: &Node| node.address == master && node.up().is_some_and(Observation::is_master);
        return if view.peers.iter().any(is_master) {
            Move::Hold(why)
        } else {
            Move::Wait(why)
        };
    }
    if poll.is_failing_over() {
        return Move::Wait(format!("Sentinel is moving the role: {poll}"));
    }
    if poll.count(master) < poll.answered() && waited < NO_MASTER {
        return Move::Wait(format!("the sentinels do not agree yet: {poll}"));
    }
    if !poll.may_act() {
        return Move::Wait(format!("too few sentinels answer for a failover: {poll}"));
    }
    match view.peers.iter().find(|node| node.address == master) {
        None => Move::Wait(format!(
            "Sentinel names {master}, which is not one of nodes in the configuration"
        )),
        Some(node) => serve_instead(scene, local, node, waited),
    }
}

/// `master` is what Sentinel names.
fn serve_instead(scene: &Scene, local: &Observation, master: &Node, waited: Duration) -> Move {
    let (poll, address) = (&scene.poll, master.address);
    match &master.seen {
        Ok(seen) if seen.loading => Move::Wait(format!("{address} is loading its data")),
        Ok(seen) if seen.is_master() && scene.was_cut_off && waited < BACK => Move::Wait(format!(
            "{address} serves, and this node was away a moment ago: the VIP may be there as well"
        )),
        Ok(seen) if seen.is_master() && local.follows(address) => Move::HandOver(
            address,
            format!("the VIP is here, and the master is {address}"),
        ),
        Ok(seen) if seen.is_master() => {
            Move::Wait(format!("the local Redis does not follow {address} yet"))
        }
        Ok(_) if is_headless(&scene.view) && waited >= NO_MASTER => Move::Promote(
            address,
            format!("{address}, which Sentinel names, is a replica, and nobody is master"),
        ),
        Ok(_) => Move::Wait(format!("{address}, which Sentinel names, is a replica")),
        Err(Failure::Denied(denial)) => {
            Move::Wait(format!("{address} is alive, but it says {denial}"))
        }
        Err(failure @ Failure::Tls(_)) => Move::Wait(format!("{address} is alive, but {failure}")),
        Err(failure)
            if waited
                < RIVAL
                    .saturating_mul(u32::try_from(rivals(scene, address)).unwrap_or(u32::MAX)) =>
        {
            Move::Wait(format!(
                "{address}: {failure}; a node before this one does not answer, and may be taking \
                 over"
            ))
        }
        Err(failure) if poll.is_contested(address) && waited < PATIENCE => Move::Wait(format!(
            "{address}: {failure}; the sentinels are about to replace it by themselves"
        )),
        // Nobody listens there: no proof is needed from anybody else.
        Err(failure @ Failure::Refused) => Move::Promote(address, failure.to_string()),
        Err(failure) if waited < SECOND_LOOK => {
            Move::Wait(format!("{address}: {failure}; looking again"))
        }
        // It may be this node that is cut off from it.
        Err(failure) if poll.is_unheard(address) => Move::Promote(
            address,
            format!("{failure}, and no sentinel has heard it of late"),
        ),
        Err(failure) => Move::Wait(format!(
            "{address}: {failure} from here, but sentinels hear it"
        )),
    }
}

/// Nodes that come before this one and that it does not see, but for the master: they may hold the
/// VIP as well, and have asked a sentinel of their own, who does not tell the others for a second
/// (R32, R35).
fn rivals(scene: &Scene, master: SocketAddr) -> usize {
    let before = scene
        .order
        .iter()
        .take_while(|node| **node != scene.view.local.address);
    let unseen = |node: &&SocketAddr| {
        let found = scene.view.peers.iter().find(|peer| peer.address == **node);
        !found.is_some_and(|peer| {
            matches!(
                peer.seen,
                Ok(_) | Err(Failure::Denied(_) | Failure::Refused)
            )
        })
    };
    before
        .filter(|node| **node != master)
        .filter(unseen)
        .count()
}

fn is_headless(view: &View) -> bool {
    !view
        .nodes()
        .filter_map(Node::up)
        .any(Observation::is_master)
}
