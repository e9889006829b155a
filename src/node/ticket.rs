//! The newest notification, written down: its VRRP state, and which process works for it.
//!
//! Tickets are ordered by the start of the process, which is the order in which keepalived forked
//! them, and not by who came to the lock first.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use fs2::FileExt;
use nix::time::ClockId;
use serde::{Deserialize, Serialize};

use super::clock;
use super::memory::{self, StateFile};
use super::process::Process;
use super::vrrp_state::VrrpState;
use crate::deadline::Deadline;

/// The ticket is held for microseconds.
const TICKET_WAIT: Duration = Duration::from_millis(300);

/// What [`StateFile::Turn`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    pub state: VrrpState,
    /// When it came, in local time; for people.
    pub at: String,
    boot: String,
    newest: Process,
    /// Who does the work; older than `newest` when that one found the same work being done already.
    worker: Process,
    /// Who started the worker. Another keepalived's child is about to get SIGTERM (K7), and does
    /// not count.
    parent: u32,
    /// The worker is done (a later process with its pid and start can't be, but a done one may
    /// still be ending).
    done: bool,
}

impl Ticket {
    /// `me` is the process that works for the newest notification.
    pub(crate) fn is_worked_by(&self, me: Process) -> bool {
        self.worker == me
    }

    /// A program that was called for the newest state is still at work.
    pub fn is_at_work(&self) -> bool {
        !self.done && self.worker.lives()
    }
}

