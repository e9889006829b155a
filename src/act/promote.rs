//! Making a Redis master while no other one serves, and writing down that it is.

use std::net::SocketAddr;

use super::handover::{self, Side, Trouble, failed};
use super::worker::{Program, observed};
use crate::deadline::{Stopwatch, ms};
use crate::decide::view::View;
use crate::exit::Outcome;
use crate::node::hook::Event;
use crate::node::memory::StateFile;
use crate::node::turn::Turn;
use crate::server::fence;

pub(crate) fn settle(program: &Program, replid: &str) {
    // Where it can't be remembered it is done again the next time.
    let _ = program.store.set_note(StateFile::Settled, replid);
}

pub(crate) fn is_settled(program: &Program, view: &View) -> bool {
    let Ok(seen) = &view.local.seen else {
        return false;
    };
    let settled = program
        .store
        .note(StateFile::Settled)
        .is_some_and(|replid| replid == seen.replication.lineage.replid);
    settled && view.served_this_run(seen)
}

pub(crate) fn promote(
    program: &mut Program,
    turn: &Turn,
    view: &View,
    why: &str,
) -> Result<Outcome, Trouble> {
    let clock = Stopwatch::start();
    let (local, command) = (program.local, program.config.timing.command);
    let seen = observed(view, local)?;
    let _acting = turn.act()?;
    let server = program
        .survey
        .local()
        .map_err(|failure| failed("connecting to", local, failure))?;
    let mut side = Side {
        server,
        address: local,
        version: seen.version,
    };
    let replid = handover::promote(&mut side, command, &|| turn.check())?;
    let (step, total) = (ms(clock.elapsed()), ms(program.clock.elapsed()));
    let _ = fence::lift(side.server, seen.version, command);
    program.remember_served(&seen.run_id, &replid);
    program.write_term(view, local, &replid);
    let rewritten = program
        .survey
        .local()
        .and_then(|server| handover::rewrite_config(server, command));
    settle(program, &replid);
    for peer in &view.peers {
        if let Err(failure) = &peer.seen {
            program.journal.line(
                &format!("{} is gone: {failure}", peer.address),
                &[("peer", &peer.address)],
            );
        }
    }
    program.transition(
        Event::Promoted,
        &format!("promoted: {why}"),
        &[
            ("took_ms", &step),
            ("since_start_ms", &total),
            ("offset", &seen.replication.lineage.offset),
            ("keys", &seen.keys),
        ],
    );
    program.warn_rewrite(local, rewritten);
    if let Some(drained) = &view.drained {
        program.journal.line(
            &format!("{drained}, and serves all the same: no other node does"),
            &[],
        );
    }
    Ok(Outcome::Yes)
}

/// Makes the peer master for the moment: the local Redis follows it, catches up, and takes the role
/// over.
pub(crate) fn raise(
    program: &mut Program,
    turn: &Turn,
    view: &View,
    peer: SocketAddr,
    why: &str,
) -> Result<(), Trouble> {
    let command = program.config.timing.command;
    let version = observed(view, peer)?.version;
    let _acting = turn.act()?;
    let server = program
        .survey
        .node(peer)
        .map_err(|failure| failed("connecting to", peer, failure))?;
    let mut side = Side {
        server,
        address: peer,
        version,
    };
    let replid = handover::promote(&mut side, command, &|| turn.check())?;
    program.write_term(view, peer, &replid);
    program.journal.line(
        &format!("made {peer} master until we have its data: {why}"),
        &[("peer", &peer)],
    );
    Ok(())
}

/// Makes a node a replica of nobody: it keeps its data, takes no writes, and its own program
/// follows from there.
pub(crate) fn park(
    program: &mut Program,
    turn: &Turn,
    node: SocketAddr,
    why: &str,
) -> Result<(), Trouble> {
    let command = program.config.timing.command;
    let _acting = turn.act()?;
    let parked = program
        .survey
        .node(node)
        .and_then(|server| handover::park(server, command));
    parked.map_err(|failure| failed("parking", node, failure))?;
    program.journal.line(
        &format!("made {node} a replica of nobody for the moment: {why}"),
        &[("peer", &node)],
    );
    Ok(())
}
