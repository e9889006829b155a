//! What `redis_master` does: this node has been given the VIP, so its Redis becomes master. Every millisecond is
//! outage.

pub mod by_sentinel;

use std::net::SocketAddr;
use std::time::Duration;

use crate::act::handover::{self, Side, Trouble, failed};
use crate::act::worker::{Outcome, Program, observed};
use crate::act::{bring_along, follow};
use crate::deadline::{Deadline, Stopwatch, ms};
use crate::decide::view::{self, Step, View, Vip};
use crate::node::hook::Event;
use crate::node::turn::{Ended, Turn};
use crate::server::fence;

/// Between two looks. A look is two round trips; what is waited for here is seconds away, or a loading Redis.
const TICK: Duration = Duration::from_millis(20);
/// Writes are held this long at a time while it is not known whether the local data is old.
const HOLD: Duration = Duration::from_millis(1500);
/// For an older program to leave its step: its commands have deadlines of their own.
const ACT_WAIT: Duration = Duration::from_secs(3);

/// Works until the local Redis is master, a newer notification comes, or `timing.sync` is used up. With `again` the
/// state was MASTER before: `notify_master_rx_lower_pri` comes with every advert, up to ten a second, and what it finds
/// in order is not worth a line.
///
/// # Errors
/// [`Ended`]: a newer notification, or SIGTERM.
pub fn run(program: &mut Program, turn: &Turn, again: bool) -> Result<Outcome, Ended> {
    releasing(program, |program, held| work(program, turn, again, held))
}

/// Does `work`, which may hold the local writes and then says so, and lets them go on at its end.
pub(crate) fn releasing<T>(program: &mut Program, work: impl FnOnce(&mut Program, &mut bool) -> T) -> T {
    let mut held = false;
    let done = work(program, &mut held);
    if held {
        release(program);
    }
    done
}

fn work(program: &mut Program, turn: &Turn, again: bool, held: &mut bool) -> Result<Outcome, Ended> {
    let timing = &program.config.timing;
    // Never given up before it is known that nobody else is there.
    let patience = timing.sync.max(timing.alone_after + Duration::from_secs(10));
    let budget = Deadline::after(patience);
    let mut delayed = program.config.timing.delay.is_zero();
    loop {
        turn.check()?;
        let mut view = program.look(true);
        let waited = program.unchanged_for(&view);
        follow::restore_copy_delay(program, &view);
        program.show_progress(&view);
        let mut step = view::serve(&view, waited);
        if matches!(step, Step::Done(_)) {
            // An older program may be in the middle of a step that it is about to undo: look again when it has left.
            drop(turn.act(Deadline::after(ACT_WAIT))?);
            view = program.look(true);
            step = view::serve(&view, program.unchanged_for(&view));
        }
        if again && matches!(&step, Step::Done(_)) && is_settled(program, &view) && !program.lift_stale_fence(&view) {
            return Ok(Outcome::Yes);
        }
        if !delayed && !matches!(step, Step::Done(_) | Step::Refuse(_)) {
            program.delay(turn)?;
            delayed = true;
            continue;
        }
        match take(program, turn, &view, &step, held) {
            Ok(Some(outcome)) => {
                if outcome == Outcome::Yes && view.vip != Vip::Here {
                    warn_without_vip(program);
                }
                return Ok(outcome);
            }
            Ok(None) => {}
            Err(Trouble::Ended(ended)) => return Err(ended),
            Err(trouble) => program.say_trouble(&trouble),
        }
        if !budget.pause(TICK) {
            let waited = patience.as_secs();
            program.journal.line(&format!("gave up after {waited} s (timing.sync); the check now fails here"), &[]);
            return Ok(Outcome::No);
        }
    }
}

fn take(
    program: &mut Program,
    turn: &Turn,
    view: &View,
    step: &Step,
    held: &mut bool,
) -> Result<Option<Outcome>, Trouble> {
    match step {
        Step::Done(_) if program.lift_stale_fence(view) => {
            program.say_waiting("a handover from here, or what it left behind, still stops the writes");
            Ok(None)
        }
        Step::Done(why) => {
            if *held {
                release(program);
                *held = false;
            }
            if let Ok(seen) = &view.local.seen {
                let replid = &seen.replication.lineage.replid;
                program.remember_served(&seen.run_id, replid);
                if !seen.term.as_ref().is_some_and(|term| term.node == program.local && term.replid == *replid) {
                    program.write_term(view, program.local, replid);
                }
            }
            if !is_settled(program, view) {
                // Whoever promoted it may have died before it could write that down.
                program.write_role_down();
                settle(program, view.local.seen.as_ref().map_or("", |seen| &seen.replication.lineage.replid));
                bring_along::bring_along(program, turn, program.local)?;
            }
            let took = ms(program.clock.elapsed());
            program.transition(Event::Serving, &format!("serving: {why}"), &[("took_ms", &took)]);
            Ok(Some(Outcome::Yes))
        }
        Step::Refuse(why) => {
            program.journal.line(&format!("nothing done: {why}"), &[]);
            Ok(Some(Outcome::No))
        }
        Step::Wait(why) => {
            program.say_waiting(why);
            Ok(None)
        }
        Step::Hold(why) => {
            hold(program, view, held);
            program.say_waiting(&format!("{why}; its writes are held"));
            Ok(None)
        }
        Step::Promote(why) => promote(program, turn, view, why).and_then(|done| followed(program, turn, done)),
        Step::TakeOver(peer, why) => {
            take_over(program, turn, view, *peer, why).and_then(|done| followed(program, turn, done))
        }
        Step::Park(node, why) => park(program, turn, *node, why).map(|()| None),
        Step::Raise(peer, why) => raise(program, turn, view, *peer, why).map(|()| None),
        Step::Follow { peer, why, .. } => follow::follow(program, turn, view, *peer, why).map(|()| None),
        Step::GiveUp(..) => Ok(None),
    }
}

