//! Becoming a replica: the local Redis drops its own data for the peer's, and none of it silently.
//!
//! What a master is about to lose is only known once its writes have stopped, so they are stopped
//! first; what it has then is compared with the peer's, kept in a rollback file where it is not
//! contained in it, and only then dropped.

use std::net::SocketAddr;

use super::in_file::{self, OnDisk};
use super::keep::Dropping;
use super::party::{self, Party};
use super::record;
use super::trouble::{Trouble, failed, observed};
use super::worker::Worker;
use crate::deadline::Deadline;
use crate::decide::view::View;
use crate::node::clock;
use crate::node::hook::Event;
use crate::node::memory::{Lacking, Outdated};
use crate::node::turn::Turn;
use crate::server::fence;

/// Makes the local Redis a replica of `peer`.
///
/// # Errors
/// [`Trouble`]; without the rollback file that is needed nothing is dropped.
pub(crate) fn follow(
    worker: &mut Worker,
    turn: &Turn,
    view: &View,
    peer: SocketAddr,
    why: &str,
) -> Result<(), Trouble> {
    let (local, command) = (worker.local, worker.config.timing.command);
    let (mine, theirs) = (observed(view, local)?, observed(view, peer)?);
    let _acting = turn.act()?;
    let mut dropping = Dropping::new(worker, turn, peer, theirs, why);
    if mine.is_master() {
        dropping.stop_writes(mine)?;
    }
    let dropped = drop_data(&mut dropping);
    let Dropping {
        fence,
        stands_alone,
        ..
    } = dropping;
    if let Ok(server) = worker.survey.local() {
        if dropped.is_err() && stands_alone {
            // Not what it followed before: that may be a master by now, and writes may have come
            // in.
            let _ = party::park(server, command);
        }
        if let Some(fence) = fence {
            // What waited gets its READONLY now; should this fail, in a moment.
            let _ = fence.lower(server, command);
        }
    }
    dropped?;
    record::forget_served(worker);
    worker.voice.transition(
        Event::Following,
        &format!("now a replica of {peer}, because {why}"),
        &[("peer", &peer)],
    );
    if let Ok(server) = worker.survey.local() {
        // Before the rewrite: a fence that a program left behind must not be written down.
        let _ = fence::lift(server, mine.version, command);
        record::rewrite(worker, &[local]).warn(&worker.voice);
    }
    Ok(())
}

fn drop_data(dropping: &mut Dropping<'_>) -> Result<(), Trouble> {
    let peer = dropping.peer;
    let (local, command) = (dropping.worker.local, dropping.worker.config.timing.command);
    let not_now = |why: &str| failed("following", peer, why);
    let mine = dropping
        .worker
        .survey
        .look_local(Deadline::after(command))
        .map_err(|failure| failed("looking at", local, failure))?;
    if mine.is_master() && dropping.fence.is_none() {
        return Err(not_now("the local Redis has become a master meanwhile"));
    }
    dropping.keep(&mine)?;
    dropping.turn.check()?;
    // Keeping a file may have taken minutes.
    let view = dropping.worker.look(false);
    let now = observed(&view, peer)?;
    if !now.is_master() || now.run_id != dropping.theirs.run_id {
        return Err(not_now("it is not what it was when this was decided"));
    }
    let fence = dropping.fence.as_ref();
    if fence.is_some_and(|fence| fence.has_lapsed() || fence.left() < command) {
        return Err(not_now(
            "the local writes went on, or soon may; starting over",
        ));
    }
    let kept_to = dropping.kept_to.unwrap_or(mine.replication.lineage.offset);
    let worker = &mut *dropping.worker;
    let mut party = Party::connected(&mut worker.survey, local, mine.version)?;
    if let Some(Err(why)) = dropping.file.as_ref().map(OnDisk::is_there) {
        in_file::forget(&mut worker.kept, &worker.store);
        return Err(not_now(&why));
    }
    // Whatever becomes of the copy that may begin now: this node knows whose data is newer.
    let before: Option<Outdated> = worker.store.get();
    let outdated = Outdated {
        node: peer,
        why: Lacking::Copy,
        at: clock::now(),
    };
    if let Err(error) = worker.store.set(&outdated) {
        let voice = &worker.voice;
        voice.warn(format_args!("{error}; going on without"));
    }
    let followed = party.follow(peer, command);
    // Another program's end of its own pause ends ours too: the last offset tells whether a write
    // came in.
    let went_on = |last: i64| dropping.fence.is_some() && last != kept_to;
    let dropped = match followed {
        Ok(lineage) if went_on(lineage.offset) => {
            let _ = party::park(party.server, command);
            Err(not_now("the local writes went on; starting over"))
        }
        Ok(_) => Ok(()),
        Err(trouble) => Err(trouble),
    };
    if dropped.is_err() {
        // If a copy has begun all the same, the next look finds that.
        let _ = match &before {
            Some(before) => worker.store.set(before),
            None => worker.store.clear::<Outdated>(),
        };
    }
    dropped
}
