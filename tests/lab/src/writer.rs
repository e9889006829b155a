//! The writer: numbered keys through the virtual IP, and which of them were acknowledged when.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::netns::NetNs;
use crate::redis_client::{self, Connection};
use crate::redis_server::PASSWORD;
use crate::story::Story;

/// No operation takes longer; then the writer connects anew. Shorter than TCP's own patience: a
/// packet that falls between two holders of the VIP is sent again after 200 ms, or after a second
/// if it was the first of its connection, and the gap would be TCP's and not the pair's.
pub const TIMEOUT: Duration = Duration::from_millis(50);
/// Nor does a connect.
const CONNECT: Duration = Duration::from_millis(50);
/// Gaps from here on are told.
const TELL: Duration = Duration::from_millis(100);
/// Between two attempts when the rate is unlimited and the server refuses.
const REFUSED: Duration = Duration::from_millis(1);

/// How fast it writes.
#[derive(Clone, Copy, Debug)]
pub enum Rate {
    /// So many a second at most; what an outage swallows is not made up for.
    PerSecond(u32),
    /// One after the other without a pause.
    Unlimited,
}

/// An acknowledged write. Times are moments of the story.
#[derive(Clone, Copy, Debug)]
pub struct Ack {
    /// The number in the key.
    pub number: u64,
    /// When the write was sent.
    pub sent: Duration,
    /// When the answer was there.
    pub at: Duration,
}

/// What was written so far.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// In the order of time.
    pub acks: Vec<Ack>,
    /// Attempts, acknowledged or not.
    pub attempts: u64,
    /// Failed attempts by kind.
    pub errors: BTreeMap<String, u64>,
}

impl Written {
    /// The longest time without an acknowledged write in `from..to`, and when it began.
    pub fn longest_gap(&self, from: Duration, to: Duration) -> (Duration, Duration) {
        let inside = self
            .acks
            .iter()
            .map(|ack| ack.at)
            .filter(|at| (from..to).contains(at));
        let ends: Vec<Duration> = [from].into_iter().chain(inside).chain([to]).collect();
        let gaps = ends
            .windows(2)
            .map(|two| (two[1].saturating_sub(two[0]), two[0]));
        gaps.max().unwrap_or_default()
    }

    /// Acknowledged writes within `from..to`.
    pub fn count(&self, from: Duration, to: Duration) -> usize {
        self.acks
            .iter()
            .filter(|ack| (from..to).contains(&ack.at))
            .count()
    }
}

/// The key with a number.
pub fn key(number: u64) -> String {
    format!("w:{number}")
}

/// A thread that writes until it is stopped.
pub struct Writer {
    written: Arc<Mutex<Written>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Writer {
    /// Starts writing from the namespace `client` to `target`.
    pub fn start(client: &NetNs, target: SocketAddr, rate: Rate, story: &Story) -> Writer {
        let mut vip = Direct::new(target, CONNECT, TIMEOUT);
        Writer::with(0, client, rate, story, move |number| vip.write(number))
    }

    /// The numbers begin at `first`. Each write by `attempt`, which says in one word what went
    /// wrong.
    pub fn with(
        first: u64,
        client: &NetNs,
        rate: Rate,
        story: &Story,
        attempt: impl FnMut(u64) -> Result<(), String> + Send + 'static,
    ) -> Writer {
        let written = Arc::new(Mutex::new(Written::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let (w, s, client, story) = (written.clone(), stop.clone(), client.clone(), story.clone());
        let thread = std::thread::spawn(move || {
            client.enter()?;
            write(first, rate, &story, &w, &s, attempt);
            Ok(())
        });
        Writer {
            written,
            stop,
            thread: Some(thread),
        }
    }

    /// A copy of what was written so far.
    pub fn written(&self) -> Written {
        lock(&self.written).clone()
    }

    /// Acknowledged so far, and the moment of the last.
    pub fn acknowledged(&self) -> (usize, Duration) {
        let written = lock(&self.written);
        (
            written.acks.len(),
            written.acks.last().map_or(Duration::ZERO, |ack| ack.at),
        )
    }

    /// Ends it.
    pub fn stop(mut self) -> Result<Written> {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().map_err(|_| anyhow!("the writer died"))??;
        }
        Ok(std::mem::take(&mut lock(&self.written)))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(written: &Mutex<Written>) -> std::sync::MutexGuard<'_, Written> {
    written.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write(
    first: u64,
    rate: Rate,
    story: &Story,
    all: &Mutex<Written>,
    stop: &AtomicBool,
    mut attempt: impl FnMut(u64) -> Result<(), String>,
) {
    let pace = match rate {
        Rate::PerSecond(count) => Duration::from_secs(1) / count.max(1),
        Rate::Unlimited => Duration::ZERO,
    };
    let mut last = story.now();
    let mut next = Instant::now();
    for number in first.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let sent = story.now();
        let result = attempt(number);
        let at = story.now();
        let mut written = lock(all);
        written.attempts += 1;
        match &result {
            Ok(()) => written.acks.push(Ack { number, sent, at }),
            Err(kind) => *written.errors.entry(kind.clone()).or_default() += 1,
        }
        drop(written);
        if result.is_ok() {
            if at - last >= TELL {
                let gap = (at - last).as_millis();
                story.add_at(
                    last,
                    "writer",
                    "gap",
                    format!("last write before {gap} ms without"),
                );
                story.add_at(at, "writer", "gap", format!("writes again after {gap} ms"));
            }
            last = at;
        }
        let now = Instant::now();
        next = (next + pace).max(now);
        if result.is_err() {
            next = next.max(now + REFUSED);
        }
        std::thread::sleep(next.saturating_duration_since(now));
    }
}

/// Writes to one address, and connects anew after each error.
pub struct Direct {
    target: SocketAddr,
    connect: Duration,
    answer: Duration,
    connection: Option<Connection>,
}

impl Direct {
    /// With the longest time for a connect, and for an answer. Not connected yet.
    pub fn new(target: SocketAddr, connect: Duration, answer: Duration) -> Direct {
        Direct {
            target,
            connect,
            answer,
            connection: None,
        }
    }

    /// Writes that number; an error is one word.
    pub fn write(&mut self, number: u64) -> Result<(), String> {
        let result = self.attempt(number);
        if result.is_err() {
            self.connection = None;
        }
        result
    }

    fn attempt(&mut self, number: u64) -> Result<(), String> {
        let redis = match &mut self.connection {
            Some(redis) => redis,
            none => {
                let opened =
                    Connection::open_within(self.target, PASSWORD, self.connect, self.answer);
                none.insert(opened.map_err(|e| redis_client::kind(&e))?)
            }
        };
        match redis.call(&["SET", &key(number), &number.to_string()]) {
            Ok(reply) if reply.is_ok() => Ok(()),
            Ok(reply) => Err(reply.text().split(' ').next().unwrap_or("other").to_owned()),
            Err(e) => Err(redis_client::kind(&e)),
        }
    }
}
