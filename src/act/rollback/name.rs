//! How a rollback file is called: `COUNTER-TIME-INSTANCE-NODE`. The counter makes the order; the
//! time is UTC, and for people. Files of before have the local time alone, which is no order among
//! themselves that could be relied on: they all come before those with a counter.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Local, NaiveDateTime, TimeZone, Utc};

const UTC: &str = "%Y%m%dT%H%M%SZ";
const LOCAL: &str = "%Y%m%dT%H%M%S%.3f";
/// More digits are no counter of ours, so that there is always one more.
const LONGEST_COUNTER: usize = 18;

/// What the name of a rollback file says, and what comes behind it in order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Of before: the local time.
    Uncounted(String),
    /// The counter, and the time.
    Counted(u64, String),
}

/// A name taken apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub place: Place,
    /// As [`whose`] says it.
    pub whose: String,
}

/// How the name of a file ends, before `.rdb`: behind the time.
pub(crate) fn whose(instance: &str, node: SocketAddr) -> String {
    format!("-{instance}-{node}").replace([':', '[', ']', '/'], "_")
}

/// The name, without an ending, of the next file in `dir`: its counter is one more than any there,
/// of whichever instance, so that one order holds for the whole directory.
///
/// # Errors
/// The directory can't be read: there might be a higher one.
pub(crate) fn next(dir: &Path, whose: &str) -> io::Result<String> {
    let mut highest = 0;
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let stem = name.strip_prefix('.').unwrap_or(&name);
        if let Some(Place::Counted(counter, _)) = Name::read(stem).map(|name| name.place) {
            highest = highest.max(counter);
        }
    }
    let time = Utc::now().format(UTC);
    Ok(format!("{:06}-{time}{whose}", highest.saturating_add(1)))
}

impl Name {
    /// That of the file at `path`.
    pub(crate) fn of(path: &Path) -> Option<Name> {
        Name::read(path.file_stem()?.to_str()?)
    }

    fn read(stem: &str) -> Option<Name> {
        let (first, rest) = stem.split_at_checked(stem.find('-')?)?;
        if NaiveDateTime::parse_from_str(first, LOCAL).is_ok() {
            return Some(Name {
                place: Place::Uncounted(first.to_owned()),
                whose: rest.to_owned(),
            });
        }
        let digits = first.bytes().all(|byte| byte.is_ascii_digit());
        let counter = first.parse().ok();
        let counter: u64 = counter.filter(|_| digits && first.len() <= LONGEST_COUNTER)?;
        let rest = rest.strip_prefix('-')?;
        let (time, whose) = rest.split_at_checked(rest.find('-')?)?;
        NaiveDateTime::parse_from_str(time, UTC).ok()?;
        Some(Name {
            place: Place::Counted(counter, time.to_owned()),
            whose: whose.to_owned(),
        })
    }

    /// What tells it from the others of its directory: the counter and the time, or the time alone.
    pub(crate) fn stamp(&self) -> String {
        match &self.place {
            Place::Uncounted(time) => time.clone(),
            Place::Counted(counter, time) => format!("{counter:06}-{time}"),
        }
    }

    /// How long ago it was taken, `now`; `None` where that is still to come.
    pub(crate) fn age(&self, now: SystemTime) -> Option<Duration> {
        let read = |time: &str, form| NaiveDateTime::parse_from_str(time, form).ok();
        let taken = match &self.place {
            Place::Counted(_, time) => read(time, UTC)?.and_utc(),
            // An hour that was there twice: the younger one.
            Place::Uncounted(time) => {
                let local = Local.from_local_datetime(&read(time, LOCAL)?).latest()?;
                local.with_timezone(&Utc)
            }
        };
        let now: DateTime<Utc> = now.into();
        now.signed_duration_since(taken).to_std().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(stem: &str) -> Option<Name> {
        Name::of(Path::new(&format!("/x/{stem}.rdb")))
    }

    #[test]
    fn the_counter_makes_the_order_and_the_time_does_not() {
        // As they were taken: the clock went back, over the end of summer time, into another zone.
        let taken = [
            "20260101T000000.001-redis-ha-10.0.0.1_6379",
            "20290101T000000.000-redis-ha-10.0.0.1_6379",
            "000001-20261128T003115Z-redis-ha-10.0.0.1_6379",
            "000002-20251128T003115Z-redis-ha-10.0.0.1_6379",
            "000009-20261128T003115Z-redis-ha-10.0.0.1_6379",
            "000010-20261128T003115Z-redis-ha-10.0.0.1_6379",
            "999999-20261128T003115Z-redis-ha-10.0.0.1_6379",
            "1000000-19991128T003115Z-redis-ha-10.0.0.1_6379",
        ];
        let read: Vec<Name> = taken.iter().filter_map(|stem| name(stem)).collect();
        assert_eq!(read.len(), taken.len());
        assert!(read.is_sorted_by(|a, b| a.place < b.place), "{read:?}");
        for name in read {
            assert_eq!(
                name.whose,
                whose("redis-ha", "10.0.0.1:6379".parse().expect("an address"))
            );
        }
    }

    #[test]
    fn a_name_of_somebody_else_is_none() {
        for stem in [
            "",
            "dump",
            "one",
            "before-redis-ha-10.0.0.1_6379",
            "000001-redis-ha-10.0.0.1_6379",
            "000001-20261328T003115Z-redis-ha-10.0.0.1_6379",
            "+00001-20261128T003115Z-redis-ha-10.0.0.1_6379",
            "9999999999999999999-20261128T003115Z-redis-ha-10.0.0.1_6379",
            "20261128T003115Z-redis-ha-10.0.0.1_6379",
        ] {
            assert_eq!(name(stem), None, "{stem}");
        }
    }

    #[test]
    fn the_next_one_counts_on_from_whatever_is_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let next = || next(dir.path(), "-a").expect("readable");
        let write = |name: &str| fs::write(dir.path().join(name), "").expect("a file");
        assert!(
            next().starts_with("000001-") && next().ends_with("Z-a"),
            "{}",
            next()
        );
        write("20290101T000000.000-a.rdb");
        assert!(next().starts_with("000001-"));
        write("000007-20290101T000000Z-other.json");
        assert!(next().starts_with("000008-"));
        write(".000041-20290101T000000Z-a.rdb.part");
        assert!(next().starts_with("000042-"));
        assert!(super::next(Path::new("/no/such/place"), "-a").is_err());
    }

    #[test]
    fn the_age_is_by_utc_and_never_less_than_nothing() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let file = name("000001-20261128T000000Z-a").expect("a name");
        let taken = 1_795_824_000;
        assert_eq!(file.age(at(taken + 60)), Some(Duration::from_secs(60)));
        assert_eq!(file.age(at(taken - 1)), None);
        assert_eq!(file.stamp(), "000001-20261128T000000Z");
        let old = name("20261128T000000.000-a").expect("a name");
        assert_eq!(old.age(at(taken - 48 * 3600)), None);
        assert!(old.age(at(taken + 48 * 3600)).is_some());
        assert_eq!(old.stamp(), "20261128T000000.000");
    }
}
