//! What `redis_master` does: this node has been given the VIP, so its Redis becomes master. Every
//! millisecond is outage.

pub(crate) mod by_sentinel;

use std::time::Duration;

use crate::act::handover::Trouble;
use crate::act::hold::{hold, release, releasing};
use crate::act::promote::{is_settled, park, promote, raise, settle};
use crate::act::take_over::take_over;
use crate::act::worker::Program;
use crate::act::{bring_along, follow};
use crate::deadline::{Deadline, ms};
use crate::decide::pair::{self, Step};
use crate::decide::view::{View, Vip};
use crate::exit::Outcome;
use crate::node::hook::Event;
use crate::node::turn::{Ended, Turn};

/// Between two looks. A look is two round trips; what is waited for here is seconds away, or a
/// loading Redis.
const TICK: Duration = Duration::from_millis(20);

/// Works until the local Redis is master, a newer notification comes, or `timing.sync` is used up.
/// With `again` the state was MASTER before: `notify_master_rx_lower_pri` comes with every advert,
/// up to ten a second, and what it finds in order is not worth a line.
pub(crate) fn run(program: &mut Program, turn: &Turn, again: bool) -> Result<Outcome, Ended> {
    releasing(program, |program, held| work(program, turn, again, held))
}

fn work(
    program: &mut Program,
    turn: &Turn,
    again: bool,
    held: &mut bool,
) -> Result<Outcome, Ended> {
    let timing = &program.config.timing;
    // Never given up before it is known that nobody else is there.
    let patience = timing
        .sync
        .max(timing.alone_after + Duration::from_secs(10));
    let budget = Deadline::after(patience);
    let mut delayed = program.config.timing.delay.is_zero();
    loop {
        turn.check()?;
        let mut view = program.look(true);
        let waited = program.unchanged_for(&view);
        follow::restore_copy_delay(program, &view);
        program.show_progress(&view);
        let mut step = pair::serve(&view, waited);
        if matches!(step, Step::Done(_)) {
            // An older program may be in the middle of a step that it is about to undo: look again
            // when it has left.
            drop(turn.act()?);
            view = program.look(true);
            step = pair::serve(&view, program.unchanged_for(&view));
        }
        if again
            && matches!(&step, Step::Done(_))
            && is_settled(program, &view)
            && !program.lift_stale_fence(&view)
        {
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
            program.journal.line(
                &format!("gave up after {waited} s (timing.sync); the check now fails here"),
                &[],
            );
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
            program.say_waiting(
                "a handover from here, or what it left behind, still stops the writes",
            );
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
                if !seen
                    .term
                    .as_ref()
                    .is_some_and(|term| term.node == program.local && term.replid == *replid)
                {
                    program.write_term(view, program.local, replid);
                }
            }
            if !is_settled(program, view) {
                // Whoever promoted it may have died before it could write that down.
                program.write_role_down();
                settle(
                    program,
                    view.local
                        .seen
                        .as_ref()
                        .map_or("", |seen| &seen.replication.lineage.replid),
                );
                bring_along::bring_along(program, turn, program.local)?;
            }
            let took = ms(program.clock.elapsed());
            program.transition(
                Event::Serving,
                &format!("serving: {why}"),
                &[("took_ms", &took)],
            );
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
        Step::Promote(why) => {
            promote(program, turn, view, why).and_then(|done| followed(program, turn, done))
        }
        Step::TakeOver(peer, why) => take_over(program, turn, view, *peer, why)
            .and_then(|done| followed(program, turn, done)),
        Step::Park(node, why) => park(program, turn, *node, why).map(|()| None),
        Step::Raise(peer, why) => raise(program, turn, view, *peer, why).map(|()| None),
        Step::Follow { peer, why, .. } => {
            follow::follow(program, turn, view, *peer, why).map(|()| None)
        }
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
    program.journal.line(
        &format!("warning: the VIP {vip} is not on this machine; is vip right in {path}?"),
        &[],
    );
}
