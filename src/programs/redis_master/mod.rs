//! What `redis_master` does: this node has been given the VIP, so its Redis becomes master. Every
//! millisecond is outage.

pub(crate) mod by_sentinel;

use std::time::Duration;

use crate::act::bring_along::bring_along;
use crate::act::follow::follow;
use crate::act::local_writes::LocalWrites;
use crate::act::move_role::move_role;
use crate::act::promote::{park, promote, raise};
use crate::act::trouble::Trouble;
use crate::act::worker::Worker;
use crate::act::{copy_delay, record};
use crate::deadline::{Deadline, ms};
use crate::decide::pair::{self, Reign, Step};
use crate::decide::view::{View, Vip};
use crate::exit::Outcome;
use crate::node::hook::Event;
use crate::node::turn::{Ended, Turn};
use crate::server::term::Term;

/// Between two looks. A look is two round trips; what is waited for here is seconds away, or a
/// loading Redis.
const TICK: Duration = Duration::from_millis(20);

/// Works until the local Redis is master, a newer notification comes, or `timing.sync` is used up.
/// With `again` the state was MASTER before: `notify_master_rx_lower_pri` comes with every advert,
/// up to ten a second, and what it finds in order is not worth a line.
pub(crate) fn run(worker: &mut Worker, turn: &Turn, again: bool) -> Result<Outcome, Ended> {
    let mut writes = LocalWrites::default();
    let outcome = until_done(worker, turn, again, &mut writes);
    writes.release(worker);
    outcome
}

fn until_done(
    worker: &mut Worker,
    turn: &Turn,
    again: bool,
    writes: &mut LocalWrites,
) -> Result<Outcome, Ended> {
    let timing = &worker.config.timing;
    // Never given up before it is known that nobody else is there.
    let patience = timing
        .sync
        .max(timing.alone_after + Duration::from_secs(10));
    let budget = Deadline::after(patience);
    let mut delayed = timing.delay.is_zero();
    loop {
        turn.check()?;
        let mut view = worker.look(true);
        let waited = worker.unchanged_for(&view);
        copy_delay::restore(worker, &view);
        worker.show_progress(&view);
        let mut step = pair::serve(&view, waited);
        if matches!(step, Step::Done(_)) {
            // An older program may be in the middle of a step that it is about to undo: look again
            // when it has left.
            drop(turn.act()?);
            view = worker.look(true);
            step = pair::serve(&view, worker.unchanged_for(&view));
        }
        if again
            && matches!(&step, Step::Done(_))
            && record::is_settled(worker, &view)
            && !worker.lift_stale_fence(&view)
        {
            return Ok(Outcome::Yes);
        }
        if !delayed && !matches!(step, Step::Done(_) | Step::Refuse(_)) {
            turn.pause(worker.config.timing.delay)?;
            delayed = true;
            continue;
        }
        let taken = take(worker, turn, &view, &step, writes);
        if let Some(Some(outcome)) = worker.voice.outcome(taken)? {
            if outcome == Outcome::Yes && view.vip != Vip::Here {
                warn_without_vip(worker);
            }
            return Ok(outcome);
        }
        if !budget.pause(TICK) {
            let waited = patience.as_secs();
            worker.voice.line(
                &format!("gave up after {waited} s (timing.sync); the check now fails here"),
                &[],
            );
            return Ok(Outcome::No);
        }
    }
}

/// What it came to; `None` while there is more to do.
fn take(
    worker: &mut Worker,
    turn: &Turn,
    view: &View,
    step: &Step,
    writes: &mut LocalWrites,
) -> Result<Option<Outcome>, Trouble> {
    match step {
        Step::Done(_) if worker.lift_stale_fence(view) => {
            worker
                .voice
                .waiting("a handover from here, or what it left behind, still stops the writes");
        }
        Step::Done(why) => {
            writes.release(worker);
            serve(worker, turn, view, why)?;
            return Ok(Some(Outcome::Yes));
        }
        Step::Refuse(why) => {
            worker.voice.line(&format!("nothing done: {why}"), &[]);
            return Ok(Some(Outcome::No));
        }
        Step::Wait(why) => worker.voice.waiting(why),
        Step::Hold(why) => {
            writes.hold(worker, view);
            worker.voice.waiting(&format!("{why}; its writes are held"));
        }
        Step::Promote(reign, why) => {
            // A term is a write, too.
            writes.release(worker);
            promote(worker, turn, view, *reign, why)?;
            return Ok(Some(Outcome::Yes));
        }
        Step::TakeOver(peer, why) => {
            let local = worker.local;
            move_role(worker, turn, view, *peer, local, why)?;
            return Ok(Some(Outcome::Yes));
        }
        Step::Park(node, why) => park(worker, turn, *node, why)?,
        Step::Raise(peer, why) => raise(worker, turn, view, *peer, why)?,
        Step::Follow { peer, why, .. } => follow(worker, turn, view, *peer, why)?,
        Step::GiveUp(..) => {}
    }
    Ok(None)
}

/// The local Redis is master already: what is not written down of that is.
fn serve(worker: &mut Worker, turn: &Turn, view: &View, why: &str) -> Result<(), Trouble> {
    let local = worker.local;
    let replid = view
        .local
        .up()
        .map_or("", |seen| &seen.replication.lineage.replid);
    if let Ok(seen) = &view.local.seen {
        let is_ours = |term: &Term| term.node == local && term.replid == *replid;
        if !seen.term.as_ref().is_some_and(is_ours) {
            match view.pending_term(seen) {
                Some(term) => record::put_term(worker, view, local, term),
                None => record::write_term(worker, view, Reign::Sure, local),
            }
        }
        record::remember_served(worker, &seen.run_id, replid);
    }
    if !record::is_settled(worker, view) {
        // Whoever promoted it may have died before it could write that down.
        record::rewrite(worker, &[local]).warn(&worker.voice);
        record::settle(worker, replid);
        bring_along(worker, turn, local)?;
    }
    worker.voice.transition(
        Event::Serving,
        &format!("serving: {why}"),
        &[("took_ms", &ms(worker.clock.elapsed()))],
    );
    Ok(())
}

fn warn_without_vip(worker: &Worker) {
    let (vip, path) = (worker.config.vip, worker.config.path.display());
    worker.voice.warn(format_args!(
        "the VIP {vip} is not on this machine; is vip right in {path}?"
    ));
}
