//! Moving the master role without losing a write, promotion, and becoming a replica. Each looks
//! again before it says that something was done.
//!
//! The order of a handover is that of R12: stop the writes on the giver, let the taker reach its
//! offset, demote the giver, promote the taker. A death in between leaves two replicas, which the
//! next program repairs; the other order would leave two masters.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use redis::{Cmd, Value, cmd};

use crate::deadline::{Deadline, Stopwatch};
use crate::node::turn::Ended;
use crate::server::Server;
use crate::server::failure::Failure;
use crate::server::fence::Fence;
use crate::server::info::{Lineage, Replication, Role, Version};

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
/// How long data that has already arrived may take to be applied before a promotion.
const DRAIN: Duration = Duration::from_millis(200);
/// An offset that has not moved for this long rests.
const REST: Duration = Duration::from_millis(5);

/// Why a step did not come about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A Redis did not do it: what was being done, to whom, and why not.
    Failed {
        doing: String,
        node: String,
        cause: String,
    },
    Ended(Ended),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Failed { doing, node, cause } => write!(f, "{doing} {node}: {cause}"),
            Trouble::Ended(ended) => write!(f, "{ended}"),
        }
    }
}

impl std::error::Error for Trouble {}

impl From<Ended> for Trouble {
    fn from(ended: Ended) -> Self {
        Trouble::Ended(ended)
    }
}

pub(crate) fn failed(doing: &str, node: impl fmt::Display, cause: impl fmt::Display) -> Trouble {
    Trouble::Failed {
        doing: doing.to_string(),
        node: node.to_string(),
        cause: cause.to_string(),
    }
}

/// One side of a handover.
pub(crate) struct Side<'a> {
    pub server: &'a mut Server,
    /// The address that the other side is told to follow.
    pub address: SocketAddr,
    pub version: Version,
}

impl Side<'_> {
    fn replication(&mut self, doing: &str, deadline: Deadline) -> Result<Replication, Trouble> {
        self.server
            .replication(deadline)
            .map_err(|failure| failed(doing, self.address, failure))
    }
}

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
    giver: &mut Side<'_>,
    taker: &mut Side<'_>,
    command: Duration,
    go_on: &dyn Fn() -> Result<(), Ended>,
) -> Result<Moved, Trouble> {
    let clock = Stopwatch::start();
    // Outage all the way: an answer that takes longer is a failure here.
    let command = command.min(LONGEST_ANSWER);
    let (fence, held) = Fence::raise(giver.server, giver.version, CATCH_UP + 3 * command, command)
        .map_err(|failure| failed("stopping the writes on", giver.address, failure))?;
    let moved = swap_fenced(giver, taker, (&fence, &held), command, go_on);
    let lowered = fence.lower(giver.server, command);
    let (offset, replid) = moved?;
    Ok(Moved {
        took: clock.elapsed(),
        offset,
        replid,
        unreleased: lowered.err(),
    })
}

fn swap_fenced(
    giver: &mut Side<'_>,
    taker: &mut Side<'_>,
    (fence, held): (&Fence, &Replication),
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
    let moved = follow(giver, taker.address, command)
        .and_then(|last| reach(taker, giver.address, last, IN_FLIGHT, command).map(|()| last))
        .and_then(|last| promote_once(taker, command).map(|replid| (last, replid)));
    if moved.is_err() {
        restore(giver, taker, command);
    }
    moved
}

