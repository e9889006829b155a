//! Moving the role between two nodes that live: the taker asks for it, or the giver does.

use std::net::SocketAddr;

use super::bring_along;
use super::handover::{self, Side, Trouble, failed};
use super::promote::settle;
use super::worker::{Program, observed};
use crate::deadline::ms;
use crate::decide::view::View;
use crate::exit::Outcome;
use crate::node::hook::Event;
use crate::node::turn::Turn;
use crate::server::fence;

pub(crate) fn take_over(
    program: &mut Program,
    turn: &Turn,
    view: &View,
    peer: SocketAddr,
    why: &str,
) -> Result<Outcome, Trouble> {
    let (local, command) = (program.local, program.config.timing.command);
    let (mine, theirs) = (observed(view, local)?, observed(view, peer)?);
    let _acting = turn.act()?;
    let (taker, giver) = program
        .survey
        .local_and(peer)
        .map_err(|failure| failed("connecting to", peer, failure))?;
    let mut taker = Side {
        server: taker,
        address: local,
        version: mine.version,
    };
    let mut giver = Side {
        server: giver,
        address: peer,
        version: theirs.version,
    };
    let moved = handover::swap(&mut giver, &mut taker, command, &|| turn.check())?;
    let total = ms(program.clock.elapsed());
    let disconnected = handover::disconnect_clients(giver.server, command);
    let _ = fence::lift(taker.server, mine.version, command);
    program.remember_served(&mine.run_id, &moved.replid);
    program.write_term(view, local, &moved.replid);
    let rewritten = program.rewrite_both(peer);
    settle(program, &moved.replid);
    program.transition(
        Event::TookOver,
        &format!("took the role over from {peer}: {why}"),
        &[
            ("took_ms", &ms(moved.took)),
            ("since_start_ms", &total),
            ("offset", &moved.offset),
            ("peer", &peer),
        ],
    );
    program.warn_moved(peer, &moved, disconnected);
    for (node, result) in rewritten {
        program.warn_rewrite(node, result);
    }
    Ok(Outcome::Yes)
}

/// The holder of the VIP has no program that takes the role: it is moved from here, in the same
/// lossless way.
pub(crate) fn give_up(
    program: &mut Program,
    turn: &Turn,
    view: &View,
    peer: SocketAddr,
    why: &str,
) -> Result<(), Trouble> {
    let (local, command) = (program.local, program.config.timing.command);
    let (mine, theirs) = (
        observed(view, local)?.version,
        observed(view, peer)?.version,
    );
    let acting = turn.act()?;
    let (giver, taker) = program
        .survey
        .local_and(peer)
        .map_err(|failure| failed("connecting to", peer, failure))?;
    let mut giver = Side {
        server: giver,
        address: local,
        version: mine,
    };
    let mut taker = Side {
        server: taker,
        address: peer,
        version: theirs,
    };
    let moved = handover::swap(&mut giver, &mut taker, command, &|| turn.check())?;
    let disconnected = handover::disconnect_clients(giver.server, command);
    program.write_term(view, peer, &moved.replid);
    let rewritten = program.rewrite_both(peer);
    program.forget_served();
    program.transition(
        Event::GaveUp,
        &format!("gave the role to {peer}: {why}"),
        &[
            ("took_ms", &ms(moved.took)),
            ("offset", &moved.offset),
            ("peer", &peer),
        ],
    );
    program.warn_moved(local, &moved, disconnected);
    for (node, result) in rewritten {
        program.warn_rewrite(node, result);
    }
    drop(acting);
    bring_along::bring_along(program, turn, peer)?;
    Ok(())
}
