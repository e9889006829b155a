//! A client that writes through the VIP as an application would, and knows of every write whether
//! it was acknowledged.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use redis::{Cmd, Value, cmd};

use super::PREFIX;
use super::written::{Write, Written};
use crate::config::Config;
use crate::deadline::{Deadline, Stopwatch};
use crate::server::Server;
use crate::server::endpoint::Endpoint;
use crate::server::failure::Failure;

/// An operation that takes longer is given up, with its connection.
const PATIENCE: Duration = Duration::from_millis(50);
/// The value of each key; with one command it gets its end, too, so that nothing is left whenever
/// this is killed.
const LASTING: u32 = 3600;
/// The first write, to a node that serves.
const FIRST: Duration = Duration::from_secs(1);
const RIGHTS: &str = "+set +mget +unlink";

/// A writer at work. Dropped, it ends.
pub(crate) struct Writer {
    clock: Stopwatch,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Written>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    acknowledged: AtomicU64,
    error: Mutex<String>,
}

/// Whoever holds the VIP. A certificate may name the VIP, or only the address of its node: each of
/// them is asked for in turn until one is found.
struct Holder(Vec<Server>);

impl Writer {
    /// Writes once, to see that it may, and then `rate` times a second.
    ///
    /// # Errors
    /// A sentence: the first write was refused.
    pub(crate) fn start(vip: SocketAddr, config: &Config, rate: u32) -> anyhow::Result<Writer> {
        let mut holder = Holder::of(vip, config);
        let prefix = format!("{PREFIX}{:08x}:", seed());
        let clock = Stopwatch::start();
        match holder.write(&set(&prefix, 0), FIRST) {
            Ok(()) => {}
            Err(Failure::Denied(denial)) if denial.code == "NOPERM" => {
                bail!(
                    "failover-test: writing through the VIP {vip}: it says {denial}; the user \
                     needs ~{PREFIX}* {RIGHTS}"
                )
            }
            Err(failure) => {
                return Err(failure)
                    .with_context(|| format!("failover-test: writing through the VIP {vip}"));
            }
        }
        let shared = Arc::new(Shared::default());
        let first = Write {
            number: 0,
            at: clock.elapsed(),
        };
        let written = Written {
            prefix,
            tried: 1,
            acknowledged: vec![first],
        };
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || work(holder, &theirs, clock, rate, written))
            .context("failover-test: starting a thread")?;
        Ok(Writer {
            clock,
            shared,
            thread: Some(thread),
        })
    }

    pub(crate) fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    /// So many writes were acknowledged, the first one aside.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// Why the last write that failed did.
    pub(crate) fn last_error(&self) -> String {
        self.shared
            .error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Ends it.
    ///
    /// # Errors
    /// It has ended by itself, which it never does.
    pub(crate) fn stop(mut self) -> anyhow::Result<Written> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().and_then(|thread| thread.join().ok());
        thread.ok_or_else(|| anyhow!("failover-test: the writer has failed"))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(
    mut holder: Holder,
    shared: &Shared,
    clock: Stopwatch,
    rate: u32,
    mut written: Written,
) -> Written {
    let pace = Duration::from_secs(1) / rate.max(1);
    while !shared.stop.load(Ordering::Relaxed) {
        let turn = Deadline::after(pace);
        let number = written.tried;
        written.tried += 1;
        match holder.write(&set(&written.prefix, number), PATIENCE) {
            Ok(()) => {
                written.acknowledged.push(Write {
                    number,
                    at: clock.elapsed(),
                });
                shared.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Err(failure) => {
                *shared.error.lock().unwrap_or_else(PoisonError::into_inner) = failure.to_string()
            }
        }
        turn.pause(pace);
    }
    written
}

impl Holder {
    fn of(vip: SocketAddr, config: &Config) -> Holder {
        let by_node = config
            .nodes
            .iter()
            .filter_map(|node| config.auth.as_of(node.ip()));
        let servers = std::iter::once(config.auth.clone())
            .chain(by_node)
            .map(|auth| Server::new(Endpoint::Tcp(vip), auth));
        Holder(servers.collect())
    }

    /// True only where Redis has said OK.
    fn write(&mut self, command: &Cmd, patience: Duration) -> Result<(), Failure> {
        let server = self.0.first_mut().ok_or(Failure::NoConnection)?;
        let answer = server.call(command, Deadline::after(patience));
        if answer.is_err() {
            // An old master is left as soon as it says no, and whatever did not answer is not heard
            // any more.
            server.close();
        }
        if let Err(Failure::Tls(_)) = &answer {
            self.0.rotate_left(1);
        }
        match answer? {
            Value::Okay => Ok(()),
            other => Err(Failure::Rubbish(format!("SET answered {other:?}"))),
        }
    }
}

fn set(prefix: &str, number: u64) -> Cmd {
    cmd("SET")
        .arg(format!("{prefix}{number}"))
        .arg(number)
        .arg("EX")
        .arg(LASTING)
        .clone()
}

/// Not a secret: two tests are not to meet.
fn seed() -> u32 {
    let random = std::fs::File::open("/dev/urandom").and_then(|mut random| {
        let mut bytes = [0; 4];
        std::io::Read::read_exact(&mut random, &mut bytes).map(|()| u32::from_ne_bytes(bytes))
    });
    random.unwrap_or_else(|_| std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gets_its_end_with_its_value() {
        let command = set("keepalived-redis:failover-test:00:", 7).get_packed_command();
        let text = String::from_utf8_lossy(&command).into_owned();
        assert!(
            text.starts_with(
                "*5\r\n$3\r\nSET\r\n$35\r\nkeepalived-redis:failover-test:00:7\r\n$1\r\n7\r\n"
            ),
            "{text}"
        );
        assert!(text.ends_with("$2\r\nEX\r\n$4\r\n3600\r\n"), "{text}");
    }
}
