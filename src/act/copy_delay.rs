//! `repl-diskless-sync-delay` of the local Redis, which is 0 while a rollback file is taken. Redis
//! waits this long (5 s by default) for more replicas before it begins a copy, a rollback file
//! included (R4), and the writes wait for the copy.

use std::time::Duration;

use redis::cmd;

use super::worker::Worker;
use crate::deadline::Deadline;
use crate::decide::view::View;
use crate::node::memory::CopyDelay;
use crate::server::Server;
use crate::server::failure::Failure;

const COPY_DELAY: &str = "repl-diskless-sync-delay";

/// Lets a copy begin at once; where it can't be written down it stays as it is.
pub(super) fn shorten(worker: &mut Worker, run_id: &str) {
    let command = worker.config.timing.command;
    let Ok(server) = worker.survey.local() else {
        return;
    };
    let Ok(Some(seconds)) = server.setting(COPY_DELAY, Deadline::after(command)) else {
        return;
    };
    let former = CopyDelay {
        run_id: run_id.to_string(),
        seconds,
    };
    if former.seconds != "0" && worker.store.set(&former).is_ok() {
        let _ = set(server, "0", command);
    }
}

/// Puts back what a program changed in this run of the local Redis, this one or one that was killed
/// since.
pub(crate) fn restore(worker: &mut Worker, view: &View) {
    if let Ok(seen) = &view.local.seen {
        put_back(worker, &seen.run_id);
    }
}

pub(super) fn put_back(worker: &mut Worker, run_id: &str) {
    let Some(former) = worker.store.get::<CopyDelay>() else {
        return;
    };
    let command = worker.config.timing.command;
    let done = match worker.survey.local() {
        Ok(server) if former.run_id == run_id => set(server, &former.seconds, command).is_ok(),
        Ok(_) => true,
        Err(_) => false,
    };
    if done {
        let _ = worker.store.clear::<CopyDelay>();
    }
}

fn set(server: &mut Server, seconds: &str, command: Duration) -> Result<(), Failure> {
    server
        .call_again(
            cmd("CONFIG").arg("SET").arg(COPY_DELAY).arg(seconds),
            Deadline::after(command),
        )
        .map(|_| ())
}
