//! Moving the master role without losing a write; it looks again before it says that this was done.
//!
//! The order of a handover is that of R12: stop the writes on the giver, let the taker reach its
//! offset, demote the giver, promote the taker. A death in between leaves two replicas, which the
//! next program repairs; the other order would leave two masters.

use std::net::SocketAddr;
use std::time::Duration;

use super::party::{Party, no_one};
use super::trouble::{Trouble, failed};
use crate::deadline::{Deadline, Stopwatch};
use crate::node::turn::Ended;
use crate::server::failure::Failure;
use crate::server::fence::Fence;
use crate::server::info::{Replication, Role};

/// How long the giver's writes may stay stopped while the taker catches up; after it they go on,
/// and the handover is tried again.
const CATCH_UP: Duration = Duration::from_millis(500);
/// For one answer during a handover.
const LONGEST_ANSWER: Duration = Duration::from_secs(1);
/// What is on its way to a replica on a living link arrives within this.
const IN_FLIGHT: Duration = Duration::from_millis(20);
/// Looks at an offset that is about to be reached are this far apart: less than the 1.3 ms that the
/// whole takes.
const TICK: Duration = Duration::from_micros(200);

#[derive(Clone, Debug)]
pub(crate) struct Moved {
    /// From the stop of the writes to the new master.
    pub took: Duration,
    /// The offset at which the role changed hands.
    pub offset: i64,
    /// The history that the new master makes.
    pub replid: String,
    /// Letting the giver's clients go on failed; they do when the pause ends.
    pub unreleased: Option<Failure>,
}

/// Moves the role from `giver`, a master, to `taker`, its replica. `go_on` is asked before the step
/// from which there is no way back; `command` is the time for one answer.
///
/// # Errors
/// [`Trouble`]; the giver's writes go on again, and it is still master unless the sentence says
/// otherwise.
pub(crate) fn swap(
    giver: &mut Party<'_>,
    taker: &mut Party<'_>,
    command: Duration,
    go_on: &dyn Fn() -> Result<(), Ended>,
) -> Result<Moved, Trouble> {
    let clock = Stopwatch::start();
    // Outage all the way: an answer that takes longer is a failure here.
    let command = command.min(LONGEST_ANSWER);
    let (fence, held) = Fence::raise(giver.server, giver.version, CATCH_UP + 3 * command, command)
        .map_err(|failure| failed("stopping the writes on", giver.address, failure))?;
    let moved = swap_fenced(giver, taker, &fence, &held, command, go_on);
    let lowered = fence.lower(giver.server, command);
    let (offset, replid) = moved?;
    Ok(Moved {
        took: clock.elapsed(),
        offset,
        replid,
        unreleased: lowered.err(),
    })
}

/// `held` is what was seen of the giver when its writes had stopped.
fn swap_fenced(
    giver: &mut Party<'_>,
    taker: &mut Party<'_>,
    fence: &Fence,
    held: &Replication,
    command: Duration,
    go_on: &dyn Fn() -> Result<(), Ended>,
) -> Result<(i64, String), Trouble> {
    if held.role != Role::Master {
        return Err(failed(
            "taking the role from",
            giver.address,
            "it is no master any more",
        ));
    }
    reach(taker, giver.address, held.lineage.offset, CATCH_UP, command)?;
    go_on()?;
    if fence.left() < command {
        return Err(failed(
            "taking the role from",
            giver.address,
            "its writes may soon go on; starting over",
        ));
    }
    // A write that slipped in before the demotion (we were frozen, the pause ran out) shows in the
    // last offset. The giver may copy the taker's data from here on, so that is waited for no
    // longer than a packet needs.
    let moved = giver
        .follow(taker.address, command)
        .map(|lineage| lineage.offset)
        .and_then(|last| reach(taker, giver.address, last, IN_FLIGHT, command).map(|()| last))
        .and_then(|last| taker.follow_nobody(command).map(|replid| (last, replid)));
    if moved.is_err() {
        restore(giver, taker, command);
    }
    moved
}

/// Waits until the replica has applied everything up to `offset` of the master's stream.
fn reach(
    replica: &mut Party<'_>,
    master: SocketAddr,
    offset: i64,
    budget: Duration,
    command: Duration,
) -> Result<(), Trouble> {
    let limit = Deadline::after(budget);
    loop {
        let seen = replica.replication("waiting for the offset of", Deadline::after(command))?;
        match &seen.role {
            Role::Replica(following) if following.address() == Some(master) => {}
            _ => {
                return Err(failed(
                    "waiting for the offset of",
                    replica.address,
                    "it no longer follows the master",
                ));
            }
        }
        if seen.lineage.offset >= offset {
            return Ok(());
        }
        if !limit.pause(TICK) {
            let missing = offset.saturating_sub(seen.lineage.offset);
            let cause = format!(
                "{missing} bytes were still missing after {} ms",
                budget.as_millis()
            );
            return Err(failed("waiting for the offset of", replica.address, cause));
        }
    }
}

/// Undoes a demotion that led to nothing: only the giver is sure to have all the data. Not where
/// the taker is seen as master, or not seen at all: another program may have promoted it.
fn restore(giver: &mut Party<'_>, taker: &mut Party<'_>, command: Duration) {
    let is_replica = |party: &mut Party<'_>| {
        matches!(
            party.replication("looking at", Deadline::after(command)),
            Ok(Replication {
                role: Role::Replica(_),
                ..
            })
        )
    };
    if is_replica(taker) && is_replica(giver) {
        let _ = giver.server.call(&no_one(), Deadline::after(command));
    }
}
