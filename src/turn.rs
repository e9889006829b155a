//! Whose turn it is: the newest notification wins.
//!
//! keepalived forks notify programs and neither waits for nor orders them (K3): a `redis_backup` that waits outlives
//! a later `redis_master`. Each takes a ticket. Tickets are ordered by the start of the process, which is the order
//! in which keepalived forked them, and not by who came to the lock first.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fs2::FileExt;
use serde::{Deserialize, Serialize};

use crate::deadline::Deadline;
use crate::journal::Label;
use crate::memory;

const TICKET: &str = "turn";
const ACTING: &str = "acting";
/// The ticket is held for microseconds.
const TICKET_WAIT: Duration = Duration::from_millis(300);

/// A VRRP state, as the last notification gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Holds the VIP.
    Master,
    /// Another node holds it.
    Backup,
    /// A check failed, or an interface is down.
    Fault,
    /// keepalived was stopped.
    Stop,
}

impl State {
    /// How the journal marks it.
    pub fn label(self) -> Label {
        match self {
            State::Master => Label::Master,
            State::Backup => Label::Backup,
            State::Fault => Label::Fault,
            State::Stop => Label::Stop,
        }
    }

    /// FAULT and BACKUP want the same of Redis: that it follows.
    fn wants_the_same_as(self, other: State) -> bool {
        let follow = |state| if state == State::Fault { State::Backup } else { state };
        follow(self) == follow(other)
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            State::Master => "MASTER",
            State::Backup => "BACKUP",
            State::Fault => "FAULT",
            State::Stop => "STOP",
        })
    }
}

/// One process, for ever: the pid alone is used again, its start (clock ticks since boot) with it is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Process {
    start: u64,
    pid: u32,
}

impl Process {
    /// This process.
    ///
    /// # Errors
    /// When /proc is not mounted.
    pub fn this() -> io::Result<Process> {
        let pid = std::process::id();
        let start = start_of(pid).ok_or_else(|| io::Error::other("/proc/self/stat can't be read"))?;
        Ok(Process { start, pid })
    }

    fn lives(self) -> bool {
        start_of(self.pid) == Some(self.start)
    }
}

fn start_of(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name stands in parentheses and may hold anything, so count from the last one. Field 22.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// What the file `turn` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The newest notification's state.
    pub state: State,
    /// When it came, in local time; for people.
    pub at: String,
    boot: String,
    newest: Process,
    /// Who does the work; older than `newest` when that one found the same work being done already.
    worker: Process,
    /// The worker is done (a later process with its pid and start can't be, but a done one may still be ending).
    done: bool,
}

impl Ticket {
    /// A program that was called for the newest state is still at work.
    pub fn is_at_work(&self) -> bool {
        !self.done && self.worker.lives()
    }
}

/// What [`Turn::enter`] found.
pub enum Entry {
    /// Go on.
    Yours(Turn),
    /// A newer notification, for this state, has come meanwhile: leave.
    Superseded(State),
    /// A program that wants the same is at work already, with this pid: leave it to it.
    AlreadyAtWork(u32),
}

/// Why a program has to stop at its next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A newer notification came, for this state.
    Superseded(State),
    /// SIGTERM: keepalived ends, or a person ended it (K7).
    Terminated,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ended::Superseded(state) => write!(f, "superseded by a newer notification, {state}"),
            Ended::Terminated => f.write_str("ended by SIGTERM, as keepalived does when it ends"),
        }
    }
}

impl std::error::Error for Ended {}

/// The right to act for the newest notification, for as long as [`Turn::check`] says so.
pub struct Turn {
    dir: PathBuf,
    me: Process,
    terminated: Arc<AtomicBool>,
    previous: Option<State>,
    /// False where the directory refused: then nobody can be told apart, and a failover goes on all the same.
    kept: bool,
}

/// Held while a Redis is being commanded. Closes the race in which two notifications change roles at the same time:
/// the newer one gets it when the older one has left its step.
pub struct Acting {
    _lock: Option<File>,
}

