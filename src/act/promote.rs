//! Making a Redis master while no other one serves, or a replica of nobody before that.

use std::net::SocketAddr;

use super::bring_along::bring_along;
use super::party::{self, Party};
use super::record;
use super::trouble::{Trouble, failed, observed};
use super::worker::Worker;
use crate::deadline::{Stopwatch, ms};
use crate::decide::pair::Reign;
use crate::decide::view::View;
use crate::node::hook::Event;
use crate::node::turn::Turn;
use crate::server::fence;

pub(crate) fn promote(
    worker: &mut Worker,
    turn: &Turn,
    view: &View,
    reign: Reign,
    why: &str,
) -> Result<(), Trouble> {
    let clock = Stopwatch::start();
    let (local, command) = (worker.local, worker.config.timing.command);
    let seen = observed(view, local)?;
    let acting = turn.act()?;
    let mut party = Party::connected(&mut worker.survey, local, seen.version)?;
    let replid = party.promote(command, &|| turn.check())?;
    let (step, total) = (ms(clock.elapsed()), ms(worker.clock.elapsed()));
    let _ = fence::lift(party.server, seen.version, command);
    let unwritten = record::new_master(worker, view, reign, local, &replid, &[local]);
    for peer in &view.peers {
        if let Err(failure) = &peer.seen {
            worker.voice.line(
                &format!("{} is gone: {failure}", peer.address),
                &[("peer", &peer.address)],
            );
        }
    }
    let (event, word) = if seen.is_master() {
        (Event::Serving, "serving")
    } else {
        (Event::Promoted, "promoted")
    };
    worker.voice.transition(
        event,
        &format!("{word}: {why}"),
        &[
            ("took_ms", &step),
            ("since_start_ms", &total),
            ("offset", &seen.replication.lineage.offset),
            ("keys", &seen.keys),
        ],
    );
    unwritten.warn(&worker.voice);
    if reign == Reign::Unsure {
        worker.voice.line(
            "ALARM: this node serves without knowing whether another one has newer data; when that \
             one is back, what one of them lacks is kept in a rollback file",
            &[],
        );
    }
    if let Some(drained) = &view.drained {
        worker.voice.line(
            &format!("{drained}, and serves all the same: no other node does"),
            &[],
        );
    }
    drop(acting);
    bring_along(worker, turn, local)?;
    Ok(())
}

/// Makes the peer master for the moment: the local Redis follows it, catches up, and takes the role
/// over.
pub(crate) fn raise(
    worker: &mut Worker,
    turn: &Turn,
    view: &View,
    peer: SocketAddr,
    why: &str,
) -> Result<(), Trouble> {
    let command = worker.config.timing.command;
    let version = observed(view, peer)?.version;
    let _acting = turn.act()?;
    let mut party = Party::connected(&mut worker.survey, peer, version)?;
    let replid = party.promote(command, &|| turn.check())?;
    record::write_term_of(worker, view, Reign::Sure, peer, &replid);
    worker.voice.line(
        &format!("made {peer} master until we have its data: {why}"),
        &[("peer", &peer)],
    );
    Ok(())
}

/// Makes a node a replica of nobody: it keeps its data, takes no writes, and its own program
/// follows from there.
pub(crate) fn park(
    worker: &mut Worker,
    turn: &Turn,
    node: SocketAddr,
    why: &str,
) -> Result<(), Trouble> {
    let command = worker.config.timing.command;
    let _acting = turn.act()?;
    let parked = worker
        .survey
        .node(node)
        .and_then(|server| party::park(server, command));
    parked.map_err(|failure| failed("parking", node, failure))?;
    worker.voice.line(
        &format!("made {node} a replica of nobody for the moment: {why}"),
        &[("peer", &node)],
    );
    Ok(())
}
