//! What `redis_backup` and `redis_fault` do: this node does not hold the VIP, so its Redis follows
//! the one that serves. The serving peer may come back an hour later and no second notification is
//! sent, so they persist.

pub(crate) mod by_sentinel;

use std::time::Duration;

use crate::act::follow;
use crate::act::handover::Trouble;
use crate::act::take_over::give_up;
use crate::act::worker::Program;
use crate::deadline::{Deadline, ms};
use crate::decide::pair::{self, Step};
use crate::exit::Outcome;
use crate::node::hook::Event;
use crate::node::turn::{Ended, Turn};

/// What is the other node's to do is left to it for this long.
const GRACE: Duration = Duration::from_secs(5);
/// Between two looks, at first.
const SOON: Duration = Duration::from_millis(50);
/// Between two looks, when nothing has changed for a while.
const LATER: Duration = Duration::from_secs(1);

/// Works until the local Redis follows the serving peer and is in sync, or a newer notification
/// comes.
pub(crate) fn run(program: &mut Program, turn: &Turn) -> Result<Outcome, Ended> {
    let mut delayed = program.config.timing.delay.is_zero();
    loop {
        turn.check()?;
        let view = program.look(true);
        let waited = program.unchanged_for(&view);
        follow::restore_copy_delay(program, &view);
        program.show_progress(&view);
        let step = pair::yield_role(&view, waited, GRACE);
        if !delayed && matches!(step, Step::Follow { .. } | Step::GiveUp(..)) {
            program.delay(turn)?;
            delayed = true;
            continue;
        }
        let taken = match &step {
            Step::Done(why) => {
                if let (Ok(seen), Some((peer, _))) = (&view.local.seen, view.serving_peer()) {
                    program.remember_synced(seen, peer);
                }
                program.transition(
                    Event::InSync,
                    why,
                    &[("took_ms", &ms(program.clock.elapsed()))],
                );
                // Whoever made it a replica may have died before it could write that down.
                program.write_role_down();
                return Ok(Outcome::Yes);
            }
            Step::Follow { peer, why, .. } => follow::follow(program, turn, &view, *peer, why),
            Step::GiveUp(peer, why) => give_up(program, turn, &view, *peer, why),
            Step::Wait(why) | Step::Hold(why) | Step::Refuse(why) => {
                program.say_waiting(why);
                Ok(())
            }
            Step::Promote(_) | Step::TakeOver(..) | Step::Raise(..) | Step::Park(..) => Ok(()),
        };
        match taken {
            Ok(()) => {}
            Err(Trouble::Ended(ended)) => return Err(ended),
            Err(trouble) => program.say_trouble(&trouble),
        }
        program.lift_stale_fence(&view);
        wait(
            turn,
            if waited < Duration::from_secs(30) {
                SOON
            } else {
                LATER
            },
        )?;
    }
}

/// A newer notification is heard within 20 ms, however long the wait.
fn wait(turn: &Turn, tick: Duration) -> Result<(), Ended> {
    let deadline = Deadline::after(tick);
    while deadline.pause(Duration::from_millis(20)) {
        turn.check()?;
    }
    turn.check()
}