/// The role is here: clients write, and nobody waits for this.
fn followed(program: &mut Program, turn: &Turn, done: Outcome) -> Result<Option<Outcome>, Trouble> {
    let local = program.local;
    bring_along::bring_along(program, turn, local)?;
    Ok(Some(done))
}

fn warn_without_vip(program: &Program) {
    let (vip, path) = (program.config.vip, program.config.path.display());
    program.journal.line(&format!("warning: the VIP {vip} is not on this machine; is vip right in {path}?"), &[]);
}

/// The history whose term and role have been written down, as far as they could.
const SETTLED: &str = "settled";

fn settle(program: &Program, replid: &str) {
    // Where it can't be remembered it is done again the next time.
    let _ = program.store.set_note(SETTLED, replid);
}

fn is_settled(program: &Program, view: &View) -> bool {
    let Ok(seen) = &view.local.seen else { return false };
    let settled = program.store.note(SETTLED).is_some_and(|replid| replid == seen.replication.lineage.replid);
    settled && view.served_this_run(seen)
}

fn promote(program: &mut Program, turn: &Turn, view: &View, why: &str) -> Result<Outcome, Trouble> {
    let clock = Stopwatch::start();
    let (local, command) = (program.local, program.config.timing.command);
    let seen = observed(view, local)?;
    let _acting = turn.act(Deadline::after(ACT_WAIT))?;
    let server = program.survey.local().map_err(|failure| failed("connecting to", local, failure))?;
    let mut side = Side { server, address: local, version: seen.version };
    let replid = handover::promote(&mut side, command, &|| turn.check())?;
    let (step, total) = (ms(clock.elapsed()), ms(program.clock.elapsed()));
    let _ = fence::lift(side.server, seen.version, command);
    program.remember_served(&seen.run_id, &replid);
    program.write_term(view, local, &replid);
    let rewritten = program.survey.local().and_then(|server| handover::rewrite_config(server, command));
    settle(program, &replid);
    for peer in &view.peers {
        if let Err(failure) = &peer.seen {
            program.journal.line(&format!("{} is gone: {failure}", peer.address), &[("peer", &peer.address)]);
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
        program.journal.line(&format!("{drained}, and serves all the same: no other node does"), &[]);
    }
    Ok(Outcome::Yes)
}

fn take_over(program: &mut Program, turn: &Turn, view: &View, peer: SocketAddr, why: &str) -> Result<Outcome, Trouble> {
    let (local, command) = (program.local, program.config.timing.command);
    let (mine, theirs) = (observed(view, local)?, observed(view, peer)?);
    let _acting = turn.act(Deadline::after(ACT_WAIT))?;
    let (taker, giver) = program.survey.local_and(peer).map_err(|failure| failed("connecting to", peer, failure))?;
    let mut taker = Side { server: taker, address: local, version: mine.version };
    let mut giver = Side { server: giver, address: peer, version: theirs.version };
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
        &[("took_ms", &ms(moved.took)), ("since_start_ms", &total), ("offset", &moved.offset), ("peer", &peer)],
    );
    program.warn_moved(peer, &moved, disconnected);
    for (node, result) in rewritten {
        program.warn_rewrite(node, result);
    }
    Ok(Outcome::Yes)
}

/// Makes the peer master for the moment: the local Redis follows it, catches up, and takes the role over.
fn raise(program: &mut Program, turn: &Turn, view: &View, peer: SocketAddr, why: &str) -> Result<(), Trouble> {
    let command = program.config.timing.command;
    let version = observed(view, peer)?.version;
    let _acting = turn.act(Deadline::after(ACT_WAIT))?;
    let server = program.survey.node(peer).map_err(|failure| failed("connecting to", peer, failure))?;
    let mut side = Side { server, address: peer, version };
    let replid = handover::promote(&mut side, command, &|| turn.check())?;
    program.write_term(view, peer, &replid);
    program.journal.line(&format!("made {peer} master until we have its data: {why}"), &[("peer", &peer)]);
    Ok(())
}

/// Makes a node a replica of nobody: it keeps its data, takes no writes, and its own program follows from there.
fn park(program: &mut Program, turn: &Turn, node: SocketAddr, why: &str) -> Result<(), Trouble> {
    let command = program.config.timing.command;
    let _acting = turn.act(Deadline::after(ACT_WAIT))?;
    let parked = program.survey.node(node).and_then(|server| handover::park(server, command));
    parked.map_err(|failure| failed("parking", node, failure))?;
    program.journal.line(&format!("made {node} a replica of nobody for the moment: {why}"), &[("peer", &node)]);
    Ok(())
}

/// Stops the writes of the local Redis for a moment, from 6.2 on; `held` says that they are to be let go on.
pub(crate) fn hold(program: &mut Program, view: &View, held: &mut bool) {
    let Ok(seen) = &view.local.seen else { return };
    let command = program.config.timing.command;
    if let Ok(server) = program.survey.local()
        && server.can_pause_writes(seen.version)
    {
        *held |= fence::hold_writes(server, HOLD, command).is_ok();
    }
}

fn release(program: &mut Program) {
    let command = program.config.timing.command;
    if let Ok(server) = program.survey.local() {
        // It ends by itself in a moment, should this fail.
        let _ = fence::release_writes(server, command);
    }
}
