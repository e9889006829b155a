//! What `redis_master` does in Sentinel mode: this node has been given the VIP, so Sentinel is
//! asked to move the role, where it has not done so by itself. No role is changed but through
//! Sentinel; what it has decided is carried out.

use std::time::Duration;

use crate::act::by_sentinel::hand_over::hand_over;
use crate::act::by_sentinel::{TICK, promote};
use crate::act::handover::Trouble;
use crate::act::hold::{hold, releasing};
use crate::act::worker::{Program, look_with_sentinels};
use crate::deadline::{Deadline, Stopwatch, ms};
use crate::decide::sentinel::{self, Named, Step};
use crate::exit::Outcome;
use crate::node::hook::Event;
use crate::node::turn::{Ended, Turn};

/// After a sentinel has refused.
const REFUSED: Duration = Duration::from_millis(250);

/// Works until the local Redis is master by Sentinel's word, Sentinel has chosen another node, a
/// newer notification comes, or `timing.sync` is used up. With `again` the state was MASTER before,
/// and what is found in order is not worth a line.
pub(crate) fn run(program: &mut Program, turn: &Turn, again: bool) -> Result<Outcome, Ended> {
    releasing(program, |program, held| work(program, turn, again, held))
}

fn work(
    program: &mut Program,
    turn: &Turn,
    again: bool,
    held: &mut bool,
) -> Result<Outcome, Ended> {
    let Some(mut sentinels) = program.sentinels() else {
        return Ok(Outcome::No);
    };
    let budget = Deadline::after(program.config.timing.sync);
    let mut delayed = program.config.timing.delay.is_zero();
    // Since when the role should move.
    let mut moving: Option<Stopwatch> = None;
    let (mut promoted, mut cut_off) = (false, false);
    loop {
        turn.check()?;
        let (view, mut scene) = look_with_sentinels(program, &mut sentinels);
        cut_off |= scene.poll.named() == Named::Silent;
        scene.was_cut_off = cut_off;
        let unchanged = program.unchanged_for(&view);
        let mut step = sentinel::serve(&scene, unchanged);
        if matches!(step, Step::HandOver(..))
            && !cut_off
            && sentinels.stood_still(program.local.ip())
        {
            (cut_off, scene.was_cut_off) = (true, true);
            step = sentinel::serve(&scene, unchanged);
        }
        if !delayed && matches!(step, Step::Promote(..) | Step::HandOver(..)) {
            program.delay(turn)?;
            delayed = true;
            continue;
        }
        let waited = match &step {
            Step::Promote(..) | Step::HandOver(..) => {
                moving.get_or_insert_with(Stopwatch::start).elapsed()
            }
            _ => Duration::ZERO,
        };
        let taken = match &step {
            Step::Done(why) => {
                if !again {
                    let took = ms(program.clock.elapsed());
                    program.transition(
                        Event::Serving,
                        &format!("serving: {why}"),
                        &[("took_ms", &took)],
                    );
                }
                return Ok(Outcome::Yes);
            }
            Step::Refuse(why) => {
                program.journal.line(&format!("nothing done: {why}"), &[]);
                return Ok(Outcome::No);
            }
            // A restarted master may be named for another second; Sentinel has decided.
            Step::Wait(_) | Step::Hold(_) if promoted => {
                program.say_waiting(&format!(
                    "promoted, until enough sentinels name it: {}",
                    scene.poll
                ));
                Ok(None)
            }
            Step::Wait(why) => {
                program.say_waiting(why);
                Ok(None)
            }
            Step::Hold(why) => {
                hold(program, &view, held);
                program.say_waiting(&format!("{why}; its writes are held"));
                Ok(None)
            }
            Step::Promote(master, why) => promote(
                program,
                turn,
                &mut sentinels,
                (&view, &scene),
                (*master, waited),
                why,
            ),
            Step::HandOver(master, why) => hand_over(
                program,
                turn,
                &mut sentinels,
                (&view, &scene),
                (*master, waited),
                why,
            ),
        };
        promoted |= taken == Ok(None) && matches!(&step, Step::Promote(..) | Step::HandOver(..));
        let tick = match taken {
            Ok(Some(outcome)) => return Ok(outcome),
            Ok(None) => TICK,
            Err(Trouble::Ended(ended)) => return Err(ended),
            Err(trouble) => {
                program.say_trouble(&trouble);
                REFUSED
            }
        };
        if !budget.pause(tick) {
            let waited = program.config.timing.sync.as_secs();
            program
                .journal
                .line(&format!("gave up after {waited} s (timing.sync)"), &[]);
            return Ok(Outcome::No);
        }
    }
}
