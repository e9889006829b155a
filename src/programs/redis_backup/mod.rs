//! What `redis_backup` and `redis_fault` do: this node does not hold the VIP, so its Redis follows
//! the one that serves. The serving peer may come back an hour later and no second notification is
//! sent, so they persist.

pub(crate) mod by_sentinel;

use std::time::Duration;

use crate::act::follow::follow;
use crate::act::move_role::move_role;
use crate::act::worker::Worker;
use crate::act::{copy_delay, record};
use crate::deadline::ms;
use crate::decide::pair::{self, Step};
use crate::decide::view::View;
use crate::exit::Outcome;
use crate::node::hook::Event;
use crate::node::turn::{Ended, Turn};

/// What is the other node's to do is left to it for this long.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// Between two looks, at first.
const SOON: Duration = Duration::from_millis(50);
/// Between two looks, when nothing has changed for [`WHILE`].
const LATER: Duration = Duration::from_secs(1);
const WHILE: Duration = Duration::from_secs(30);

/// Works until the local Redis follows the serving peer and is in sync, or a newer notification
/// comes.
pub(crate) fn run(worker: &mut Worker, turn: &Turn) -> Result<Outcome, Ended> {
    let mut delayed = worker.config.timing.delay.is_zero();
    loop {
        turn.check()?;
        let view = worker.look(true);
        let waited = worker.unchanged_for(&view);
        copy_delay::restore(worker, &view);
        worker.show_progress(&view);
        let step = pair::yield_role(&view, waited, GRACE);
        if !delayed && matches!(step, Step::Follow { .. } | Step::GiveUp(..)) {
            turn.pause(worker.config.timing.delay)?;
            delayed = true;
            continue;
        }
        let taken = match &step {
            Step::Done(why) => {
                in_sync(worker, &view, why);
                return Ok(Outcome::Yes);
            }
            Step::Follow { peer, why, .. } => follow(worker, turn, &view, *peer, why),
            Step::GiveUp(peer, why) => {
                let local = worker.local;
                move_role(worker, turn, &view, local, *peer, why)
            }
            Step::Wait(why) | Step::Hold(why) | Step::Refuse(why) => {
                worker.voice.waiting(why);
                Ok(())
            }
            Step::Promote(..) | Step::TakeOver(..) | Step::Raise(..) | Step::Park(..) => Ok(()),
        };
        worker.voice.outcome(taken)?;
        worker.lift_stale_fence(&view);
        turn.pause(pace(waited))?;
    }
}

/// How long until the next look, where nothing has changed for `waited`.
fn pace(waited: Duration) -> Duration {
    if waited < WHILE { SOON } else { LATER }
}

fn in_sync(worker: &mut Worker, view: &View, why: &str) {
    if let (Ok(seen), Some((peer, _))) = (&view.local.seen, view.serving_peer()) {
        record::remember_synced(worker, seen, peer);
    }
    worker.voice.transition(
        Event::InSync,
        why,
        &[("took_ms", &ms(worker.clock.elapsed()))],
    );
    // Whoever made it a replica may have died before it could write that down.
    let local = worker.local;
    record::rewrite(worker, &[local]).warn(&worker.voice);
}
