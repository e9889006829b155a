//! A client that leaves nothing: everything is flushed, and nothing more is done for a while. A
//! service without a key is not one that has lost its data.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};

use super::history::{Life, Object, Seen, State, Step};
use super::look::look;
use super::worker::lock;
use super::{Held, WORKERS, Workload};
use crate::redis_client::{self, Connection, Reply};
use crate::redis_server::PASSWORD;
use crate::story::Story;
use crate::writer::TIMEOUT;

/// A flush whose answer does not come can still be done this much later, and no more: it is bound
/// to a key that is gone by then. Otherwise it might take what the next lives have written.
const BOUND: Duration = Duration::from_millis(300);
const TOKEN: &str = "v:flush";
const SCRIPT: &str = "if redis.call('EXISTS', KEYS[1]) == 1 then return redis.call('FLUSHALL') end \
                      return redis.error_reply('LATE')";
/// Attempts, where the service refuses.
const TRIES: usize = 20;

/// While this is held nothing is done.
pub struct Rest<'a> {
    workload: &'a Workload,
    story: Story,
    from: Duration,
    /// Dropped after the end of the rest is written down.
    _held: Held<'a>,
}

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        let to = self.story.now();
        self.story.add("client", "does", "goes on");
        lock(&self.workload.shared.rests).push((self.from, to));
    }
}

impl Workload {
    /// Flushes everything, all lives of the past included, and does nothing more until the rest is
    /// dropped. Then other lives begin.
    ///
    /// # Errors
    /// Where the service does not do it, or does not answer.
    pub fn empty(&self) -> Result<Rest<'_>> {
        let held = self.hold();
        let story = self.shared.story.clone();
        let mut last = anyhow!("not tried");
        for _ in 0..TRIES {
            match self.try_empty(&story) {
                Ok(()) => {
                    let from = story.now();
                    story.add("client", "does", "all is flushed, and nothing more is done");
                    return Ok(Rest {
                        workload: self,
                        story,
                        from,
                        _held: held,
                    });
                }
                Err(e) => last = e,
            }
            std::thread::sleep(TIMEOUT);
        }
        Err(last)
    }

    fn try_empty(&self, story: &Story) -> Result<()> {
        let lives = self.lives();
        let bound = BOUND.as_millis().to_string();
        let (shown, sent, outcome) = self.shared.client.within(|| {
            let mut redis = Connection::open_within(self.shared.target, PASSWORD, TIMEOUT, BOUND)?;
            let shown = look(&mut redis, &lives, WORKERS)?;
            let set = redis.call(&["SET", TOKEN, "1", "PX", &bound])?;
            anyhow::ensure!(set.is_ok(), "{}", set.text());
            let sent = story.now();
            Ok((shown, sent, redis.call(&["EVAL", SCRIPT, "1", TOKEN])))
        })?;
        let acknowledged = outcome.as_ref().is_ok_and(Reply::is_ok);
        if let Ok(reply) = &outcome
            && reply.code().is_some()
        {
            bail!("{}", reply.text());
        }
        if !acknowledged {
            std::thread::sleep(2 * BOUND);
        }
        let flush = self.shared.flushes.fetch_add(1, Ordering::Relaxed) + 1;
        let shown = lives
            .iter()
            .map(|life| (life.worker, life.number))
            .zip(shown);
        for ((worker, number), seen) in shown {
            let mut lives = lock(&self.shared.lives[usize::from(worker)]);
            if let Some(life) = lives.get_mut(usize::from(number)) {
                flushed(life, &seen, flush, acknowledged, (sent, story.now()));
            }
        }
        self.begin_anew();
        match outcome {
            Ok(_) => Ok(()),
            Err(e) => bail!("FLUSHALL: {}", redis_client::kind(&e)),
        }
    }
}

/// A life of which the flushed service has everything is nothing from then on. One that it has not
/// as a whole is another history's, and the flush is no step of it; but those of its objects that
/// were as they should be are gone with it.
fn flushed(
    life: &mut Life,
    seen: &Seen,
    flush: u64,
    acknowledged: bool,
    (sent, at): (Duration, Duration),
) {
    let mark = seen.mark;
    if life.flushed.is_none() && mark < life.acknowledged() {
        let right = |object: &Object| seen.state(*object) == life.now(*object);
        let right: Vec<Object> = life.objects().into_iter().filter(right).collect();
        life.excused.extend(right);
    }
    if life.flushed.is_some() || mark < life.acknowledged() {
        return;
    }
    let last = life.steps.last();
    let open = last.filter(|step| !step.acknowledged && step.number > mark);
    let open = open.map(|step| step.effects.clone()).unwrap_or_default();
    life.excused
        .extend(open.into_iter().map(|(object, _)| object));
    let touched = life.objects().into_iter();
    let effects = touched
        .filter(|object| *life.now(*object) != State::Nothing)
        .map(|object| (object, State::Nothing))
        .collect();
    life.add(Step {
        number: life.next_number(),
        command: "FLUSHALL".to_owned(),
        effects,
        sent,
        at,
        acknowledged,
    });
    life.flushed = Some(flush);
}
