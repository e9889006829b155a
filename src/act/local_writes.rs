//! Holding the writes of the local Redis while it is not known whether its data is old.

use std::time::Duration;

use super::worker::Worker;
use crate::decide::view::View;
use crate::server::fence;

/// Writes are held this long at a time.
const HOLD: Duration = Duration::from_millis(1500);

/// Whether the writes of the local Redis are held by us: [`LocalWrites::release`] them on every way
/// out.
#[must_use]
#[derive(Default)]
pub(crate) struct LocalWrites {
    held: bool,
}

impl LocalWrites {
    /// Stops them for a moment, from 6.2 on.
    pub(crate) fn hold(&mut self, worker: &mut Worker, view: &View) {
        let Ok(seen) = &view.local.seen else { return };
        let command = worker.config.timing.command;
        if let Ok(server) = worker.survey.local()
            && server.can_pause_writes(seen.version)
        {
            self.held |= fence::hold_writes(server, HOLD, command).is_ok();
        }
    }

    /// Lets them go on.
    pub(crate) fn release(&mut self, worker: &mut Worker) {
        let command = worker.config.timing.command;
        if std::mem::take(&mut self.held)
            && let Ok(server) = worker.survey.local()
        {
            // It ends by itself in a moment, should this fail.
            let _ = fence::release_writes(server, command);
        }
    }
}
