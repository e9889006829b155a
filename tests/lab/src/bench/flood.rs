//! Many writes from several clients at once, each acknowledged one written down.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::rig::PATIENCE;
use crate::lab::Lab;
use crate::redis_client::{Connection, Reply};
use crate::redis_server::PASSWORD;
use crate::writer::{Ack, Written, key};

/// Connections.
pub const CLIENTS: u64 = 4;
/// Writes that each sends in one go.
pub const BATCH: u64 = 25;
/// Numbers that belong to one client.
const SHARE: u64 = 1_000_000_000;

/// Threads that write until they are stopped.
pub struct Flood {
    logs: Vec<Arc<Mutex<Vec<Ack>>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Flood {
    /// Starts writing to the VIP, `rate` a second in all; the numbers begin at `first`.
    pub fn start(lab: &Lab, rate: u64, first: u64) -> Flood {
        let stop = Arc::new(AtomicBool::new(false));
        let mut flood = Flood {
            logs: Vec::new(),
            stop,
            threads: Vec::new(),
        };
        let pace = Duration::from_nanos(1_000_000_000 * CLIENTS * BATCH / rate.max(1));
        for client in 0..CLIENTS {
            let log = Arc::new(Mutex::new(Vec::new()));
            flood.logs.push(log.clone());
            let (net, target, story, stop) = (
                lab.client.clone(),
                lab.target(),
                lab.story.clone(),
                flood.stop.clone(),
            );
            flood.threads.push(std::thread::spawn(move || {
                net.enter()?;
                let mut connection: Option<Connection> = None;
                let mut number = first + client * SHARE;
                let mut next = Instant::now();
                while !stop.load(Ordering::Relaxed) {
                    if connection.is_none() {
                        connection =
                            Connection::open_within(target, PASSWORD, PATIENCE, PATIENCE).ok();
                    }
                    let whole = connection.as_mut().is_some_and(|redis| {
                        let batch: Vec<[String; 3]> = (number..number + BATCH)
                            .map(|number| ["SET".to_owned(), key(number), number.to_string()])
                            .collect();
                        let sent = story.now();
                        let (replies, outcome) = redis.pipeline_as_far(&batch);
                        let at = story.now();
                        let all = replies.iter().all(Reply::is_ok) && outcome.is_ok();
                        let numbered = (number..).zip(&replies).filter(|(_, reply)| reply.is_ok());
                        let acks = numbered.map(|(number, _)| Ack { number, sent, at });
                        log.lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .extend(acks);
                        all
                    });
                    number += BATCH;
                    let now = Instant::now();
                    next = (next + pace).max(now);
                    if !whole {
                        connection = None;
                        next = next.max(now + Duration::from_millis(1));
                    }
                    std::thread::sleep(next.saturating_duration_since(now));
                }
                Ok(())
            }));
        }
        flood
    }

    /// Acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.logs
            .iter()
            .map(|log| log.lock().unwrap_or_else(PoisonError::into_inner).len())
            .sum()
    }

    /// Ends it; all acknowledged writes in the order of time.
    pub fn stop(mut self) -> Result<Written> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().map_err(|_| anyhow!("a client died"))??;
        }
        let take = |log: &Arc<Mutex<Vec<Ack>>>| {
            std::mem::take(&mut *log.lock().unwrap_or_else(PoisonError::into_inner))
        };
        let mut acks: Vec<Ack> = self.logs.iter().flat_map(take).collect();
        acks.sort_by_key(|ack| ack.at);
        Ok(Written {
            acks,
            ..Written::default()
        })
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
