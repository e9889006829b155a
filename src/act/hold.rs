//! Holding the writes of the local Redis while it is not known whether its data is old.

use std::time::Duration;

use super::worker::Program;
use crate::decide::view::View;
use crate::server::fence;

/// Writes are held this long at a time while it is not known whether the local data is old.
pub(crate) const HOLD: Duration = Duration::from_millis(1500);

/// Does `work`, which may hold the local writes and then says so, and lets them go on at its end.
pub(crate) fn releasing<T>(
    program: &mut Program,
    work: impl FnOnce(&mut Program, &mut bool) -> T,
) -> T {
    let mut held = false;
    let done = work(program, &mut held);
    if held {
        release(program);
    }
    done
}

/// Stops the writes of the local Redis for a moment, from 6.2 on; `held` says that they are to be
/// let go on.
pub(crate) fn hold(program: &mut Program, view: &View, held: &mut bool) {
    let Ok(seen) = &view.local.seen else { return };
    let command = program.config.timing.command;
    if let Ok(server) = program.survey.local()
        && server.can_pause_writes(seen.version)
    {
        *held |= fence::hold_writes(server, HOLD, command).is_ok();
    }
}

pub(crate) fn release(program: &mut Program) {
    let command = program.config.timing.command;
    if let Ok(server) = program.survey.local() {
        // It ends by itself in a moment, should this fail.
        let _ = fence::release_writes(server, command);
    }
}
