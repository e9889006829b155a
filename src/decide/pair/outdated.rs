//! What a node knows that it lacks: a node that has seen newer data elsewhere, or has begun to copy
//! it, does not serve by itself while that is away. Pure.

use std::net::SocketAddr;
use std::time::Duration;

use super::worth::{beside_each_other, in_sync, is_clearly_better};
use crate::decide::rule::{Rule, holds};
use crate::decide::view::{View, Vip};
use crate::node::memory::{Lacking, Outdated};

/// A link that is down for so long, beside a VRRP that has not been quiet: the master serves on.
/// Three adverts and the skew are 4 s at most, and a check may need some more to move the VIP.
pub(crate) const AGED: Duration = Duration::from_secs(10);

/// What becomes of the mark after a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// As it was.
    Same,
    /// This node has all again, or was made master beside whoever could be compared.
    Gone,
    Set(Outdated),
}

/// What a look says of the mark. `at` is the time, for people.
pub(crate) fn mark(view: &View, at: &str) -> Mark {
    let marked = view.memory.outdated.as_ref();
    let Some(local) = view.local.up().filter(|local| !local.loading) else {
        return Mark::Same;
    };
    let gone = match marked {
        Some(_) => Mark::Gone,
        None => Mark::Same,
    };
    let set = |node, why| match marked {
        // The first one stands, as long as it is of the same node.
        Some(marked) if marked.node == node => Mark::Same,
        _ => Mark::Set(Outdated {
            node,
            why,
            at: at.to_string(),
        }),
    };
    if local.is_master() && view.served_this_run(local) {
        return gone;
    }
    let copied = local.following().filter(|following| following.syncing);
    if let Some(master) = copied.and_then(|following| following.address())
        && view.seen(master).is_some()
    {
        return set(master, Lacking::Copy);
    }
    if let Some((master, theirs)) = view.serving_peer()
        && local.follows(master)
        && in_sync(local, theirs, u64::MAX).is_ok()
    {
        return gone;
    }
    let newer = view.reachable().find(|(address, peer)| {
        let (ours, other) = beside_each_other(view, local, *address, peer);
        is_clearly_better(other, ours)
    });
    match newer {
        Some((node, _)) => set(node, Lacking::Seen),
        None => Mark::Same,
    }
}

/// Is this node held back, because it knows that its data is old and whose is newer does not
/// answer? With the reason.
pub(crate) fn held_back(view: &View) -> Option<String> {
    let outdated = view.memory.outdated.as_ref()?;
    let answers = view.reachable().any(|(node, _)| node == outdated.node);
    let served = view
        .outdated_after
        .is_some_and(|after| view.alone_for >= after);
    if answers || served || !holds(Rule::OutdatedIsHeld) {
        return None;
    }
    Some(format!(
        "ALARM: the local data is outdated: {outdated}, and {} does not answer; it is not served: \
         bring that node back, or take what is here with keepalived-redis promote --outdated",
        outdated.node
    ))
}

/// The master that the local replica has no link to and hears nothing from, while the VIP is not
/// here.
pub(crate) fn cut_off_from(view: &View) -> Option<SocketAddr> {
    let local = view.local.up().filter(|local| !local.loading)?;
    let following = local.following()?;
    let master = following.address()?;
    let silent = view.seen(master)?.is_err();
    (silent && !following.link_up && !following.syncing && view.vip != Vip::Here).then_some(master)
}
