//! Becoming a replica: the local Redis drops its own data for the peer's, and none of it silently.
//!
//! What a master is about to lose is only known once its writes have stopped, so they are stopped
//! first; what it has then is compared with the peer's, kept in a rollback file where it is not
//! contained in it, and only then dropped.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use redis::cmd;

use super::handover::{self, Side, Trouble, failed};
use super::rollback::{self, About, History, Kept};
use super::worker::{Program, observed};
use crate::config::RollbackMode;
use crate::deadline::{Deadline, Stopwatch, ms};
use crate::decide::pair;
use crate::decide::view::View;
use crate::node::hook::Event;
use crate::node::memory::{CopyDelay, InFile};
use crate::node::turn::Turn;
use crate::server::Server;
use crate::server::fence::{self, Fence};
use crate::server::info::Observation;

/// The writes stay stopped for this long, and two answers more, at a time. That is renewed long
/// before it ends; should we die, they go on.
const HOLD: Duration = Duration::from_secs(5);
const RENEW: Duration = Duration::from_secs(1);
/// Redis waits this long (5 s by default) for more replicas before it begins a copy, a rollback
/// file included (R4).
const COPY_DELAY: &str = "repl-diskless-sync-delay";

/// Makes the local Redis a replica of `peer`.
///
/// # Errors
/// [`Trouble`]; without the rollback file that is needed nothing is dropped.
pub(crate) fn follow(
    program: &mut Program,
    turn: &Turn,
    view: &View,
    peer: SocketAddr,
    why: &str,
) -> Result<(), Trouble> {
    let (local, command) = (program.local, program.config.timing.command);
    let (mine, theirs) = (observed(view, local)?, observed(view, peer)?);
    let _acting = turn.act()?;
    let mut held = Held::default();
    if mine.is_master() {
        held.fence = Some(stop_writes(program, mine)?);
    }
    let dropped = drop_for(program, turn, (peer, theirs), why, &mut held);
    if let Ok(server) = program.survey.local() {
        if dropped.is_err() && held.stands_alone {
            // Not what it followed before: that may be a master by now, and writes may have come
            // in.
            let _ = handover::park(server, command);
        }
        if let Some(fence) = held.fence {
            // What waited gets its READONLY now; should this fail, in a moment.
            let _ = fence.lower(server, command);
        }
    }
    dropped?;
    program.forget_served();
    program.transition(
        Event::Following,
        &format!("now a replica of {peer}, because {why}"),
        &[("peer", &peer)],
    );
    if let Ok(server) = program.survey.local() {
        // Before the rewrite: a fence that a program left behind must not be written down.
        let _ = fence::lift(server, mine.version, command);
        let rewritten = handover::rewrite_config(server, command);
        program.warn_rewrite(local, rewritten);
    }
    Ok(())
}

/// Keeps the data of the local Redis `mine`, a master that somebody else is about to make a replica
/// of `peer`, where it is not contained in the peer's. Its writes are not stopped: no client
/// reaches it through the VIP.
///
/// # Errors
/// [`Trouble`]; nothing was kept.
pub(crate) fn keep_before(
    program: &mut Program,
    turn: &Turn,
    mine: &Observation,
    (peer, theirs): (SocketAddr, &Observation),
    why: &str,
) -> Result<(), Trouble> {
    let _acting = turn.act()?;
    keep(
        program,
        turn,
        mine,
        (peer, theirs),
        why,
        &mut Held::default(),
    )
}

/// What has to be undone on every way out.
#[derive(Default)]
struct Held {
    fence: Option<Fence>,
    /// A replica was made a master for the time of a dump.
    stands_alone: bool,
    /// The length of the history that is in the file: whatever comes after it is nowhere else.
    kept_to: Option<i64>,
}

fn stop_writes(program: &mut Program, mine: &Observation) -> Result<Fence, Trouble> {
    let (local, command) = (program.local, program.config.timing.command);
    let trouble = |failure| failed("stopping the writes on", local, failure);
    let server = program.survey.local().map_err(trouble)?;
    Fence::raise(server, mine.version, HOLD + 2 * command, command)
        .map(|(fence, _)| fence)
        .map_err(trouble)
}

