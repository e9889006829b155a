//! Moving the role between two nodes that live: the taker asks for it, or the giver does.

use std::fmt::Display;
use std::net::SocketAddr;

use super::bring_along::bring_along;
use super::party::Party;
use super::trouble::{Trouble, failed, observed};
use super::worker::Worker;
use super::{handover, record};
use crate::deadline::ms;
use crate::decide::pair::Reign;
use crate::decide::view::View;
use crate::node::hook::Event;
use crate::node::turn::Turn;
use crate::server::fence;
use crate::server::new_role::disconnect_clients;

/// Moves the role from one node to another, one of which is this one. It is given away only where
/// the holder of the VIP has no program that takes it, and in the same lossless way.
pub(crate) fn move_role(
    worker: &mut Worker,
    turn: &Turn,
    view: &View,
    from: SocketAddr,
    to: SocketAddr,
    why: &str,
) -> Result<(), Trouble> {
    let (local, command) = (worker.local, worker.config.timing.command);
    let comes_here = to == local;
    let peer = if comes_here { from } else { to };
    let (mine, theirs) = (
        observed(view, local)?.version,
        observed(view, peer)?.version,
    );
    let acting = turn.act()?;
    let (server, others) = worker
        .survey
        .local_and(peer)
        .map_err(|failure| failed("connecting to", peer, failure))?;
    let this = Party {
        server,
        address: local,
        version: mine,
    };
    let other = Party {
        server: others,
        address: peer,
        version: theirs,
    };
    let (mut giver, mut taker) = if comes_here {
        (other, this)
    } else {
        (this, other)
    };
    let moved = handover::swap(&mut giver, &mut taker, command, &|| turn.check())?;
    let (took, total) = (ms(moved.took), ms(worker.clock.elapsed()));
    let disconnected = disconnect_clients(giver.server, command);
    if comes_here {
        let _ = fence::lift(taker.server, mine, command);
    }
    let unwritten =
        record::new_master(worker, view, Reign::Sure, to, &moved.replid, &[local, peer]);
    let mut pairs: Vec<(&str, &dyn Display)> = vec![("took_ms", &took)];
    if comes_here {
        pairs.push(("since_start_ms", &total));
    }
    pairs.extend([("offset", &moved.offset as &dyn Display), ("peer", &peer)]);
    let (event, sentence) = if comes_here {
        let sentence = format!("took the role over from {peer}: {why}");
        (Event::TookOver, sentence)
    } else {
        (Event::GaveUp, format!("gave the role to {peer}: {why}"))
    };
    worker.voice.transition(event, &sentence, &pairs);
    if let Some(failure) = &moved.unreleased {
        worker.voice.warn(format_args!(
            "letting the writers of {from} go on: {failure}"
        ));
    }
    if let Err(failure) = disconnected {
        worker.voice.warn(format_args!(
            "disconnecting the clients of {from}: {failure}"
        ));
    }
    unwritten.warn(&worker.voice);
    drop(acting);
    // The role has moved: clients write, and nobody waits for this.
    bring_along(worker, turn, to)?;
    Ok(())
}
