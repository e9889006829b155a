//! An application that uses Sentinel: it keeps its connection until an error, and then asks the
//! sentinels for the master. With [`Heed::Switches`] it also closes it when one of them says that
//! the master has moved.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use redis::RedisResult;

use super::server::{self, NAME};
use crate::netns::NetNs;
use crate::redis_client::Connection;
use crate::writer::{Direct, TIMEOUT};

/// Between two looks whether there is still a writer to tell.
const LISTEN: Duration = Duration::from_millis(100);

/// What the client hears of a planned move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Heed {
    /// Nothing, until the old master closes the connection or refuses a write.
    Errors,
    /// `+switch-master` of a sentinel, as good client libraries do.
    Switches,
}

/// Writes to the master that sentinels name.
pub struct Asking {
    sentinels: Vec<SocketAddr>,
    /// The first that is asked: another one after each failure.
    turn: usize,
    /// Counts what was heard.
    switches: Arc<AtomicU64>,
    seen: u64,
    ear: Option<Arc<AtomicBool>>,
    master: Option<Direct>,
}

impl Asking {
    /// Not connected yet. `client` is where it lives.
    pub fn new(client: &NetNs, sentinels: &[IpAddr], heed: Heed) -> Asking {
        let switches = Arc::new(AtomicU64::new(0));
        let ear = (heed == Heed::Switches).then(|| {
            let stop = Arc::new(AtomicBool::new(false));
            for sentinel in sentinels {
                let (net, at, switches, stop) =
                    (client.clone(), *sentinel, switches.clone(), stop.clone());
                std::thread::spawn(move || {
                    let _ = net.enter();
                    while !stop.load(Ordering::Relaxed) {
                        let _ = listen(at, &switches, &stop);
                        std::thread::sleep(LISTEN);
                    }
                });
            }
            stop
        });
        let sentinels = sentinels
            .iter()
            .map(|at| SocketAddr::new(*at, server::PORT))
            .collect();
        Asking {
            sentinels,
            turn: 0,
            switches,
            seen: 0,
            ear,
            master: None,
        }
    }

    /// Writes that number; an error is one word.
    pub fn write(&mut self, number: u64) -> Result<(), String> {
        let heard = self.switches.load(Ordering::Relaxed);
        if heard != self.seen {
            self.seen = heard;
            self.master = None;
        }
        let master = match &mut self.master {
            Some(master) => master,
            None => {
                let Some(at) = self.named() else {
                    return Err("nobody".to_owned());
                };
                self.master.insert(Direct::new(at, TIMEOUT, TIMEOUT))
            }
        };
        let result = master.write(number);
        if result.is_err() {
            // The next one may know more.
            self.turn += 1;
            self.master = None;
        }
        result
    }

    /// The first answer counts. That a master which was named is none any more shows when it
    /// refuses the write.
    fn named(&self) -> Option<SocketAddr> {
        let count = self.sentinels.len();
        (0..count).find_map(|step| {
            ask(self.sentinels[(self.turn + step) % count])
                .ok()
                .flatten()
        })
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(stop) = &self.ear {
            stop.store(true, Ordering::Relaxed);
        }
    }
}

fn ask(sentinel: SocketAddr) -> RedisResult<Option<SocketAddr>> {
    let mut sentinel = Connection::open_plain(sentinel, TIMEOUT, TIMEOUT)?;
    let reply = sentinel.call(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME])?;
    let address = reply.texts().map(|words| words.join(":"));
    Ok(address.and_then(|address| address.parse().ok()))
}

fn listen(at: IpAddr, switches: &AtomicU64, stop: &AtomicBool) -> RedisResult<()> {
    let mut sentinel = Connection::open_plain(SocketAddr::new(at, server::PORT), LISTEN, LISTEN)?;
    let mut ear = sentinel.subscribe("+switch-master")?;
    while !stop.load(Ordering::Relaxed) {
        match ear.get_message() {
            Ok(_) => drop(switches.fetch_add(1, Ordering::Relaxed)),
            Err(e) if e.is_timeout() => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
