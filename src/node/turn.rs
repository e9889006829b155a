//! Whose turn it is: the newest notification wins.
//!
//! keepalived forks notify programs and neither waits for nor orders them (K3): a `redis_backup`
//! that waits outlives a later `redis_master`. Each takes a [`ticket`], and stops at its next step
//! when that is no longer the newest.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fs2::FileExt;

use super::memory::StateFile;
use super::process::Process;
use super::ticket::{self, Taken};
use super::vrrp_state::VrrpState;
use crate::deadline::Deadline;

/// For an older program to leave its step: its commands have deadlines of their own.
const ACT_WAIT: Duration = Duration::from_secs(3);
/// A newer notification is heard within this, however long a wait is.
const HEARD: Duration = Duration::from_millis(20);

/// What [`Turn::enter`] found.
pub enum Entry {
    Yours(Turn),
    /// A newer notification, for this state, has come meanwhile: leave.
    Superseded(VrrpState),
    /// A program that wants the same is at work already, with this pid: leave it to it.
    AlreadyAtWork(u32),
}

/// Why a program has to stop at its next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A newer notification came, for this state.
    Superseded(VrrpState),
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
    previous: Option<VrrpState>,
    /// False where the directory refused: then nobody can be told apart, and a failover goes on all
    /// the same.
    kept: bool,
}

/// Held while a Redis is being commanded. Closes the race in which two notifications change roles
/// at the same time: the newer one gets it when the older one has left its step.
pub(crate) struct Acting {
    _lock: Option<File>,
}

impl Turn {
    /// Takes a turn for `state` in the memory directory `dir`.
    ///
    /// The second value is a complaint for the journal: the turn could not be written down.
    pub fn enter(dir: &Path, state: VrrpState) -> (Entry, Option<String>) {
        let terminated = Arc::new(AtomicBool::new(false));
        let _ = signal_hook::flag::register(signal_hook::consts::SIGTERM, Arc::clone(&terminated));
        let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&terminated));
        let turn = |me, previous, kept| Turn {
            dir: dir.to_path_buf(),
            me,
            terminated,
            previous,
            kept,
        };
        let me = Process::this().unwrap_or_default();
        match ticket::take(dir, me, state) {
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
        match self.kept.then(|| ticket::read(&self.dir)) {
            Some(Ok(Some(ticket))) if !ticket.is_worked_by(self.me) => {
                Err(Ended::Superseded(ticket.state))
            }
            _ => Ok(()),
        }
    }

    /// Waits for `time`, or until it is no longer our turn.
    ///
    /// # Errors
    /// [`Ended`].
    pub(crate) fn pause(&self, time: Duration) -> Result<(), Ended> {
        let wait = Deadline::after(time);
        while wait.pause(HEARD) {
            self.check()?;
        }
        self.check()
    }

    /// The state before this one; `None` after a boot.
    pub(crate) fn previous(&self) -> Option<VrrpState> {
        self.previous
    }

    /// Waits for the right to command, and makes sure that we are still the newest with it in hand.
    ///
    /// # Errors
    /// [`Ended`]. When an older program keeps the lock beyond `ACT_WAIT` (it is frozen: its
    /// commands have deadlines of their own), this one goes on without it, for it is outage that
    /// waits here.
    pub(crate) fn act(&self) -> Result<Acting, Ended> {
        let patience = Deadline::after(ACT_WAIT);
        let file = acting_file(&self.dir);
        if let Ok(file) = &file {
            while file.try_lock_exclusive().is_err() && patience.pause(Duration::from_millis(1)) {
                self.check()?;
            }
        }
        self.check()?;
        Ok(Acting { _lock: file.ok() })
    }

    /// Says that the work is done, so that the next notification of the same kind looks for itself.
    pub fn done(self) {
        if self.kept {
            let _ = ticket::finish(&self.dir, self.me);
        }
    }
}

/// The right to command for who has no turn, where nobody has it at the moment.
pub(crate) fn act_now(dir: &Path) -> Option<Acting> {
    let file = acting_file(dir).ok()?;
    file.try_lock_exclusive().ok()?;
    Some(Acting { _lock: Some(file) })
}

fn acting_file(dir: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(StateFile::Acting.path(dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_is_done_or_dead_is_not_at_work() {
        let dir = tempfile::tempdir().expect("a directory");
        let me = Process::this().expect("/proc");
        assert!(matches!(
            ticket::take(dir.path(), me.shifted(-1), VrrpState::Master),
            Ok(Taken::Mine(_))
        ));
        assert!(
            !ticket::read(dir.path())
                .expect("a ticket")
                .is_some_and(|t| t.is_at_work()),
            "no such process lives"
        );
        let Entry::Yours(turn) = Turn::enter(dir.path(), VrrpState::Master).0 else {
            panic!("the worker is dead")
        };
        assert!(
            ticket::read(dir.path())
                .expect("a ticket")
                .is_some_and(|t| t.is_at_work())
        );
        turn.done();
        assert!(
            !ticket::read(dir.path())
                .expect("a ticket")
                .is_some_and(|t| t.is_at_work())
        );
        assert!(matches!(
            ticket::take(dir.path(), me, VrrpState::Master),
            Ok(Taken::Mine(_))
        ));
    }

    #[test]
    fn a_newer_notification_ends_an_older_one_at_its_next_step() {
        let dir = tempfile::tempdir().expect("a directory");
        let Entry::Yours(turn) = Turn::enter(dir.path(), VrrpState::Backup).0 else {
            panic!("nobody else is here")
        };
        assert_eq!(turn.check(), Ok(()));
        let later = turn.me.shifted(1);
        assert!(matches!(
            ticket::take(dir.path(), later, VrrpState::Master),
            Ok(Taken::Mine(_))
        ));
        assert_eq!(turn.check(), Err(Ended::Superseded(VrrpState::Master)));
        assert!(turn.act().is_err());
    }

    #[test]
    fn a_directory_that_refuses_is_a_complaint_and_no_standstill() {
        let (entry, complaint) = Turn::enter(Path::new("/proc/nowhere"), VrrpState::Master);
        let Entry::Yours(turn) = entry else {
            panic!("a failover goes on")
        };
        assert_eq!(turn.check(), Ok(()));
        assert!(complaint.is_some_and(|text| text.contains("/proc/nowhere")));
    }
}
