//! The checks in Sentinel mode.

use std::net::SocketAddr;
use std::time::Duration;

use super::eligible_by_sentinel::{Entitlement, entitlement};
use super::verdict::{Verdict, silent};
use crate::config::{Config, Sentinel, SilentSentinels};
use crate::deadline::Deadline;
use crate::decide::ability;
use crate::decide::sentinel::Named;
use crate::look::sentinels::Sentinels;
use crate::look::survey::Survey;
use crate::node::memory::{StateFile, Store};
use crate::server::failure::Failure;
use crate::server::info::Observation;
use crate::server::probe::probe;

/// A node that was just promoted is master for a second or two before enough sentinels name it
/// (R35).
const DEPOSED: Duration = Duration::from_secs(4);

/// A master that dies is missed here at once, and by the sentinels up to two seconds later: that is
/// no cut, and they replace it.
const CUT_OFF: Duration = Duration::from_secs(4);

/// The VIP is not given up for one question that the sentinels did not answer.
const SENTINELS_SILENT: Duration = Duration::from_secs(3);

/// Roles are for Sentinel to mend. But where a node hears no other keepalived, a lower priority
/// moves nothing, and only FAULT gives the VIP up. So it fails
///
/// 1. where the local Redis is a master beside the one that Sentinel names, the VIP here or not:
///    what it takes is dropped soon, and `redis_fault` keeps it. At once where it came up as a
///    master (R22); one that was a replica before has been promoted, and is named in a moment;
/// 2. at a holder of the VIP that does not see the master, which sentinels do: it can neither serve
///    nor take the role, and draws clients away from the master. It fails for as long as that is
///    so, the VIP here or not, for it would come back;
/// 3. with `when_sentinels_silent = "release"` while they are silent;
/// 4. at a master whose disk refuses its writes, where an in-sync replica takes them: whoever gets
///    the VIP has Sentinel move the role there.
pub(crate) fn wrong(
    config: &Config,
    sentinel: &Sentinel,
    local: SocketAddr,
    seen: &Observation,
    holds_vip: bool,
    deadline: Deadline,
) -> Option<String> {
    let store = Store::new(&config.memory_dir);
    let release = sentinel.when_silent == SilentSentinels::Release;
    let followed = store
        .note(StateFile::FollowedRun)
        .is_some_and(|run| run == seen.run_id);
    if !seen.is_master() && !followed {
        // Where it can't be written down, a promoted node may be in FAULT for a second or two.
        let _ = store.set_note(StateFile::FollowedRun, &seen.run_id);
    }
    if !seen.is_master() && !holds_vip && !release && store.note(StateFile::CutOff).is_none() {
        return None;
    }
    if let Some(wrong) = refuses(config, local, seen, deadline) {
        return Some(wrong);
    }
    let poll = Sentinels::new(sentinel, &config.timing).ask(deadline.at_most(deadline.left() / 2));
    let another = match poll.named() {
        Named::Node(named) if named != local => Some(named),
        _ => None,
    };
    let deposed = seen.is_master() && another.is_some();
    let patience = if followed { DEPOSED } else { Duration::ZERO };
    if store.spell(StateFile::Deposed, deposed) >= patience && deposed {
        return Some(format!(
            "{local}: alive, and a master that Sentinel has deposed: {poll}"
        ));
    }
    let unseen = another.filter(|named| {
        !seen.is_master() && !poll.is_unheard(*named) && is_unseen(config, *named, deadline)
    });
    if store.spell(StateFile::CutOff, unseen.is_some()) >= CUT_OFF
        && let Some(named) = unseen
    {
        return Some(format!(
            "{local}: alive, and cut off from {named}, the master: {poll}"
        ));
    }
    let silent = store.spell(
        StateFile::SentinelsSilent,
        poll.answered() < sentinel.quorum,
    );
    (release && silent >= SENTINELS_SILENT).then(|| {
        format!("ALARM: too few sentinels answer: {poll}; when_sentinels_silent is \"release\"")
    })
}

/// The everyday answers cost no look at the others.
fn refuses(
    config: &Config,
    local: SocketAddr,
    seen: &Observation,
    deadline: Deadline,
) -> Option<String> {
    if !seen.is_master() || ability::takes_writes(seen) {
        return None;
    }
    let mut survey = Survey::new(config, local);
    let view = survey.look(false, deadline.at_most(deadline.left() / 2));
    let refusal = survey.refusal(local, seen, deadline)?;
    let able = ability::able(&view, view.local.seen.as_ref().ok()?, &refusal)?;
    Some(format!(
        "{local}: alive; ALARM: it {refusal}; {able} has the same data and takes them"
    ))
}

/// Its host does not answer, or its Redis does not.
fn is_unseen(config: &Config, node: SocketAddr, deadline: Deadline) -> bool {
    let found = probe(
        &node.into(),
        &config.auth,
        deadline.at_most(config.timing.connect),
    );
    matches!(
        found.liveness.0,
        Err(Failure::NoConnection | Failure::TimedOut | Failure::Network(_))
    )
}

/// Is the local Redis the master that the sentinels name? `was` is what the last run said.
pub(crate) fn eligible(
    config: &Config,
    sentinel: &Sentinel,
    local: SocketAddr,
    was: bool,
    deadline: Deadline,
) -> Verdict {
    let mut survey = Survey::new(config, local);
    let mut sentinels = Sentinels::new(sentinel, &config.timing);
    let (seen, poll) = std::thread::scope(|scope| {
        let poll = scope.spawn(|| sentinels.ask(deadline));
        let seen = survey.look_local(deadline);
        (seen, poll.join())
    });
    let poll = poll.unwrap_or_else(|_| sentinels.silence());
    let store = Store::new(&config.memory_dir);
    // Another node can go on only when Sentinel has made it master.
    let stays = was && survey.holds_vip();
    if let Some(verdict) = silent(config, &store, &seen, stays, None) {
        return verdict;
    }
    match seen {
        Ok(seen) => {
            let Entitlement { eligible, why, .. } =
                entitlement(sentinel, &store, local, &seen, &poll);
            if eligible {
                Verdict::yes(why)
            } else {
                Verdict::no(why)
            }
        }
        Err(failure) => Verdict::no(format!("the local Redis: {failure}; {poll}")),
    }
}
