//! A client that lives like an application: it sets and deletes keys, lets them expire, pushes and
//! pops jobs until a queue is empty, counts, appends to streams, flushes a database of its own, in
//! single commands, transactions, scripts and functions.
//!
//! Unlike keys that are only ever added, this shows when something comes back: a deleted key, a
//! popped job, an old count, what was flushed. Each thread has objects of its own and knows what
//! each of them is after each step (`history`), so that what a data set shows can be judged
//! exactly.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

mod accounts;
mod draw;
mod empty;
mod history;
mod look;
mod worker;

pub use accounts::{Accounts, Found};
pub use empty::Rest;
pub use history::{Life, Missing, Object, Seen, State, Step, judge};
pub use look::{DATABASES, look};

use self::worker::{Worker, lock};
use crate::netns::NetNs;
use crate::story::Story;
use crate::writer::{Ack, Rate, Written};

/// So many threads, each with keys of its own.
pub const WORKERS: u16 = 3;
/// Between two attempts of a thread when the rate is unlimited and the server refuses.
const REFUSED: Duration = Duration::from_millis(1);

/// What the threads share with whoever looks.
struct Shared {
    client: NetNs,
    story: Story,
    target: SocketAddr,
    has_functions: bool,
    /// A step holds it to read; whoever looks at what was done holds it to write.
    gate: RwLock<()>,
    stop: AtomicBool,
    /// With another number than before the current lives are over.
    generation: AtomicU64,
    lives: [Mutex<Vec<Life>>; WORKERS as usize],
    written: Mutex<Written>,
    astray: Mutex<Vec<String>>,
    /// Entries of streams that a replica has confirmed.
    waited: AtomicU64,
    /// How often everything was flushed.
    flushes: AtomicU64,
    /// When nothing was to be done.
    rests: Mutex<Vec<(Duration, Duration)>>,
}

/// Threads that work until they are stopped.
pub struct Workload {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Result<()>>>,
}

/// While this is held no step is under way, and none begins.
pub struct Held<'a>(#[allow(dead_code)] RwLockWriteGuard<'a, ()>);

impl Workload {
    /// Starts working from the namespace `client` on `target`: `rate` steps in all. FCALL is used
    /// where the server `has_functions`.
    pub fn start(
        client: &NetNs,
        target: SocketAddr,
        rate: Rate,
        has_functions: bool,
        story: &Story,
    ) -> Workload {
        let shared = Arc::new(Shared {
            client: client.clone(),
            story: story.clone(),
            target,
            has_functions,
            gate: RwLock::new(()),
            stop: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            lives: Default::default(),
            written: Mutex::default(),
            astray: Mutex::default(),
            waited: AtomicU64::new(0),
            flushes: AtomicU64::new(0),
            rests: Mutex::default(),
        });
        let threads = (0..WORKERS).map(|number| {
            let (client, shared, story) = (client.clone(), shared.clone(), story.clone());
            std::thread::spawn(move || {
                client.enter()?;
                work(number, &shared, rate, &story);
                Ok(())
            })
        });
        let threads = threads.collect();
        Workload { shared, threads }
    }

    /// Waits for the steps that are under way, and lets none begin.
    pub fn hold(&self) -> Held<'_> {
        let gate = self.shared.gate.write();
        Held(gate.unwrap_or_else(PoisonError::into_inner))
    }

    /// A copy of all lives so far. What is under way may be missing, unless the threads are held.
    pub fn lives(&self) -> Vec<Life> {
        let of_worker = |lives: &Mutex<Vec<Life>>| lock(lives).clone();
        self.shared.lives.iter().flat_map(of_worker).collect()
    }

    /// All threads begin another life with their next step.
    pub fn begin_anew(&self) {
        self.shared.generation.fetch_add(1, Ordering::Relaxed);
    }

    /// When steps were acknowledged, by all threads; the numbers say nothing.
    pub fn written(&self) -> Written {
        lock(&self.shared.written).clone()
    }

    /// Acknowledged so far, and the moment of the last.
    pub fn acknowledged(&self) -> (usize, Duration) {
        let written = lock(&self.shared.written);
        (
            written.acks.len(),
            written.acks.last().map_or(Duration::ZERO, |ack| ack.at),
        )
    }

    /// The longest time without an acknowledged step in `from..to`, rests left out.
    pub fn longest_gap(&self, from: Duration, to: Duration) -> Duration {
        let (written, mut longest, mut start) = (self.written(), Duration::ZERO, from);
        let rests = lock(&self.shared.rests).clone();
        let inside = rests
            .into_iter()
            .filter(|(begun, _)| (from..to).contains(begun));
        for (begun, ended) in inside.chain([(to, to)]) {
            longest = longest.max(written.longest_gap(start, begun).0);
            start = ended;
        }
        longest
    }

    /// Steps that were done to other data than their thread had before it, on one connection. Whose
    /// effect they are is not known, and they are not judged.
    pub fn astray(&self) -> Vec<String> {
        lock(&self.shared.astray).clone()
    }

    /// Entries of streams that a replica has confirmed (WAIT).
    pub fn waited(&self) -> u64 {
        self.shared.waited.load(Ordering::Relaxed)
    }

    /// Ends it; what was done can still be looked at.
    pub fn stop(&mut self) -> Result<()> {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().map_err(|_| anyhow!("the workload died"))??;
        }
        Ok(())
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

fn work(number: u16, shared: &Arc<Shared>, rate: Rate, story: &Story) {
    let pace = match rate {
        Rate::PerSecond(count) => Duration::from_secs(1) * WORKERS.into() / count.max(1),
        Rate::Unlimited => Duration::ZERO,
    };
    let mut worker = Worker::new(number, shared.clone(), story.clone());
    let mut next = Instant::now();
    while !shared.stop.load(Ordering::Relaxed) {
        let going = shared.gate.read().unwrap_or_else(PoisonError::into_inner);
        let sent = story.now();
        let result = worker.step();
        let at = story.now();
        let mut written = lock(&shared.written);
        written.attempts += 1;
        match &result {
            Ok(()) => {
                let number = written.attempts;
                written.acks.push(Ack { number, sent, at });
            }
            Err(kind) => *written.errors.entry(kind.clone()).or_default() += 1,
        }
        drop((written, going));
        let now = Instant::now();
        next = (next + pace).max(now);
        if result.is_err() {
            next = next.max(now + REFUSED);
        }
        std::thread::sleep(next.saturating_duration_since(now));
    }
}
