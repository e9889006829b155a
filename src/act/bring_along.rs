//! Of three nodes or more: the role has moved, and the others follow the new master at once. Their
//! own programs would do it too, but only when their check has found the wrong role, seconds later,
//! and by way of FAULT.

use std::net::SocketAddr;

use super::handover::{self, Side, Trouble, failed};
use super::worker::{Program, observed};
use crate::config::RollbackMode;
use crate::decide::pair;
use crate::decide::view::View;
use crate::node::turn::{Ended, Turn};

/// Makes those nodes replicas of `master` whose data it contains. What has more of its own, or does
/// not answer, is left to its own programs, as is everything where each step has to keep a file
/// first.
pub(crate) fn bring_along(
    program: &mut Program,
    turn: &Turn,
    master: SocketAddr,
) -> Result<(), Ended> {
    if program.config.nodes.len() < 3 || program.config.rollback.mode == RollbackMode::Always {
        return Ok(());
    }
    let view = program.look(false);
    for node in pair::stragglers(&view, master) {
        match bring(program, turn, &view, node, master) {
            Ok(()) => program.journal.line(
                &format!("made {node} a replica of {master}, too"),
                &[("peer", &node)],
            ),
            Err(Trouble::Ended(ended)) => return Err(ended),
            Err(trouble) => program.journal.line(
                &format!("warning: {trouble}; leaving that to {node}'s own programs"),
                &[],
            ),
        }
    }
    Ok(())
}

fn bring(
    program: &mut Program,
    turn: &Turn,
    view: &View,
    node: SocketAddr,
    master: SocketAddr,
) -> Result<(), Trouble> {
    let command = program.config.timing.command;
    let (seen, theirs) = (observed(view, node)?, observed(view, master)?);
    let _acting = turn.act()?;
    let server = program
        .survey
        .node(node)
        .map_err(|failure| failed("connecting to", node, failure))?;
    let mut side = Side {
        server,
        address: node,
        version: seen.version,
    };
    let last = handover::follow_and_look(&mut side, master, command)?;
    // The old master may have been there again for a moment, and have sent it what the new one
    // lacks.
    if last.offset != seen.replication.lineage.offset && !pair::contains(theirs, seen, &last) {
        let _ = handover::park(side.server, command);
        return Err(failed(
            "SLAVEOF on",
            node,
            "it has got more from the old master meanwhile, and was made a replica of nobody",
        ));
    }
    let rewritten = handover::rewrite_config(side.server, command);
    program.warn_rewrite(node, rewritten);
    Ok(())
}
