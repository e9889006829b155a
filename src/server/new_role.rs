//! What is due at a Redis once its role has changed: its clients are disconnected, and the role is
//! written into its redis.conf.

use std::time::Duration;

use redis::{Value, cmd};

use super::Server;
use super::failure::Failure;
use crate::deadline::Deadline;

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
