//! What `redis_master` does in Sentinel mode: this node has been given the VIP, so Sentinel is
//! asked to move the role, where it has not done so by itself. No role is changed but through
//! Sentinel; what it has decided is carried out.

use std::net::SocketAddr;
use std::time::Duration;

use crate::act::by_sentinel::{Attempt, TICK};
use crate::act::local_writes::LocalWrites;
use crate::act::trouble::Trouble;
use crate::act::worker::Worker;
use crate::deadline::{Deadline, Stopwatch, ms};
use crate::decide::sentinel::{self, Move, Named, Scene};
use crate::exit::Outcome;
use crate::look::sentinels::Sentinels;
use crate::node::hook::Event;
use crate::node::turn::{Ended, Turn};

/// After a sentinel has refused.
const REFUSED: Duration = Duration::from_millis(250);

/// Works until the local Redis is master by Sentinel's word, Sentinel has chosen another node, a
/// newer notification comes, or `timing.sync` is used up. With `again` the state was MASTER before,
/// and what is found in order is not worth a line.
pub(crate) fn run(worker: &mut Worker, turn: &Turn, again: bool) -> Result<Outcome, Ended> {
    let Some(sentinels) = worker.sentinels() else {
        return Ok(Outcome::No);
    };
    let mut work = Work {
        worker,
        turn,
        again,
        sentinels,
        writes: LocalWrites::default(),
        moving: None,
        promoted: false,
        cut_off: false,
    };
    let outcome = work.until_done();
    work.writes.release(work.worker);
    outcome
}

struct Work<'a> {
    worker: &'a mut Worker,
    turn: &'a Turn,
    again: bool,
    sentinels: Sentinels,
    writes: LocalWrites,
    /// Since when the role should move.
    moving: Option<Stopwatch>,
    /// A sentinel has promoted this node.
    promoted: bool,
    cut_off: bool,
}

impl Work<'_> {
    fn until_done(&mut self) -> Result<Outcome, Ended> {
        let timing = self.worker.config.timing.clone();
        let budget = Deadline::after(timing.sync);
        let mut delayed = timing.delay.is_zero();
        loop {
            self.turn.check()?;
            let (scene, next) = self.look();
            if !delayed && matches!(next, Move::Promote(..) | Move::HandOver(..)) {
                self.turn.pause(timing.delay)?;
                delayed = true;
                continue;
            }
            let taken = self.take(&scene, &next);
            let tick = match self.worker.voice.outcome(taken)? {
                Some(Some(outcome)) => return Ok(outcome),
                Some(None) => TICK,
                None => REFUSED,
            };
            if !budget.pause(tick) {
                let waited = timing.sync.as_secs();
                self.worker
                    .voice
                    .line(&format!("gave up after {waited} s (timing.sync)"), &[]);
                return Ok(Outcome::No);
            }
        }
    }

    fn look(&mut self) -> (Scene, Move) {
        let mut scene = self.worker.look_with_sentinels(&mut self.sentinels);
        self.cut_off |= scene.poll.named() == Named::Silent;
        scene.was_cut_off = self.cut_off;
        let unchanged = self.worker.unchanged_for(&scene.view);
        let mut next = sentinel::serve(&scene, unchanged);
        if matches!(next, Move::HandOver(..))
            && !self.cut_off
            && self.sentinels.stood_still(self.worker.local.ip())
        {
            (self.cut_off, scene.was_cut_off) = (true, true);
            next = sentinel::serve(&scene, unchanged);
        }
        (scene, next)
    }

    fn take(&mut self, scene: &Scene, next: &Move) -> Result<Option<Outcome>, Trouble> {
        match next {
            Move::Done(why) => {
                if !self.again {
                    let took = ms(self.worker.clock.elapsed());
                    self.worker.voice.transition(
                        Event::Serving,
                        &format!("serving: {why}"),
                        &[("took_ms", &took)],
                    );
                }
                return Ok(Some(Outcome::Yes));
            }
            Move::Refuse(why) => {
                let sentence = format!("nothing done: {why}");
                self.worker.voice.line(&sentence, &[]);
                return Ok(Some(Outcome::No));
            }
            // A restarted master may be named for another second; Sentinel has decided.
            Move::Wait(_) | Move::Hold(_) if self.promoted => {
                self.worker.voice.waiting(&format!(
                    "promoted, until enough sentinels name it: {}",
                    scene.poll
                ));
            }
            Move::Wait(why) => self.worker.voice.waiting(why),
            Move::Hold(why) => {
                self.writes.hold(self.worker, &scene.view);
                self.worker
                    .voice
                    .waiting(&format!("{why}; its writes are held"));
            }
            Move::Promote(master, why) => {
                let done = self.attempt(scene, *master, why).promote()?;
                self.promoted |= done.is_none();
                return Ok(done);
            }
            Move::HandOver(master, why) => {
                let done = self.attempt(scene, *master, why).hand_over()?;
                self.promoted |= done.is_none();
                return Ok(done);
            }
        }
        Ok(None)
    }

    fn attempt<'a>(
        &'a mut self,
        scene: &'a Scene,
        master: SocketAddr,
        why: &'a str,
    ) -> Attempt<'a> {
        let waited = self.moving.get_or_insert_with(Stopwatch::start).elapsed();
        Attempt {
            worker: self.worker,
            turn: self.turn,
            sentinels: &mut self.sentinels,
            scene,
            master,
            waited,
            why,
        }
    }
}