fn drop_for(
    program: &mut Program,
    turn: &Turn,
    (peer, theirs): (SocketAddr, &Observation),
    why: &str,
    held: &mut Held,
) -> Result<(), Trouble> {
    let (local, command) = (program.local, program.config.timing.command);
    let mine = program
        .survey
        .look_local(Deadline::after(command))
        .map_err(|failure| failed("looking at", local, failure))?;
    if mine.is_master() && held.fence.is_none() {
        return Err(failed(
            "following",
            peer,
            "the local Redis has become a master meanwhile",
        ));
    }
    keep(program, turn, &mine, (peer, theirs), why, held)?;
    turn.check()?;
    // Keeping a file may have taken minutes.
    let view = program.look(false);
    let now = observed(&view, peer)?;
    if !now.is_master() || now.run_id != theirs.run_id {
        return Err(failed(
            "following",
            peer,
            "it is not what it was when this was decided",
        ));
    }
    if held
        .fence
        .as_ref()
        .is_some_and(|fence| fence.has_lapsed() || fence.left() < command)
    {
        return Err(failed(
            "following",
            peer,
            "the local writes went on, or soon may; starting over",
        ));
    }
    let server = program
        .survey
        .local()
        .map_err(|failure| failed("connecting to", local, failure))?;
    let mut side = Side {
        server,
        address: local,
        version: mine.version,
    };
    let last = handover::follow(&mut side, peer, command)?;
    // Another program's end of its own pause ends ours too: the last offset tells whether a write
    // came in.
    if held.fence.is_some() && last != held.kept_to.unwrap_or(mine.replication.lineage.offset) {
        let _ = handover::park(side.server, command);
        return Err(failed(
            "following",
            peer,
            "the local writes went on; starting over",
        ));
    }
    Ok(())
}

/// A rollback file of the local Redis, where it is not contained in the peer's.
fn keep(
    program: &mut Program,
    turn: &Turn,
    mine: &Observation,
    (peer, theirs): (SocketAddr, &Observation),
    why: &str,
    held: &mut Held,
) -> Result<(), Trouble> {
    let (contained, diverged) = pair::containment(mine, theirs);
    let past = diverged.map_or_else(|| "unknown".to_string(), |bytes| bytes.to_string());
    match program.config.rollback.mode {
        RollbackMode::Auto | RollbackMode::Never if contained => return Ok(()),
        RollbackMode::Always if mine.keys == 0 => return Ok(()),
        RollbackMode::Never => {
            let sentence =
                format!("dropping the local data for that of {peer}; rollback.mode is never");
            program.transition(
                Event::Dropped,
                &sentence,
                &[("keys", &mine.keys), ("diverged_bytes", &past)],
            );
            return Ok(());
        }
        RollbackMode::Auto | RollbackMode::Always => {}
    }
    if let Some(file) = in_file(program, mine) {
        program.journal.line(
            &format!("the local data is in {} already", file.display()),
            &[],
        );
        return Ok(());
    }
    let clock = Stopwatch::start();
    let about = About {
        file: String::new(),
        at: String::new(),
        why: format!("{} was about to follow {peer}: {why}", program.local),
        instance: program.config.instance.clone(),
        node: program.local,
        followed: peer,
        run_id: mine.run_id.clone(),
        redis_version: mine.version.to_string(),
        keys: None,
        bytes: 0,
        diverged_bytes: diverged,
        lineage: History::of(mine),
        followed_lineage: History::of(theirs),
        look: String::new(),
    };
    if mine.following().is_some_and(|following| !following.link_up) {
        held.fence = Some(stop_writes(program, mine)?);
        held.stands_alone = true;
        stand_alone(program, turn, mine)?;
    }
    let kept = take_file(program, turn, about, &mut held.fence);
    // What ended it was a newer notification, not the disk.
    turn.check()?;
    let kept = kept.map_err(|error| failed("following", peer, format!("{error:#}")))?;
    remember_file(program, mine, &kept, held);
    let keys = kept
        .keys
        .map_or_else(|| "unknown".to_string(), |keys| keys.to_string());
    let sentence = format!(
        "kept the local data in {} before following {peer}",
        kept.path.display()
    );
    let (took, file) = (ms(clock.elapsed()), kept.path.display());
    let mut pairs: Vec<(&str, &dyn std::fmt::Display)> = vec![
        ("keys", &keys),
        ("diverged_bytes", &past),
        ("bytes", &kept.bytes),
        ("took_ms", &took),
    ];
    program.journal.line(&sentence, &pairs);
    pairs.extend([("file", &file as &dyn std::fmt::Display), ("peer", &peer)]);
    program.tell(Event::Kept, &sentence, &pairs);
    Ok(())
}

/// A replica without a link gives nobody a copy of its data (R25), so it is a master for as long as
/// that takes, its writes stopped. What follows it would drop its own data for ours, and is parked
/// first: its own program takes it from there.
fn stand_alone(program: &mut Program, turn: &Turn, mine: &Observation) -> Result<(), Trouble> {
    let (local, command) = (program.local, program.config.timing.command);
    let view = program.look(false);
    for node in view
        .peers
        .iter()
        .filter(|node| node.seen.as_ref().is_ok_and(|seen| seen.follows(local)))
    {
        turn.check()?;
        let parked = program
            .survey
            .node(node.address)
            .and_then(|peer| handover::park(peer, command));
        parked.map_err(|failure| failed("parking", node.address, failure))?;
        program.journal.line(
            &format!(
                "made {} a replica of nobody: it follows this node",
                node.address
            ),
            &[],
        );
    }
    let server = program
        .survey
        .local()
        .map_err(|failure| failed("connecting to", local, failure))?;
    let mut side = Side {
        server,
        address: local,
        version: mine.version,
    };
    handover::promote(&mut side, command, &|| turn.check()).map(|_| ())
}

