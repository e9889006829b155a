//! The processes of a host: who is there, and signals to them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::host::Host;
use crate::wait;

/// A living process. The pids are those that the lab knows it by, not those inside.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its own.
    pub pid: Pid,
    /// Its parent's.
    pub parent: Pid,
    /// The first 15 bytes of its program's name.
    pub name: String,
}

impl Process {
    fn read(dir: &Path) -> Option<Process> {
        // pid (name) state parent ...; the name may hold anything.
        let stat = fs::read_to_string(dir.join("stat")).ok()?;
        let (head, tail) = stat.rsplit_once(") ")?;
        let (pid, name) = head.split_once(" (")?;
        let mut fields = tail.split(' ');
        let alive = !matches!(fields.next()?, "Z" | "X");
        let parent = Pid::from_raw(fields.next()?.parse().ok()?);
        let pid = Pid::from_raw(pid.parse().ok()?);
        alive.then(|| Process {
            pid,
            parent,
            name: name.to_owned(),
        })
    }
}

impl Host {
    /// The processes inside whose name `wanted` accepts; pid 1 and the dead are left out.
    pub fn processes(&self, wanted: impl Fn(&str) -> bool) -> Vec<Process> {
        let Ok(init) = self.pid() else {
            return Vec::new();
        };
        let Ok(space) = fs::read_link(format!("/proc/{init}/ns/pid")) else {
            return Vec::new();
        };
        let Ok(entries) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        let found = entries.flatten().filter_map(|entry| {
            let dir = entry.path();
            // Everybody else's processes, and the dead, fail here.
            if fs::read_link(dir.join("ns/pid")).ok()? != space {
                return None;
            }
            Process::read(&dir).filter(|p| p.pid.as_raw() != init && wanted(&p.name))
        });
        found.collect()
    }

    /// Sends a signal to all processes inside with that name; how many there were.
    pub fn signal(&self, name: &str, signal: Signal) -> usize {
        let found = self.processes(|n| n == name);
        for process in &found {
            let _ = kill(process.pid, signal);
        }
        found.len()
    }

    /// Stops every process but pid 1, as a machine that is paused.
    pub fn freeze(&self) {
        self.tell("freeze");
        let mut before = 0;
        loop {
            let all = self.processes(|_| true);
            for process in &all {
                let _ = kill(process.pid, Signal::SIGSTOP);
            }
            // A process may have been born while the others were stopped.
            if all.len() == before {
                return;
            }
            before = all.len();
        }
    }

    /// Ends a freeze.
    pub fn thaw(&self) {
        self.tell("thaw");
        for process in self.processes(|_| true) {
            let _ = kill(process.pid, Signal::SIGCONT);
        }
    }

    /// Waits until no process of that kind is left.
    pub fn until_gone(&self, what: &str, wanted: impl Fn(&str) -> bool) -> Result<()> {
        let limit = Duration::from_secs(10);
        wait::until(&format!("{what} gone on {}", self.name), limit, || {
            self.processes(&wanted).is_empty()
        })
    }
}
