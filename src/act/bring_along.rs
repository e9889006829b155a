//! When the role has moved, the other nodes of three or more follow the new master at once. Their
//! own programs would do it too, but only when their check has found the wrong role, seconds later,
//! and by way of FAULT.

use std::net::SocketAddr;

use super::party::{self, Party};
use super::record;
use super::trouble::{Trouble, failed, observed};
use super::worker::Worker;
use crate::config::RollbackMode;
use crate::decide::pair;
use crate::decide::view::View;
use crate::node::turn::{Ended, Turn};

/// Makes those nodes replicas of `master` whose data it contains. What has more of its own, or does
/// not answer, is left to its own programs, as is everything where each step has to keep a file
/// first.
pub(crate) fn bring_along(
    worker: &mut Worker,
    turn: &Turn,
    master: SocketAddr,
) -> Result<(), Ended> {
    if worker.config.nodes.len() < 3 || worker.config.rollback.mode == RollbackMode::Always {
        return Ok(());
    }
    let view = worker.look(false);
    for node in pair::stragglers(&view, master) {
        match bring(worker, turn, &view, node, master) {
            Ok(()) => worker.voice.line(
                &format!("made {node} a replica of {master}, too"),
                &[("peer", &node)],
            ),
            Err(Trouble::Ended(ended)) => return Err(ended),
            Err(trouble) => worker.voice.warn(format_args!(
                "{trouble}; leaving that to {node}'s own programs"
            )),
        }
    }
    Ok(())
}

fn bring(
    worker: &mut Worker,
    turn: &Turn,
    view: &View,
    node: SocketAddr,
    master: SocketAddr,
) -> Result<(), Trouble> {
    let command = worker.config.timing.command;
    let (seen, theirs) = (observed(view, node)?, observed(view, master)?);
    let _acting = turn.act()?;
    let mut party = Party::connected(&mut worker.survey, node, seen.version)?;
    let last = party.follow(master, command)?;
    // The old master may have been there again for a moment, and have sent it what the new one
    // lacks.
    if last.offset != seen.replication.lineage.offset && !pair::contains(theirs, seen, &last) {
        let _ = party::park(party.server, command);
        return Err(failed(
            "SLAVEOF on",
            node,
            "it has got more from the old master meanwhile, and was made a replica of nobody",
        ));
    }
    record::rewrite(worker, &[node]).warn(&worker.voice);
    Ok(())
}
