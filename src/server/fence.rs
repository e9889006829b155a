//! Stopping the writes of a master for a moment, and letting them go on.
//!
//! From 6.2 on `CLIENT PAUSE ms WRITE` (R12): it ends by itself. Before, and where CLIENT is
//! disabled, `min-slaves-to-write` is set to a number that no master has replicas for, and clients
//! get NOREPLICAS (R13). That does not end by itself. So the value is the former one plus a
//! million: whoever finds it knows that it is ours, and can restore it.

use std::time::Duration;

use redis::{Cmd, Value, cmd};

use super::Server;
use super::failure::Failure;
use super::info::{Replication, Version};
use crate::deadline::Deadline;

/// Added to the former `min-slaves-to-write`. Nobody has a million replicas.
const MARK: u64 = 1_000_000;
const PARAMETER: &str = "min-slaves-to-write";

/// The writes are stopped while this lives; [`Fence::lower`] it on every way out.
#[must_use]
pub(crate) struct Fence {
    kind: Kind,
    ends: Deadline,
    lapsed: bool,
}

enum Kind {
    Pause,
    MinReplicas { former: u64 },
}

impl Fence {
    /// Stops the writes of `server`, for `pause` should we die; a handover takes about 1.3 ms. What
    /// is looked at in the same round trip is how far its history has come by then.
    ///
    /// # Errors
    /// The [`Failure`]; then writes go on.
    pub(crate) fn raise(
        server: &mut Server,
        version: Version,
        pause: Duration,
        command: Duration,
    ) -> Result<(Fence, Replication), Failure> {
        // Counted from before the command is sent: the pause can only end later than we think.
        let ends = Deadline::after(pause);
        let fence = if server.can_pause_writes(version) {
            Fence {
                kind: Kind::Pause,
                ends,
                lapsed: false,
            }
        } else {
            let found = min_replicas(server, command)?;
            let former = found.checked_sub(MARK).unwrap_or(found);
            let ends = Deadline::after(Duration::from_secs(3600));
            Fence {
                kind: Kind::MinReplicas { former },
                ends,
                lapsed: false,
            }
        };
        let stop = match fence.kind {
            Kind::Pause => pause_writes(pause),
            Kind::MinReplicas { former } => min_replicas_of(MARK + former),
        };
        match server.call_and_look(stop, Deadline::after(command)) {
            Ok(seen) => Ok((fence, seen)),
            Err(failure) => {
                // It may be up.
                if !matches!(
                    failure,
                    Failure::Denied(_) | Failure::Refused | Failure::NoConnection
                ) {
                    let _ = fence.lower(server, command);
                }
                Err(failure)
            }
        }
    }

    /// Stops the writes for `pause` from now on, where they would go on by themselves before that.
    ///
    /// # Errors
    /// The [`Failure`]; then they go on when [`Fence::left`] is over.
    pub(crate) fn renew(
        &mut self,
        server: &mut Server,
        pause: Duration,
        command: Duration,
    ) -> Result<(), Failure> {
        if let Kind::Pause = self.kind {
            let ends = Deadline::after(pause);
            hold_writes(server, pause, command)?;
            // We, or the whole machine, stood still for longer than the pause.
            self.lapsed |= self.ends.is_over();
            self.ends = ends;
        }
        Ok(())
    }

    /// Writes may have gone on since it was raised.
    pub(crate) fn has_lapsed(&self) -> bool {
        self.lapsed || self.ends.is_over()
    }

    /// How long the writes are sure to stay stopped.
    pub(crate) fn left(&self) -> Duration {
        self.ends.left()
    }

    /// Lets the writes go on.
    ///
    /// # Errors
    /// The [`Failure`]; a pause then ends by itself, the other fence is lifted by the next program
    /// that finds it.
    pub(crate) fn lower(self, server: &mut Server, command: Duration) -> Result<(), Failure> {
        match self.kind {
            Kind::Pause => release_writes(server, command),
            Kind::MinReplicas { former } => set_min_replicas(server, former, command),
        }
    }
}

/// `CLIENT PAUSE ms WRITE` (6.2); a longer pause that is in force stays.
pub(crate) fn hold_writes(
    server: &mut Server,
    pause: Duration,
    command: Duration,
) -> Result<(), Failure> {
    server
        .call(&pause_writes(pause), Deadline::after(command))
        .map(|_: Value| ())
}

fn pause_writes(pause: Duration) -> Cmd {
    let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
    cmd("CLIENT").arg("PAUSE").arg(millis).arg("WRITE").clone()
}

/// `CLIENT UNPAUSE` (6.2).
pub fn release_writes(server: &mut Server, command: Duration) -> Result<(), Failure> {
    server
        .call_again(cmd("CLIENT").arg("UNPAUSE"), Deadline::after(command))
        .map(|_: Value| ())
}

/// Is a fence of a program that died still up? The value that stood there before it.
pub(crate) fn left_behind(server: &mut Server, command: Duration) -> Result<Option<u64>, Failure> {
    Ok(min_replicas(server, command)?.checked_sub(MARK))
}

/// Lifts it, where there is one: for a Redis whose role we have just settled.
pub(crate) fn lift(
    server: &mut Server,
    version: Version,
    command: Duration,
) -> Result<Option<u64>, Failure> {
    if server.can_pause_writes(version) {
        return Ok(None);
    }
    let former = left_behind(server, command)?;
    former.map_or(Ok(()), |former| set_min_replicas(server, former, command))?;
    Ok(former)
}

fn min_replicas(server: &mut Server, command: Duration) -> Result<u64, Failure> {
    let text = server.setting(PARAMETER, Deadline::after(command))?;
    let text =
        text.ok_or_else(|| Failure::Rubbish(format!("CONFIG GET {PARAMETER} answered nothing")))?;
    text.parse()
        .map_err(|_| Failure::Rubbish(format!("{PARAMETER} is {text:?}")))
}

fn set_min_replicas(server: &mut Server, value: u64, command: Duration) -> Result<(), Failure> {
    server
        .call_again(&min_replicas_of(value), Deadline::after(command))
        .map(|_: Value| ())
}

fn min_replicas_of(value: u64) -> Cmd {
    cmd("CONFIG").arg("SET").arg(PARAMETER).arg(value).clone()
}
