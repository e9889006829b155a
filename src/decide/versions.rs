//! Can one Redis read the copy that another one makes of its data? Pure.

use std::fmt;

use crate::server::info::{Lineage, Make, Observation, Version};

/// What the versions say of a full copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Can,
    /// The reader empties itself, and then refuses the copy.
    Cannot,
    /// One of them is younger than the table, or chooses the format by what it knows of the other.
    Unknown,
}

/// From which version on Redis writes which format (R43).
const FORMATS: [(u32, u32, u32); 10] = [
    (2, 8, 6),
    (3, 2, 7),
    (4, 0, 8),
    (5, 0, 9),
    (7, 0, 10),
    (7, 2, 11),
    (7, 4, 12),
    (8, 6, 13),
    (8, 8, 14),
    (8, 10, 15),
];

/// The youngest Redis of the table. What comes after it may write another format.
const YOUNGEST: (u32, u32) = (8, 10);

/// What Valkey reads and writes, from 9.0 on beside one of its own.
const OF_VALKEY: u32 = 11;

fn minor(version: Version) -> (u32, u32) {
    (version.0, version.1)
}

/// The format that a Redis of this version writes, which is the newest that it reads.
fn format(version: Version) -> Option<u32> {
    let known = minor(version) <= YOUNGEST;
    FORMATS
        .iter()
        .rev()
        .find(|(major, minor, _)| known && (version.0, version.1) >= (*major, *minor))
        .map(|(.., format)| *format)
}

/// Does `reader` read what `writer` copies to it? What modules have put into the data is not seen
/// here.
pub(crate) fn reading(reader: (Make, Version), writer: (Make, Version)) -> Reading {
    match (reader, writer) {
        ((Make::Redis, reader), (Make::Redis, writer)) => match (format(reader), format(writer)) {
            _ if minor(reader) >= minor(writer) => Reading::Can,
            (Some(reads), Some(writes)) => told(reads >= writes),
            _ => Reading::Unknown,
        },
        ((Make::Valkey(reader), _), (Make::Valkey(writer), _)) => match () {
            () if minor(reader) >= minor(writer) || writer.0 < 9 => Reading::Can,
            () => Reading::Unknown,
        },
        // Valkey refuses what Redis has written since the two parted.
        ((Make::Valkey(_), _), (Make::Redis, writer)) => match format(writer) {
            Some(writes) => told(writes <= OF_VALKEY),
            None if minor(writer) > YOUNGEST => Reading::Cannot,
            None => Reading::Unknown,
        },
        ((Make::Redis, reader), (Make::Valkey(writer), _)) => match format(reader) {
            Some(reads) if reads < OF_VALKEY => Reading::Cannot,
            _ if writer.0 < 9 => Reading::Can,
            _ => Reading::Unknown,
        },
    }
}

fn told(can: bool) -> Reading {
    if can { Reading::Can } else { Reading::Cannot }
}

/// Does the `reader` read a copy of the data of the `writer`?
pub(crate) fn reads(reader: &Observation, writer: &Observation) -> Reading {
    let of = |seen: &Observation| (seen.make, seen.version);
    reading(of(reader), of(writer))
}

/// Would `master` go on where `replica` is, with no copy? As Redis itself decides it: the history
/// is the master's, or was it so far, and the next byte is in its backlog (R11), of which half is
/// left for what is written meanwhile.
pub(crate) fn goes_on(replica: &Observation, master: &Observation) -> bool {
    let (mine, theirs): (&Lineage, &Lineage) =
        (&replica.replication.lineage, &master.replication.lineage);
    let next = mine.offset.saturating_add(1);
    let same = mine.replid == theirs.replid;
    let former = theirs.replid2.as_ref() == Some(&mine.replid) && next <= theirs.second_offset;
    !mine.replid.is_empty()
        && (same || former)
        && master.replication.backlog.is_some_and(|backlog| {
            let end = backlog.first.saturating_add(backlog.bytes);
            (backlog.first..=end).contains(&next) && end - next <= backlog.size / 2
        })
}

/// A name for a person.
pub(crate) struct Software<'a>(pub &'a Observation);

impl fmt::Display for Software<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.make {
            Make::Redis => write!(f, "Redis {}", self.0.version),
            Make::Valkey(version) => write!(f, "Valkey {version}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Reading::{Can, Cannot, Unknown};
    use super::*;

    fn redis(major: u32, minor: u32) -> (Make, Version) {
        (Make::Redis, Version(major, minor, 3))
    }

    fn valkey(major: u32, minor: u32) -> (Make, Version) {
        (Make::Valkey(Version(major, minor, 0)), Version(7, 2, 4))
    }

    #[test]
    fn what_a_redis_reads_follows_from_the_formats_and_not_from_the_numbers_of_the_versions() {
        for (reader, writer, expected) in [
            (redis(7, 0), redis(7, 0), Can),
            (redis(8, 2), redis(6, 2), Can),
            (redis(5, 0), redis(6, 2), Can),
            (redis(6, 2), redis(7, 0), Cannot),
            (redis(7, 0), redis(7, 2), Cannot),
            (redis(7, 2), redis(7, 4), Cannot),
            (redis(7, 0), redis(8, 2), Cannot),
            (redis(7, 4), redis(8, 4), Can),
            (redis(8, 4), redis(8, 6), Cannot),
            (redis(8, 6), redis(8, 8), Cannot),
            (redis(3, 0), redis(3, 2), Cannot),
            // Younger than the table.
            (redis(8, 10), redis(8, 12), Unknown),
            (redis(9, 2), redis(9, 0), Can),
            (redis(9, 0), redis(9, 2), Unknown),
            (redis(9, 0), redis(8, 10), Can),
            // It did not say.
            (redis(0, 0), redis(7, 0), Unknown),
            (redis(7, 0), redis(0, 0), Can),
        ] {
            assert_eq!(reading(reader, writer), expected, "{reader:?} {writer:?}");
        }
    }

    #[test]
    fn redis_and_valkey_read_each_other_up_to_where_they_parted() {
        for (reader, writer, expected) in [
            (valkey(8, 1), valkey(7, 2), Can),
            (valkey(7, 2), valkey(8, 1), Can),
            (valkey(9, 1), valkey(9, 0), Can),
            (valkey(8, 1), valkey(9, 0), Unknown),
            (valkey(9, 0), redis(7, 2), Can),
            (valkey(8, 1), redis(7, 4), Cannot),
            (valkey(9, 0), redis(8, 2), Cannot),
            (valkey(9, 0), redis(9, 0), Cannot),
            (redis(7, 2), valkey(8, 1), Can),
            (redis(8, 2), valkey(8, 1), Can),
            (redis(7, 0), valkey(7, 2), Cannot),
            (redis(7, 0), valkey(9, 0), Cannot),
            (redis(8, 2), valkey(9, 0), Unknown),
        ] {
            assert_eq!(reading(reader, writer), expected, "{reader:?} {writer:?}");
        }
    }
}
