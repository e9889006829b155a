//! A thread that lies in wait for the programs that keepalived starts.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::dice::Dice;
use crate::host::Host;
use crate::redis_server;

const PROGRAMS: [&str; 3] = ["redis_master", "redis_backup", "redis_fault"];
/// Between two looks at the host's processes.
const LOOK: Duration = Duration::from_millis(3);
/// A program that is seen is met at a step of its own within so many milliseconds.
const STEPS: u64 = 30;

/// A Redis that dies again and again is down for so many milliseconds at most.
const DOWN: u64 = 500;
/// And up for as many.
const UP: u64 = 2000;

/// What becomes of a program that is seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    /// SIGKILL to each.
    Kill,
    /// SIGSTOP to each; SIGCONT when the hunt ends.
    Freeze,
    /// Not the programs, but Redis itself: it dies soon after each start.
    Crash,
}

/// A hunt; it ends with this value.
pub struct Hunt {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hunt {
    /// Begins it on one host.
    pub fn start(host: &Arc<Host>, way: Way, dice: Dice) -> Hunt {
        let stop = Arc::new(AtomicBool::new(false));
        let (end, host) = (stop.clone(), host.clone());
        Hunt {
            stop,
            thread: Some(std::thread::spawn(move || match way {
                Way::Crash => crash(&host, dice, &end),
                _ => hunt(&host, way, dice, &end),
            })),
        }
    }
}

impl Drop for Hunt {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Kills Redis and starts it, as an init system would, and so on; at the end it is started.
fn crash(host: &Host, mut dice: Dice, end: &AtomicBool) {
    while !end.load(Ordering::Relaxed) && host.is_on() {
        if redis_server::kill(host).is_err() {
            return;
        }
        std::thread::sleep(dice.millis(DOWN));
        if host.is_on() && redis_server::start(host).is_err() {
            return;
        }
        std::thread::sleep(dice.millis(UP));
    }
}

fn hunt(host: &Host, way: Way, mut dice: Dice, end: &AtomicBool) {
    let mut met: HashSet<Pid> = HashSet::new();
    while !end.load(Ordering::Relaxed) {
        for program in host.processes(|name| PROGRAMS.contains(&name)) {
            if !met.insert(program.pid) {
                continue;
            }
            std::thread::sleep(dice.millis(STEPS));
            let (signal, what) = match way {
                Way::Kill => (Signal::SIGKILL, "killed"),
                Way::Freeze | Way::Crash => (Signal::SIGSTOP, "frozen"),
            };
            if kill(program.pid, signal).is_ok() {
                host.tell(format!("{} is {what}", program.name));
            }
        }
        std::thread::sleep(LOOK);
    }
    // Those that died meanwhile are not among the host's processes: no pid that is another's by now
    // gets the signal.
    for program in host.processes(|name| PROGRAMS.contains(&name)) {
        if way == Way::Freeze
            && met.contains(&program.pid)
            && kill(program.pid, Signal::SIGCONT).is_ok()
        {
            host.tell(format!("{} goes on", program.name));
        }
    }
}
