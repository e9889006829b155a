//! What `redis_stop` does: keepalived stops. The VIP is gone already and the peer's `redis_master`
//! takes the role at this very moment; keepalived kills us after a second (K6), so we look on for
//! less than that and say what was seen.

use std::time::Duration;

use crate::act::record;
use crate::act::worker::Worker;
use crate::deadline::{Deadline, ms};
use crate::exit::Outcome;
use crate::node::turn::{Ended, Turn};
use crate::server::info::Role;

/// Done within 0.8 s, the journal line included.
const WATCH: Duration = Duration::from_millis(700);
const TICK: Duration = Duration::from_millis(10);

/// Says what becomes of the role.
///
/// # Errors
/// [`Ended`]: keepalived was started again meanwhile, or it ends us.
pub(crate) fn run(worker: &mut Worker, turn: &Turn) -> Result<Outcome, Ended> {
    let deadline = Deadline::after(WATCH.saturating_sub(worker.clock.elapsed()));
    let mut was_master = false;
    loop {
        turn.check()?;
        let seen = worker.survey.look_local(deadline);
        let took = ms(worker.clock.elapsed());
        match seen.as_ref().map(|seen| &seen.replication.role) {
            Ok(Role::Replica(of)) => {
                record::forget_served(worker);
                let sentence = if was_master {
                    format!("handed the role over to {}:{}", of.host, of.port)
                } else {
                    format!("nothing to hand over: a replica of {}:{}", of.host, of.port)
                };
                worker.voice.line(&sentence, &[("took_ms", &took)]);
                return Ok(Outcome::Yes);
            }
            Ok(Role::Master) => was_master = true,
            Err(failure) => {
                worker.voice.line(
                    &format!("the local Redis at {}: {failure}", worker.local),
                    &[],
                );
                return Ok(Outcome::Yes);
            }
        }
        if !deadline.pause(TICK) {
            let sentence =
                "still master: no other node has taken the role yet (it keeps its data either way)";
            worker.voice.line(sentence, &[("took_ms", &took)]);
            return Ok(Outcome::Yes);
        }
    }
}
