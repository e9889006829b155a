//! How often the local Redis died of late. A node on which it dies again and again must not draw
//! the VIP to and fro: it is held back, while another node is well, until it has lived for a while
//! or a person says that it is mended.

use std::time::Duration;

use chrono::Utc;
use serde::{Deserialize, Serialize};

use super::memory::{Kept, StateFile, Store};
use crate::config::Flap;

/// Deaths, the oldest first, in seconds of the calendar: they outlive a reboot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Failures {
    at: Vec<i64>,
}

/// The run of the local Redis that was seen last. A clean stop of keepalived clears it: what dies
/// after that is no failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Life {
    run_id: String,
    /// Its death, or silence, has been counted.
    counted: bool,
}

impl Kept for Failures {
    const FILE: StateFile = StateFile::Failures;
}
impl Kept for Life {
    const FILE: StateFile = StateFile::Life;
}

/// The check sees the local Redis alive in its run `run_id`. Answers with a sentence where that
/// shows a death that nobody noticed.
pub fn seen_alive(store: &Store, run_id: &str, flap: &Flap) -> Option<String> {
    let life = store.get::<Life>();
    if life
        .as_ref()
        .is_some_and(|life| life.run_id == run_id && !life.counted)
    {
        return None;
    }
    // What can't be written down is not counted, and not said once a second for ever.
    store
        .set(&Life {
            run_id: run_id.to_string(),
            counted: false,
        })
        .ok()?;
    life.filter(|life| life.run_id != run_id && !life.counted)
        .and_then(|_| {
            count(
                store,
                flap,
                "the local Redis has died and was started again",
            )
        })
}

/// `redis_fault` finds the local Redis dead or silent. Answers with a sentence, once for each
/// death.
pub fn seen_dead(store: &Store, flap: &Flap) -> Option<String> {
    let life = store.get::<Life>().filter(|life| !life.counted)?;
    store
        .set(&Life {
            counted: true,
            ..life
        })
        .ok()?;
    count(store, flap, "the local Redis has died")
}

/// keepalived was stopped on purpose: whatever happens to Redis until it is seen again is no
/// failure.
pub(crate) fn planned(store: &Store) {
    let _ = store.clear::<Life>();
}

/// Forgets all failures; how many there were.
pub(crate) fn forget(store: &Store) -> std::io::Result<usize> {
    let count = store.get::<Failures>().unwrap_or_default().at.len();
    store.clear::<Failures>().map(|()| count)
}

/// For how long this node is still held back; `None` where it is not.
pub fn held_back(store: &Store, flap: &Flap) -> Option<Duration> {
    store
        .get::<Failures>()
        .and_then(|failures| judge(&failures.at, Utc::now().timestamp(), flap))
}

fn count(store: &Store, flap: &Flap, what: &str) -> Option<String> {
    let now = Utc::now().timestamp();
    let mut failures = store.get::<Failures>().unwrap_or_default();
    failures.at.push(now);
    let excess = failures.at.len().saturating_sub(flap.count.max(10));
    failures.at.drain(..excess);
    store.set(&failures).ok()?;
    let seconds = i64::try_from(flap.window.as_secs()).unwrap_or(i64::MAX);
    let recent = failures
        .at
        .iter()
        .filter(|at| (now.saturating_sub(seconds)..=now).contains(*at))
        .count();
    let window = humantime::format_duration(flap.window);
    Some(match judge(&failures.at, now, flap) {
        Some(left) => format!(
            "ALARM: {what}, {recent} times within {window}; while another node is well this one \
             is not eligible for {}; \
             once it is mended: check_redis --forget-failures",
            humantime::format_duration(left)
        ),
        None => format!("{what}; {recent} of {} times within {window}", flap.count),
    })
}

/// `count` deaths within `window`, the last of them not longer ago than `hold`. What lies in the
/// future was written by a clock that was wrong, and is not counted.
fn judge(at: &[i64], now: i64, flap: &Flap) -> Option<Duration> {
    let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let mut at: Vec<i64> = at.iter().copied().filter(|at| *at <= now).collect();
    at.sort_unstable();
    let group = |group: &&[i64]| match group {
        [first, .., last] => last.saturating_sub(*first) <= seconds(flap.window),
        _ => false,
    };
    let last = at.windows(flap.count.max(2)).rfind(group)?.last()?;
    let left = last.saturating_add(seconds(flap.hold)).saturating_sub(now);
    u64::try_from(left)
        .ok()
        .filter(|left| *left > 0)
        .map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn flap() -> Flap {
        Flap {
            count: 3,
            window: Duration::from_secs(600),
            hold: Duration::from_secs(1800),
        }
    }

    #[test]
    fn three_deaths_within_the_window_hold_a_node_back_for_a_while() {
        for (at, now, left) in [
            (vec![], 1000, None),
            (vec![900, 950], 1000, None),
            (vec![900, 950, 1000], 1000, Some(1800)),
            (vec![900, 950, 1000], 2000, Some(800)),
            (vec![900, 950, 1000], 2800, None),
            (vec![100, 950, 1000], 1000, None),
            // One more long after the others is no group of three, and does not end the hold of the
            // first group.
            (vec![900, 950, 1000, 2000], 2000, Some(800)),
            (vec![1000, 900, 950], 1000, Some(1800)),
            (vec![900, 950, 99_999], 1000, None),
        ] {
            assert_eq!(
                judge(&at, now, &flap()).map(|left| left.as_secs()),
                left,
                "{at:?} at {now}"
            );
        }
    }

    #[test]
    fn each_death_counts_once_whoever_sees_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::new(dir.path());
        let count = || store.get::<Failures>().unwrap_or_default().at.len();
        assert_eq!(
            seen_dead(&store, &flap()),
            None,
            "not yet started after boot"
        );
        assert_eq!(seen_alive(&store, "a", &flap()), None);
        assert!(seen_dead(&store, &flap()).is_some_and(|said| said.contains("1 of 3")));
        assert_eq!(seen_dead(&store, &flap()), None, "still dead");
        assert_eq!(seen_alive(&store, "b", &flap()), None, "counted already");
        assert_eq!((seen_alive(&store, "b", &flap()), count()), (None, 1));
        assert!(
            seen_alive(&store, "c", &flap()).is_some_and(|said| said.contains("2 of 3")),
            "a quick restart"
        );
        assert_eq!(
            seen_dead(&store, &flap()).map(|said| said.starts_with("ALARM")),
            Some(true),
            "it hangs"
        );
        assert_eq!(seen_alive(&store, "c", &flap()), None, "it goes on");
        assert!(held_back(&store, &flap()).is_some());
        planned(&store);
        assert_eq!(
            (seen_alive(&store, "d", &flap()), count()),
            (None, 3),
            "a planned restart"
        );
        assert_eq!(forget(&store).expect("removed"), 3);
        assert_eq!(held_back(&store, &flap()), None);
    }

    proptest! {
        #[test]
        fn no_numbers_make_it_panic(at in proptest::collection::vec(any::<i64>(), 0..8), now in any::<i64>(), s in any::<u64>()) {
            let flap = Flap { count: 3, window: Duration::from_secs(s), hold: Duration::from_secs(s) };
            let _ = judge(&at, now, &flap);
        }

        #[test]
        fn damaged_files_count_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let dir = tempfile::tempdir().expect("a directory");
            for file in [Failures::FILE, Life::FILE] {
                std::fs::write(file.path(dir.path()), &bytes).expect("a write");
            }
            let store = Store::new(dir.path());
            prop_assert_eq!(held_back(&store, &flap()), None);
            prop_assert_eq!(seen_alive(&store, "a", &flap()), None);
        }
    }
}