impl Turn {
    /// Takes a turn for `state` in the memory directory `dir`.
    ///
    /// The second value is a complaint for the journal: the turn could not be written down.
    pub fn enter(dir: &Path, state: State) -> (Entry, Option<String>) {
        let terminated = Arc::new(AtomicBool::new(false));
        let _ = signal_hook::flag::register(signal_hook::consts::SIGTERM, Arc::clone(&terminated));
        let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&terminated));
        let turn = |me, previous, kept| Turn { dir: dir.to_path_buf(), me, terminated, previous, kept };
        let me = Process::this().unwrap_or_default();
        match take(dir, me, state) {
            Ok(Taken::Mine(previous)) => (Entry::Yours(turn(me, previous, true)), None),
            Ok(Taken::Newer(state)) => (Entry::Superseded(state), None),
            Ok(Taken::SameWork(pid)) => (Entry::AlreadyAtWork(pid), None),
            Err(error) => {
                let complaint = format!("taking a turn in {}: {error}", dir.display());
                (Entry::Yours(turn(me, None, false)), Some(complaint))
            }
        }
    }

    /// Still the newest, and nobody has asked us to end?
    ///
    /// # Errors
    /// [`Ended`]: stop at this step.
    pub fn check(&self) -> Result<(), Ended> {
        if self.terminated.load(Ordering::Relaxed) {
            return Err(Ended::Terminated);
        }
        match self.kept.then(|| read(&self.dir)) {
            Some(Ok(Some(ticket))) if ticket.worker != self.me => Err(Ended::Superseded(ticket.state)),
            _ => Ok(()),
        }
    }

    /// The state before this one; `None` after a boot.
    pub fn previous(&self) -> Option<State> {
        self.previous
    }

    /// The state of the newest notification: FAULT may follow BACKUP while the same work goes on.
    pub fn state(&self) -> Option<State> {
        read(&self.dir).ok().flatten().map(|ticket| ticket.state)
    }

    /// Waits for the right to command, and makes sure that we are still the newest with it in hand.
    ///
    /// # Errors
    /// [`Ended`]. When an older program keeps the lock beyond `deadline` (it is frozen: its commands have deadlines of
    /// their own), this one goes on without it, for it is outage that waits here.
    pub fn act(&self, deadline: Deadline) -> Result<Acting, Ended> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(self.dir.join(ACTING));
        if let Ok(file) = &file {
            while file.try_lock_exclusive().is_err() && deadline.pause(Duration::from_millis(1)) {
                self.check()?;
            }
        }
        self.check()?;
        Ok(Acting { _lock: file.ok() })
    }

    /// Says that the work is done, so that the next notification of the same kind looks for itself.
    pub fn done(self) {
        let finish = || -> io::Result<()> {
            let mut file = open(&self.dir)?;
            match parse(&mut file)? {
                Some(ticket) if ticket.worker == self.me => write(&mut file, &Ticket { done: true, ..ticket }),
                _ => Ok(()),
            }
        };
        if self.kept {
            let _ = finish();
        }
    }
}

