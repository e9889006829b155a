//! A process that can be told from any other one, now and later.

use std::io;

use serde::{Deserialize, Serialize};

/// One process, for ever: the pid alone is used again, its start (clock ticks since boot) with it
/// is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Process {
    /// In clock ticks since boot, 100 a second on every Linux.
    pub start: u64,
    pub pid: u32,
}

impl Process {
    /// This process.
    ///
    /// # Errors
    /// When /proc is not mounted.
    pub(crate) fn this() -> io::Result<Process> {
        let pid = std::process::id();
        let start =
            start_of(pid).ok_or_else(|| io::Error::other("/proc/self/stat can't be read"))?;
        Ok(Process { start, pid })
    }

    /// A process as it could have been started before or after this one: for tests.
    #[cfg(test)]
    pub(crate) fn shifted(self, ticks: i64) -> Process {
        Process {
            start: self.start.saturating_add_signed(ticks),
            pid: 1,
        }
    }

    pub(crate) fn lives(self) -> bool {
        start_of(self.pid) == Some(self.start)
    }
}

/// `None` for a process that has ended, also where nobody has reaped it yet.
fn start_of(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name stands in parentheses and may hold anything, so count from the last one.
    // Fields 3 and 22.
    let fields = stat.rsplit_once(')')?.1;
    let mut fields = fields.split_whitespace();
    match fields.next()? {
        "Z" | "X" => None,
        _ => fields.nth(18)?.parse().ok(),
    }
}
