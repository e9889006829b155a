//! Nobody asks for data that it can't read: the steps, without those that would end in a full copy
//! from a newer server. Pure.

use std::net::SocketAddr;
use std::time::Duration;

use super::step::Step;
use super::{containment, steps};
use crate::decide::versions::{Reading, Software, goes_on, reads};
use crate::decide::view::View;
use crate::server::info::Observation;

/// The next step of `redis_master`: this node has been given the VIP. `waited` is for how long the
/// pair has been seen as it is now.
pub fn serve(view: &View, waited: Duration) -> Step {
    only_readable(view, steps::serve(view, waited))
}

/// The next step of `redis_backup` and `redis_fault`: this node does not hold the VIP. `waited` is
/// for how long the program has seen the pair as it is now; `grace` is how long it leaves a step to
/// the other node's program.
pub fn yield_role(view: &View, waited: Duration, grace: Duration) -> Step {
    only_readable(view, steps::yield_role(view, waited, grace))
}

/// As [`containment::stragglers`], and each goes on from where it is.
pub(crate) fn stragglers(view: &View, master: SocketAddr) -> Vec<SocketAddr> {
    let mut found = containment::stragglers(view, master);
    found.retain(|node| match (view.seen(*node), view.seen(master)) {
        (Some(Ok(seen)), Some(Ok(theirs))) => unreadable(*node, seen, master, theirs).is_none(),
        _ => false,
    });
    found
}

fn only_readable(view: &View, step: Step) -> Step {
    let (Step::Follow { peer, .. } | Step::Raise(peer, _)) = &step else {
        return told_why(view, step);
    };
    match (view.local.up(), view.seen(*peer)) {
        (Some(local), Some(Ok(theirs))) => {
            unreadable(view.local.address, local, *peer, theirs).map_or(step, Step::Wait)
        }
        _ => step,
    }
}

/// A replica that waits for a copy which it can't read waits for ever.
fn told_why(view: &View, step: Step) -> Step {
    let (Step::Wait(why), Some(local), Some((address, peer))) =
        (&step, view.local.up(), view.serving_peer())
    else {
        return step;
    };
    let alarm = local
        .following()
        .filter(|following| local.follows(address) && !following.link_up)
        .and_then(|_| unreadable(view.local.address, local, address, peer));
    alarm.map_or(step.clone(), |alarm| Step::Wait(format!("{why}; {alarm}")))
}

/// The node `address` can't read a copy of the data of `peer`, and would need one to follow it:
/// what a person has to do. Where nobody knows whether it can, it may try.
fn unreadable(
    address: SocketAddr,
    seen: &Observation,
    peer: SocketAddr,
    theirs: &Observation,
) -> Option<String> {
    let following = seen.following().filter(|_| seen.follows(peer));
    let in_the_stream = following.is_some_and(|following| following.link_up);
    if in_the_stream || reads(seen, theirs) != Reading::Cannot || goes_on(seen, theirs) {
        return None;
    }
    let (old, new) = (Software(seen), Software(theirs));
    Some(format!(
        "ALARM: {address} is {old} and can't read a copy of the data of {peer}, which is {new}: \
         it keeps its own data; upgrade {address} to {new} or newer, and it follows"
    ))
}