/// What the newest notification was, and whether its program still works; `None` when there was none since boot.
///
/// # Errors
/// As the kernel reports it, or when the ticket stays locked.
pub fn read(dir: &Path) -> io::Result<Option<Ticket>> {
    match OpenOptions::new().read(true).open(dir.join(TICKET)) {
        Ok(mut file) => {
            lock(&file)?;
            parse(&mut file)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

enum Taken {
    Mine(Option<State>),
    Newer(State),
    SameWork(u32),
}

fn take(dir: &Path, me: Process, state: State) -> io::Result<Taken> {
    memory::make_dir(dir)?;
    let (boot, _) = memory::boot_clock()?;
    let mut file = open(dir)?;
    let (worker, taken) = match parse(&mut file)? {
        Some(ticket) if ticket.newest > me => return Ok(Taken::Newer(ticket.state)),
        Some(ticket) if ticket.is_at_work() && ticket.worker != me && state.wants_the_same_as(ticket.state) => {
            (ticket.worker, Taken::SameWork(ticket.worker.pid))
        }
        ticket => (me, Taken::Mine(ticket.map(|ticket| ticket.state))),
    };
    write(&mut file, &Ticket { state, at: memory::now(), boot, newest: me, worker, done: false })?;
    Ok(taken)
}

fn open(dir: &Path) -> io::Result<File> {
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(dir.join(TICKET))?;
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

/// A ticket of another boot is none: its starts are counted from another zero.
fn parse(file: &mut File) -> io::Result<Option<Ticket>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(4096).read_to_end(&mut bytes)?;
    let (boot, _) = memory::boot_clock()?;
    let ticket: Option<Ticket> = toml::from_str(&String::from_utf8_lossy(&bytes)).ok();
    Ok(ticket.filter(|ticket| ticket.boot == boot))
}

/// In place and always of one size: a full disk has no room for a new file, but has the room that this one holds.
fn write(file: &mut File, ticket: &Ticket) -> io::Result<()> {
    let text = toml::to_string(ticket).map_err(io::Error::other)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(format!("{text:\n<511}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EARLY: Process = Process { start: 1, pid: 1 };

    #[test]
    fn an_older_notification_that_comes_late_is_told_so() {
        let dir = tempfile::tempdir().expect("a directory");
        let me = Process::this().expect("/proc");
        assert!(matches!(take(dir.path(), me, State::Master), Ok(Taken::Mine(_))));
        assert!(matches!(take(dir.path(), EARLY, State::Backup), Ok(Taken::Newer(State::Master))));
        assert_eq!(read(dir.path()).expect("a ticket").map(|t| t.state), Some(State::Master));
    }

    #[test]
    fn the_same_wish_leaves_the_work_to_who_does_it_and_still_counts_as_newest() {
        let dir = tempfile::tempdir().expect("a directory");
        let me = Process::this().expect("/proc");
        let later = Process { start: me.start + 10, pid: 7 };
        let between = Process { start: me.start + 5, pid: 6 };
        assert!(matches!(take(dir.path(), me, State::Backup), Ok(Taken::Mine(_))));
        assert!(matches!(take(dir.path(), later, State::Fault), Ok(Taken::SameWork(pid)) if pid == me.pid));
        assert!(matches!(take(dir.path(), between, State::Master), Ok(Taken::Newer(State::Fault))));
    }

    #[test]
    fn a_worker_that_is_done_or_dead_is_not_at_work() {
        let dir = tempfile::tempdir().expect("a directory");
        let me = Process::this().expect("/proc");
        assert!(matches!(take(dir.path(), EARLY, State::Master), Ok(Taken::Mine(_))));
        assert!(!read(dir.path()).expect("a ticket").is_some_and(|t| t.is_at_work()), "no such process lives");
        let Entry::Yours(turn) = Turn::enter(dir.path(), State::Master).0 else { panic!("the worker is dead") };
        assert!(read(dir.path()).expect("a ticket").is_some_and(|t| t.is_at_work()));
        turn.done();
        assert!(!read(dir.path()).expect("a ticket").is_some_and(|t| t.is_at_work()));
        assert!(matches!(take(dir.path(), me, State::Master), Ok(Taken::Mine(_))));
    }

    #[test]
    fn a_newer_notification_ends_an_older_one_at_its_next_step() {
        let dir = tempfile::tempdir().expect("a directory");
        let Entry::Yours(turn) = Turn::enter(dir.path(), State::Backup).0 else { panic!("nobody else is here") };
        assert_eq!(turn.check(), Ok(()));
        let later = Process { start: turn.me.start + 1, pid: 1 };
        assert!(matches!(take(dir.path(), later, State::Master), Ok(Taken::Mine(_))));
        assert_eq!(turn.check(), Err(Ended::Superseded(State::Master)));
        assert!(turn.act(Deadline::after(Duration::from_secs(1))).is_err());
    }

    #[test]
    fn a_damaged_ticket_or_one_of_another_boot_is_none() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join(TICKET), [0xff, 0, b'=']).expect("a write");
        assert_eq!(read(dir.path()).expect("no error"), None);
        let me = Process::this().expect("/proc");
        let other =
            Ticket { state: State::Master, at: String::new(), boot: "x".into(), newest: me, worker: me, done: false };
        write(&mut open(dir.path()).expect("a file"), &other).expect("a write");
        assert_eq!(read(dir.path()).expect("no error"), None);
    }

    #[test]
    fn a_directory_that_refuses_is_a_complaint_and_no_standstill() {
        let (entry, complaint) = Turn::enter(Path::new("/proc/nowhere"), State::Master);
        let Entry::Yours(turn) = entry else { panic!("a failover goes on") };
        assert_eq!(turn.check(), Ok(()));
        assert!(complaint.is_some_and(|text| text.contains("/proc/nowhere")));
    }
}