/// What the newest notification was, and whether its program still works; `None` when there was
/// none since boot.
///
/// # Errors
/// As the kernel reports it, or when the ticket stays locked.
pub fn read(dir: &Path) -> io::Result<Option<Ticket>> {
    match OpenOptions::new()
        .read(true)
        .open(StateFile::Turn.path(dir))
    {
        Ok(mut file) => {
            lock(&file)?;
            parse(&mut file)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What [`take`] found.
pub(crate) enum Taken {
    /// Go on; the state before.
    Mine(Option<VrrpState>),
    /// A newer notification is there.
    Newer(VrrpState),
    /// This process is at the same work.
    SameWork(u32),
}

/// Writes `state` down as the newest notification, with `me` as its worker, unless a newer one is
/// there or its work is being done.
pub(crate) fn take(dir: &Path, me: Process, state: VrrpState) -> io::Result<Taken> {
    memory::make_dir(dir)?;
    let (boot, _) = clock::boot_clock()?;
    let parent = std::os::unix::process::parent_id();
    let mut file = open(dir)?;
    let (worker, taken) = match parse(&mut file)? {
        Some(ticket) if ticket.newest > me => return Ok(Taken::Newer(ticket.state)),
        Some(ticket)
            if ticket.is_at_work()
                && ticket.worker != me
                && ticket.parent == parent
                && state.wants_the_same_as(ticket.state) =>
        {
            (ticket.worker, Taken::SameWork(ticket.worker.pid))
        }
        ticket => (me, Taken::Mine(ticket.map(|ticket| ticket.state))),
    };
    write(
        &mut file,
        &Ticket {
            state,
            at: clock::now(),
            boot,
            newest: me,
            worker,
            parent,
            done: false,
        },
    )?;
    Ok(taken)
}

/// Marks the work of `me` as done; nothing, where another one has taken it over.
pub(crate) fn finish(dir: &Path, me: Process) -> io::Result<()> {
    let mut file = open(dir)?;
    match parse(&mut file)? {
        Some(ticket) if ticket.worker == me => write(
            &mut file,
            &Ticket {
                done: true,
                ..ticket
            },
        ),
        _ => Ok(()),
    }
}

fn open(dir: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(StateFile::Turn.path(dir))?;
    lock(&file)?;
    Ok(file)
}

fn lock(file: &File) -> io::Result<()> {
    let patience = Deadline::after(TICKET_WAIT);
    loop {
        match file.try_lock_exclusive() {
            Ok(()) => return Ok(()),
            Err(error) if !patience.pause(Duration::from_millis(1)) => return Err(error),
            Err(_) => {}
        }
    }
}

/// A ticket of another boot is none: its starts are counted from another zero. So is one of a
/// process that has yet to start: damage like this would take the turn from every program until the
/// next boot.
fn parse(file: &mut File) -> io::Result<Option<Ticket>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(4096).read_to_end(&mut bytes)?;
    let (boot, _) = clock::boot_clock()?;
    let ticket: Option<Ticket> = toml::from_str(&String::from_utf8_lossy(&bytes)).ok();
    // Not /proc/uptime, which containers fake. A start is in ticks, 100 a second on every Linux.
    let second = u64::try_from(ClockId::CLOCK_BOOTTIME.now()?.tv_sec()).unwrap_or(u64::MAX);
    Ok(ticket.filter(|ticket| {
        ticket.boot == boot && ticket.newest.start / 100 <= second.saturating_add(1)
    }))
}

/// In place and always of one size: a full disk has no room for a new file, but has the room that
/// this one holds.
fn write(file: &mut File, ticket: &Ticket) -> io::Result<()> {
    let text = toml::to_string(ticket).map_err(io::Error::other)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(format!("{text:\n<511}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_notification_that_comes_late_is_told_so() {
        let dir = tempfile::tempdir().expect("a directory");
        let me = Process::this().expect("/proc");
        assert!(matches!(
            take(dir.path(), me, VrrpState::Master),
            Ok(Taken::Mine(_))
        ));
        assert!(matches!(
            take(dir.path(), me.shifted(-1), VrrpState::Backup),
            Ok(Taken::Newer(VrrpState::Master))
        ));
        assert_eq!(
            read(dir.path()).expect("a ticket").map(|t| t.state),
            Some(VrrpState::Master)
        );
    }

    #[test]
    fn the_same_wish_leaves_the_work_to_who_does_it_and_still_counts_as_newest() {
        let dir = tempfile::tempdir().expect("a directory");
        let me = Process::this().expect("/proc");
        let later = Process {
            start: me.start + 10,
            pid: 7,
        };
        let between = Process {
            start: me.start + 5,
            pid: 6,
        };
        assert!(matches!(
            take(dir.path(), me, VrrpState::Backup),
            Ok(Taken::Mine(_))
        ));
        assert!(
            matches!(take(dir.path(), later, VrrpState::Fault), Ok(Taken::SameWork(pid)) if pid == me.pid)
        );
        assert!(matches!(
            take(dir.path(), between, VrrpState::Master),
            Ok(Taken::Newer(VrrpState::Fault))
        ));
    }

    #[test]
    fn another_keepalived_s_worker_is_not_relied_on() {
        let dir = tempfile::tempdir().expect("a directory");
        let me = Process::this().expect("/proc");
        assert!(matches!(
            take(dir.path(), me, VrrpState::Backup),
            Ok(Taken::Mine(_))
        ));
        let ticket = read(dir.path()).expect("a ticket").expect("ours");
        let other = Ticket {
            parent: ticket.parent + 1,
            ..ticket
        };
        write(&mut open(dir.path()).expect("a file"), &other).expect("a write");
        assert!(matches!(
            take(dir.path(), me.shifted(1), VrrpState::Backup),
            Ok(Taken::Mine(_))
        ));
    }

    #[test]
    fn a_damaged_ticket_or_one_of_another_boot_is_none() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(StateFile::Turn.path(dir.path()), [0xff, 0, b'=']).expect("a write");
        assert_eq!(read(dir.path()).expect("no error"), None);
        let me = Process::this().expect("/proc");
        let other = Ticket {
            state: VrrpState::Master,
            at: String::new(),
            boot: "x".into(),
            newest: me,
            worker: me,
            parent: 1,
            done: false,
        };
        write(&mut open(dir.path()).expect("a file"), &other).expect("a write");
        assert_eq!(read(dir.path()).expect("no error"), None);
        assert!(matches!(
            take(dir.path(), me.shifted(1_000_000), VrrpState::Master),
            Ok(Taken::Mine(_))
        ));
        assert!(
            matches!(
                take(dir.path(), me, VrrpState::Backup),
                Ok(Taken::Mine(None))
            ),
            "a process yet to start is none"
        );
    }
}
