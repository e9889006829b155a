//! Looks at a sentinel all the time, and tells the story what that sees: the flags of every Redis
//! that it watches.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::view::View;
use crate::host::Host;
use crate::netns::NetNs;

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Threads that look; they end with this value.
pub struct Eye {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Eye {
    /// Opens one on the sentinels of these hosts, from the namespace `from`.
    pub fn open<'a>(
        hosts: impl Iterator<Item = &'a Arc<Host>>,
        from: &NetNs,
        password: Option<&'static str>,
    ) -> Eye {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = hosts.map(|host| {
            let (host, from, stop) = (host.clone(), from.clone(), stop.clone());
            std::thread::spawn(move || {
                let mut before = String::new();
                while !stop.load(Ordering::Relaxed) {
                    let now = line(&from, host.address, password);
                    if now != before {
                        host.story.add(&host.name, "sees", now.clone());
                        before = now;
                    }
                    std::thread::sleep(LOOK);
                }
            })
        });
        Eye {
            threads: threads.collect(),
            stop,
        }
    }
}

impl Drop for Eye {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// `names 12: 11 master,s_down; 12 slave of 11 err; 14 slave,disconnected of 11 ok`
fn line(from: &NetNs, at: IpAddr, password: Option<&str>) -> String {
    let Ok(view) = View::ask(from, at, password) else {
        return "no answer".to_owned();
    };
    let short = |address: &str| address.rsplit('.').next().unwrap_or_default().to_owned();
    let mut text = format!(
        "names {}: {} {}",
        short(&view.named),
        short(&view.master),
        view.flags
    );
    for replica in &view.replicas {
        let [own, of] = [&replica.address, &replica.of].map(|address| short(address));
        text.push_str(&format!(
            "; {own} {} of {of} {}",
            replica.flags, replica.link
        ));
    }
    text
}