/// The file that holds just the data that the local Redis has now.
fn in_file(program: &Program, held: &Observation) -> Option<PathBuf> {
    let lineage = &held.replication.lineage;
    let same = |file: &InFile| {
        file.run_id == held.run_id
            && file.replid == lineage.replid
            && file.offset == lineage.offset
            && file.path.exists()
    };
    program
        .kept
        .clone()
        .into_iter()
        .chain(program.store.get())
        .find(same)
        .map(|file| file.path)
}

/// Only where nothing can have been written since: from the dump on every write moves the offset,
/// as a Redis that has once had a replica keeps a backlog.
fn remember_file(program: &mut Program, mine: &Observation, kept: &Kept, held: &mut Held) {
    let command = program.config.timing.command;
    let Ok(now) = program.survey.look_local(Deadline::after(command)) else {
        return;
    };
    let lineage = now.replication.lineage;
    let unchanged = match &held.fence {
        Some(fence) => !fence.has_lapsed(),
        None => lineage == mine.replication.lineage,
    };
    if unchanged && now.run_id == mine.run_id {
        held.kept_to = Some(lineage.offset);
        let (run_id, path) = (now.run_id, kept.path.clone());
        let file = InFile {
            run_id,
            replid: lineage.replid,
            offset: lineage.offset,
            path,
        };
        // Where it can't be written down the same data is kept twice, should we die.
        let _ = program.store.set(&file);
        program.kept = Some(file);
    }
}

fn take_file(
    program: &mut Program,
    turn: &Turn,
    about: About,
    fence: &mut Option<Fence>,
) -> anyhow::Result<Kept> {
    let (config, command, run_id) = (
        program.config.clone(),
        program.config.timing.command,
        about.run_id.clone(),
    );
    let endpoint = program.survey.local_endpoint().clone();
    let needed = program
        .survey
        .local()?
        .number("memory", "used_memory", Deadline::after(command));
    rollback::room_for(&config.rollback.dir, needed.unwrap_or(0))?;
    shorten_copy_delay(program, &run_id);
    let server = program.survey.local()?;
    let mut renewed = Stopwatch::start();
    let kept = rollback::take(
        &config.rollback,
        &endpoint,
        &config.auth,
        about,
        Deadline::after(config.timing.sync),
        &mut || {
            if let Some(fence) = fence.as_mut().filter(|_| renewed.elapsed() >= RENEW) {
                // Where it fails, the look at what is left of it before the data is dropped tells.
                let _ = fence.renew(server, HOLD + 2 * command, command);
                renewed = Stopwatch::start();
            }
            turn.check()
        },
    );
    put_copy_delay_back(program, &run_id);
    kept
}

/// Lets a copy begin at once, for the writes wait for it; where it can't be written down it stays
/// as it is.
fn shorten_copy_delay(program: &mut Program, run_id: &str) {
    let command = program.config.timing.command;
    let Ok(server) = program.survey.local() else {
        return;
    };
    let Ok(Some(seconds)) = server.setting(COPY_DELAY, Deadline::after(command)) else {
        return;
    };
    let former = CopyDelay {
        run_id: run_id.to_string(),
        seconds,
    };
    if former.seconds != "0" && program.store.set(&former).is_ok() {
        let _ = set(server, COPY_DELAY, "0", command);
    }
}

/// Puts back what a program changed in this run of the local Redis, this one or one that was killed
/// since.
pub(crate) fn restore_copy_delay(program: &mut Program, view: &View) {
    if let Ok(seen) = &view.local.seen {
        put_copy_delay_back(program, &seen.run_id);
    }
}

fn put_copy_delay_back(program: &mut Program, run_id: &str) {
    let Some(former) = program.store.get::<CopyDelay>() else {
        return;
    };
    let command = program.config.timing.command;
    let done = match program.survey.local() {
        Ok(server) if former.run_id == run_id => {
            set(server, COPY_DELAY, &former.seconds, command).is_ok()
        }
        Ok(_) => true,
        Err(_) => false,
    };
    if done {
        let _ = program.store.clear::<CopyDelay>();
    }
}

fn set(
    server: &mut Server,
    name: &str,
    value: &str,
    command: Duration,
) -> Result<(), crate::server::failure::Failure> {
    server
        .call_again(
            cmd("CONFIG").arg("SET").arg(name).arg(value),
            Deadline::after(command),
        )
        .map(|_| ())
}
