//! A Redis that lives and takes no writes: is there another node that does? Pure.

use std::fmt;
use std::net::SocketAddr;

use super::pair::{Eligibility, in_sync};
use super::view::View;
use crate::server::info::Observation;

/// Why a Redis refuses writes, or would if it were master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its disk: what it says of that.
    Disk(String),
    /// Its memory is full, and nothing may be evicted.
    Memory {
        used: u64,
        limit: u64,
        /// The other nodes that have room.
        room: Vec<SocketAddr>,
    },
}

impl Refusal {
    /// The peer at `address` would refuse them for the same reason.
    fn is_shared_by(&self, address: SocketAddr) -> bool {
        match self {
            Refusal::Disk(_) => false,
            Refusal::Memory { room, .. } => !room.contains(&address),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Disk(says) => write!(
                f,
                "refuses writes, as its disk does ({says}): make room there, and see its log"
            ),
            Refusal::Memory { used, limit, .. } => write!(
                f,
                "refuses writes: {used} bytes are used of maxmemory {limit}, and nothing may be \
                 evicted: raise maxmemory, or set maxmemory-policy"
            ),
        }
    }
}

/// As `found`, but not eligible where the local Redis refuses writes and a node with the same data
/// does not: then the VIP goes there. Where nobody else takes writes nothing moves, for that would
/// help nobody.
pub(crate) fn unless_it_refuses(
    found: Eligibility,
    view: &View,
    refusal: Option<&Refusal>,
) -> Eligibility {
    let (Some(refusal), Some(local)) = (refusal, view.local.up()) else {
        return found;
    };
    let (eligible, instead) = match able(view, local, refusal) {
        Some(address) => (
            false,
            format!("; {address} has the same data and takes them"),
        ),
        None => (found.eligible, String::new()),
    };
    Eligibility {
        eligible,
        why: format!("{}; ALARM: the local Redis {refusal}{instead}", found.why),
        ..found
    }
}

/// A node that has the data of `local` and takes writes.
pub(crate) fn able(view: &View, local: &Observation, refusal: &Refusal) -> Option<SocketAddr> {
    view.reachable()
        .filter(|(address, peer)| takes_writes(peer) && !refusal.is_shared_by(*address))
        .find(|(address, peer)| match peer.following() {
            None => local.follows(*address),
            Some(_) => {
                peer.follows(view.local.address) && in_sync(peer, local, view.max_lag).is_ok()
            }
        })
        .map(|(address, _)| address)
}

/// The peer that goes on for a local Redis which a script keeps busy and which therefore says
/// nothing: its replica, in the stream. What was acknowledged before the script is there.
pub(crate) fn goes_on_for(view: &View) -> Option<SocketAddr> {
    let in_the_stream = |peer: &Observation| {
        peer.follows(view.local.address)
            && peer
                .following()
                .is_some_and(|following| following.link_up && !following.syncing)
    };
    view.reachable()
        .find(|(_, peer)| in_the_stream(peer) && takes_writes(peer))
        .map(|(address, _)| address)
}

/// Nothing that it says of itself speaks against it.
pub(crate) fn takes_writes(seen: &Observation) -> bool {
    !seen.disk.aof_failed && !seen.disk.save_failed
}
