//! Whose data contains whose: a comparison of two histories. Pure.
//!
//! The rule (R6): if `Y.replid2 == X.replid`, Y was promoted out of X's history, and of X's bytes
//! those from `Y.second_repl_offset` on are X's alone. Equal ids compare by offset. PINGs and
//! expiries move offsets too (R5), so a few bytes are no proof of a lost write, but no bytes are a
//! proof that nothing was.

use crate::server::info::Lineage;

/// How the local data stands to the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// The same history, the same length.
    Equal,
    /// The local data contains the peer's, and this many bytes more.
    Ahead(u64),
    /// The peer's data contains the local one, and this many bytes more.
    Behind(u64),
    /// Each has bytes past the fork that the other lacks.
    Diverged {
        /// Past the fork, only here.
        local: u64,
        /// Past the fork, only there.
        peer: u64,
    },
    /// The ids say nothing: a restart with AOF loses them (R7).
    Unrelated,
}

impl Relation {
    /// Nothing is lost when the local Redis follows the peer.
    pub(crate) fn may_follow(self) -> bool {
        matches!(self, Relation::Equal | Relation::Behind(_))
    }
}

/// Compares the history of the local Redis with a peer's.
pub(crate) fn compare(local: &Lineage, peer: &Lineage) -> Relation {
    if local.replid.is_empty() || peer.replid.is_empty() {
        return Relation::Unrelated;
    }
    match fork(local, peer) {
        Some(shared) => {
            let past = |offset: i64| {
                u64::try_from((i128::from(offset) - i128::from(shared)).max(0)).unwrap_or(0)
            };
            match (past(local.offset), past(peer.offset)) {
                (0, 0) => Relation::Equal,
                (ahead, 0) => Relation::Ahead(ahead),
                (0, behind) => Relation::Behind(behind),
                (local, peer) => Relation::Diverged { local, peer },
            }
        }
        None => Relation::Unrelated,
    }
}

/// The offset of the last byte that both histories share, as far as the ids tell.
fn fork(local: &Lineage, peer: &Lineage) -> Option<i64> {
    // second_repl_offset is the first byte that is not shared.
    let end = |second_offset: i64| second_offset.saturating_sub(1);
    if local.replid == peer.replid {
        return Some(local.offset.min(peer.offset));
    }
    let out_of = |elder: &Lineage, younger: &Lineage| {
        (younger.replid2.as_ref() == Some(&elder.replid))
            .then(|| end(younger.second_offset).min(elder.offset))
    };
    // Never both of a real pair; of damaged ids the smaller claim is believed.
    if let Some(shared) = [out_of(local, peer), out_of(peer, local)]
        .into_iter()
        .flatten()
        .min()
    {
        return Some(shared);
    }
    if local.replid2.is_some() && local.replid2 == peer.replid2 {
        return Some(end(local.second_offset.min(peer.second_offset)));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(replid: &str, replid2: Option<(&str, i64)>, offset: i64) -> Lineage {
        Lineage {
            replid: replid.into(),
            replid2: replid2.map(|(id, _)| id.into()),
            second_offset: replid2.map_or(-1, |(_, at)| at),
            offset,
        }
    }

    /// The same, seen from the peer.
    fn turned(relation: Relation) -> Relation {
        match relation {
            Relation::Ahead(bytes) => Relation::Behind(bytes),
            Relation::Behind(bytes) => Relation::Ahead(bytes),
            Relation::Diverged { local, peer } => Relation::Diverged {
                local: peer,
                peer: local,
            },
            same => same,
        }
    }

    #[test]
    fn histories_compare_by_table() {
        use Relation::*;
        for (local, peer, expected) in [
            (line("a", None, 10), line("a", None, 10), Equal),
            (line("a", None, 15), line("a", None, 10), Ahead(5)),
            // The peer was promoted out of our history at byte 11 and has written 9 bytes since.
            (
                line("a", None, 10),
                line("b", Some(("a", 11)), 19),
                Behind(9),
            ),
            (
                line("a", None, 7),
                line("b", Some(("a", 11)), 19),
                Behind(12),
            ),
            // We went on for 3 bytes after the peer was promoted.
            (
                line("a", None, 13),
                line("b", Some(("a", 11)), 19),
                Diverged { local: 3, peer: 9 },
            ),
            // The peer was promoted and has written nothing.
            (
                line("a", None, 13),
                line("b", Some(("a", 11)), 10),
                Ahead(3),
            ),
            (line("a", None, 10), line("b", Some(("a", 11)), 10), Equal),
            // Both were promoted out of a third one's history.
            (
                line("c", Some(("a", 11)), 14),
                line("b", Some(("a", 9)), 9),
                Diverged { local: 6, peer: 1 },
            ),
            (line("c", None, 14), line("b", Some(("a", 9)), 9), Unrelated),
            (line("", None, 14), line("", None, 9), Unrelated),
        ] {
            assert_eq!(compare(&local, &peer), expected, "{local:?} {peer:?}");
            assert_eq!(
                compare(&peer, &local),
                turned(expected),
                "{peer:?} {local:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_numbers_compare_the_same_from_both_sides(
            ids in proptest::collection::vec("[ab]", 4),
            numbers in proptest::collection::vec(any::<i64>(), 4),
        ) {
            let local = line(&ids[0], Some((&ids[1], numbers[0])), numbers[1]);
            let peer = line(&ids[2], Some((&ids[3], numbers[2])), numbers[3]);
            prop_assert_eq!(turned(compare(&local, &peer)), compare(&peer, &local));
        }
    }
}