/// Waits until the replica has applied everything up to `offset` of the master's stream.
fn reach(
    replica: &mut Side<'_>,
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

/// Makes `side` a replica of `master`, and reads in the same round trip that it is, and how long
/// its history was then: of a master that is the offset with which its time as one ended.
///
/// # Errors
/// [`Trouble`].
pub(crate) fn follow(
    side: &mut Side<'_>,
    master: SocketAddr,
    command: Duration,
) -> Result<i64, Trouble> {
    follow_and_look(side, master, command).map(|lineage| lineage.offset)
}

/// The same, and what its history was then.
///
/// # Errors
/// [`Trouble`].
pub(crate) fn follow_and_look(
    side: &mut Side<'_>,
    master: SocketAddr,
    command: Duration,
) -> Result<Lineage, Trouble> {
    let doing = format!("SLAVEOF {master} on");
    let seen = side
        .server
        .call_and_look(slaveof(master), Deadline::after(command));
    let seen = seen.map_err(|failure| failed(&doing, side.address, failure))?;
    match &seen.role {
        Role::Replica(following) if following.address() == Some(master) => Ok(seen.lineage),
        _ => Err(failed(
            &doing,
            side.address,
            "it said OK and does not follow it",
        )),
    }
}

/// Undoes a demotion that led to nothing: only the giver is sure to have all the data. Not where
/// the taker is seen as master, or not seen at all: another program may have promoted it.
fn restore(giver: &mut Side<'_>, taker: &mut Side<'_>, command: Duration) {
    let is_replica = |side: &mut Side<'_>| {
        matches!(
            side.replication("looking at", Deadline::after(command)),
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

/// Answers with the history that the new master makes.
fn promote_once(side: &mut Side<'_>, command: Duration) -> Result<String, Trouble> {
    let doing = "SLAVEOF NO ONE on";
    let seen = side
        .server
        .call_and_look(no_one(), Deadline::after(command));
    let seen = seen.map_err(|failure| failed(doing, side.address, failure))?;
    match seen.role {
        Role::Master => Ok(seen.lineage.replid),
        Role::Replica(_) => Err(failed(
            doing,
            side.address,
            "it said OK and is still a replica",
        )),
    }
}

/// Promotes a replica whose master is gone. What has already arrived is applied first: until its
/// link is seen down, or its offset rests (a frozen master keeps the link up, R3). Answers with the
/// history that it makes from then on.
///
/// # Errors
/// [`Trouble`]; nothing was changed unless the sentence says otherwise.
pub(crate) fn promote(
    side: &mut Side<'_>,
    command: Duration,
    go_on: &dyn Fn() -> Result<(), Ended>,
) -> Result<String, Trouble> {
    let limit = Deadline::after(DRAIN);
    let mut last = None;
    loop {
        let seen = side.replication("looking at", Deadline::after(command))?;
        let Role::Replica(following) = &seen.role else {
            return Ok(seen.lineage.replid);
        };
        let applied = following
            .received
            .is_none_or(|received| received <= seen.lineage.offset);
        let rests = last == Some(seen.lineage.offset);
        if applied && (!following.link_up || rests) || limit.is_over() {
            break;
        }
        last = Some(seen.lineage.offset);
        limit.pause(REST);
    }
    go_on()?;
    promote_once(side, command)
}

/// Makes a replica follow nobody: it keeps its data, takes no writes, and waits.
pub(crate) fn park(server: &mut Server, command: Duration) -> Result<(), Failure> {
    // Nobody listens there.
    server
        .call(
            cmd("SLAVEOF").arg("127.0.0.1").arg(1),
            Deadline::after(command),
        )
        .map(|_: Value| ())
}

/// Disconnects the ordinary clients of a demoted Redis: their connections lead to a replica now.
///
/// # Errors
/// The [`Failure`]; nothing depends on it.
pub fn disconnect_clients(server: &mut Server, command: Duration) -> Result<(), Failure> {
    if server.lacks("client") {
        return Ok(());
    }
    let kill = |kind: &str| cmd("CLIENT").arg("KILL").arg("TYPE").arg(kind).clone();
    for answer in server.batch(&[kill("normal"), kill("pubsub")], Deadline::after(command))? {
        answer.map_err(Failure::Denied)?;
    }
    Ok(())
}

/// `CONFIG REWRITE`: without it a role is gone at the next restart (R10).
///
/// # Errors
/// The [`Failure`]: no config file, a directory that can't be written, no right to it. A warning
/// and no more.
pub fn rewrite_config(server: &mut Server, command: Duration) -> Result<(), Failure> {
    if server.lacks("config") {
        return Ok(());
    }
    server
        .call_again(cmd("CONFIG").arg("REWRITE"), Deadline::after(command))
        .map(|_: Value| ())
}

fn slaveof(master: SocketAddr) -> Cmd {
    // Accepted by every version from 2.8 on, and by Valkey (R1).
    cmd("SLAVEOF")
        .arg(master.ip().to_string())
        .arg(master.port())
        .clone()
}

fn no_one() -> Cmd {
    cmd("SLAVEOF").arg("NO").arg("ONE").clone()
}
