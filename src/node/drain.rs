//! A drain: a person wants this node to stay out of service, for a while or until it is resumed.
//!
//! It is a wish and no lock: a drained node is not eligible, so that any other one goes before it,
//! and is taken all the same where no other lives.

use std::io;
use std::time::Duration;

use chrono::{DateTime, Local, TimeZone, Utc};
use serde::{Deserialize, Serialize};

use super::clock::now;
use super::memory::{Kept, StateFile, Store};

/// How long a node may fail its check to be rid of the VIP, where a lower priority moves nothing
/// (`nopreempt`, K15).
const LEAVING: Duration = Duration::from_secs(15);

/// What is written down of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Drain {
    /// When it began, in local time; for people.
    pub at: String,
    /// When it ends by itself, in seconds of the calendar: it outlives a reboot.
    pub until: Option<i64>,
    /// `check_redis --eligible` has said no for it: keepalived knows of it, and a lower priority
    /// moves the VIP.
    pub heard: bool,
    /// Until then (seconds of the calendar) `check_redis` fails, so that the VIP is given up.
    leaving: Option<i64>,
    /// Whether another node could serve does not matter.
    forced: bool,
}

impl Kept for Drain {
    const FILE: StateFile = StateFile::Drain;
}

impl Drain {
    /// From now on, until resumed or for a time.
    pub(crate) fn starting(lasting: Option<Duration>) -> Drain {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let until = lasting.map(|time| Utc::now().timestamp().saturating_add(seconds(time)));
        Drain {
            at: now(),
            until,
            heard: false,
            leaving: None,
            forced: false,
        }
    }

    fn is_over(&self, now: i64) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    fn is_leaving(&self, now: i64) -> bool {
        // A clock that was set back must not make it last.
        let last = now.saturating_add(i64::try_from(LEAVING.as_secs()).unwrap_or(i64::MAX));
        self.leaving
            .is_some_and(|until| until > now && until <= last)
    }
}

impl std::fmt::Display for Drain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self
            .until
            .and_then(|until| Local.timestamp_opt(until, 0).single())
        {
            Some(until) => write!(f, "drained by hand until {}", clock(&until)),
            None => f.write_str("drained by hand until it is resumed"),
        }
    }
}

/// A time of today without its date.
fn clock(time: &DateTime<Local>) -> String {
    let today = time.date_naive() == Local::now().date_naive();
    time.format(if today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M" })
        .to_string()
}

/// The drain of this node, if there is one and its time is not over.
pub(crate) fn current(store: &Store) -> Option<Drain> {
    store
        .get::<Drain>()
        .filter(|drain| !drain.is_over(Utc::now().timestamp()))
}

/// Begins `drain`; one that is there is replaced.
pub(crate) fn begin(store: &Store, drain: &Drain) -> io::Result<()> {
    store.set(drain)
}

/// Ends a drain; false where there was none.
pub(crate) fn end(store: &Store) -> io::Result<bool> {
    let there = store.get::<Drain>().is_some();
    store.clear::<Drain>().map(|()| there)
}

/// Ends a drain whose time is over; a sentence for the journal.
pub(crate) fn ended(store: &Store) -> Option<String> {
    let drain = store
        .get::<Drain>()
        .filter(|drain| drain.is_over(Utc::now().timestamp()))?;
    store.clear::<Drain>().ok()?;
    Some(format!(
        "the drain of {} has ended by itself: this node takes part again",
        drain.at
    ))
}

/// `check_redis --eligible` has said no.
pub(crate) fn hear(store: &Store) {
    if let Some(drain) = current(store).filter(|drain| !drain.heard) {
        let _ = store.set(&Drain {
            heard: true,
            ..drain
        });
    }
}

/// From now on `check_redis` fails for a moment, so that the VIP goes; where `forced`, whether
/// another node could serve or not.
pub(crate) fn leave(store: &Store, forced: bool) -> io::Result<()> {
    let Some(drain) = current(store) else {
        return Ok(());
    };
    let leaving = Some(
        Utc::now()
            .timestamp()
            .saturating_add(i64::try_from(LEAVING.as_secs()).unwrap_or(0)),
    );
    store.set(&Drain {
        leaving,
        forced,
        ..drain
    })
}

/// Shall the check fail, for the VIP to go? `out` is whether this node neither holds the VIP nor is
/// a master any more: then it has gone. `another` is asked whether some other node could serve.
pub(crate) fn leaves(store: &Store, out: bool, another: impl FnOnce() -> bool) -> Option<Drain> {
    let drain = current(store).filter(|drain| drain.is_leaving(Utc::now().timestamp()))?;
    if out {
        let _ = store.set(&Drain {
            leaving: None,
            ..drain
        });
        return None;
    }
    (drain.forced || another()).then_some(drain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::new(dir.path());
        (dir, store)
    }

    #[test]
    fn a_drain_lasts_until_it_is_ended_or_its_time_is_over() {
        let (_dir, store) = store();
        assert_eq!(
            (current(&store), end(&store).expect("no error")),
            (None, false)
        );
        begin(&store, &Drain::starting(None)).expect("a write");
        assert!(
            current(&store)
                .is_some_and(|drain| drain.to_string() == "drained by hand until it is resumed")
        );
        assert_eq!(ended(&store), None);
        assert!(end(&store).expect("a removal"));
        begin(&store, &Drain::starting(Some(Duration::from_secs(3600)))).expect("a write");
        assert!(current(&store).is_some());
        begin(&store, &Drain::starting(Some(Duration::ZERO))).expect("a write");
        assert_eq!(current(&store), None, "over");
        assert!(ended(&store).is_some_and(|said| said.contains("by itself")));
        assert_eq!(ended(&store), None, "said once");
    }

    #[test]
    fn the_check_fails_only_while_the_vip_is_to_go_and_somebody_could_take_it() {
        let (_dir, store) = store();
        begin(&store, &Drain::starting(None)).expect("a write");
        assert_eq!(
            leaves(&store, false, || true),
            None,
            "a lower priority may do"
        );
        leave(&store, false).expect("a write");
        assert_eq!(leaves(&store, false, || false), None, "nobody could serve");
        assert!(leaves(&store, false, || true).is_some());
        assert_eq!(leaves(&store, true, || true), None, "it has gone");
        assert_eq!(
            leaves(&store, false, || true),
            None,
            "and may come back, where no other node lives"
        );
        leave(&store, true).expect("a write");
        assert!(leaves(&store, false, || false).is_some(), "forced");
    }

    #[test]
    fn it_does_not_fail_for_ever_whatever_the_clock_does() {
        let drain = Drain {
            leaving: Some(1000),
            ..Drain::starting(None)
        };
        for (now, leaving) in [
            (985, true),
            (999, true),
            (1000, false),
            (5000, false),
            (10, false),
        ] {
            assert_eq!(drain.is_leaving(now), leaving, "at {now}");
        }
    }

    #[test]
    fn what_is_damaged_is_no_drain() {
        let (dir, store) = store();
        std::fs::write(Drain::FILE.path(dir.path()), [0xff, b'=', 0]).expect("a write");
        assert_eq!((current(&store), ended(&store)), (None, None));
        hear(&store);
        assert_eq!(leaves(&store, false, || true), None);
    }
}
