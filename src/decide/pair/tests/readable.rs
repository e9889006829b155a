//! Nobody asks for a copy that it can't read.

use super::*;
use crate::server::info::{Backlog, Make};

fn of(mut seen: Observation, version: Version) -> Observation {
    seen.version = version;
    seen
}

fn valkey(mut seen: Observation, version: Version) -> Observation {
    (seen.version, seen.make) = (Version(7, 2, 4), Make::Valkey(version));
    seen
}

/// Its backlog has the bytes from `first` on, to the end, and room for `size`.
fn backlog(mut seen: Observation, first: i64, size: i64) -> Observation {
    let bytes = seen.replication.lineage.offset + 1 - first;
    seen.replication.backlog = Some(Backlog { first, bytes, size });
    seen
}

const OLD: Version = Version(6, 2, 14);
const NEW: Version = Version(7, 0, 15);

#[test]
fn nobody_is_made_to_follow_a_master_whose_data_it_cannot_read() {
    let at_b = Vip::At(b());
    // Promoted out of our history at byte 51.
    let promoted = || of(out_of(master('y', 90), 'x', 51), NEW);
    for (situation, local, peer, expected) in [
        ("contained", of(master('x', 50), OLD), promoted(), "wait"),
        ("diverged", of(master('x', 55), OLD), promoted(), "wait"),
        (
            "empty",
            of(keys(master('z', 0), 0), OLD),
            of(master('x', 50), NEW),
            "wait",
        ),
        (
            "parked",
            of(replica(a(), 'z', 50), OLD),
            of(master('x', 50), NEW),
            "wait",
        ),
        (
            "as new as the master",
            of(master('x', 55), NEW),
            promoted(),
            "keep and follow",
        ),
        (
            "of the same format",
            of(master('x', 50), Version(5, 0, 6)),
            of(out_of(master('y', 90), 'x', 51), OLD),
            "follow",
        ),
        (
            "newer than the master",
            of(master('x', 50), NEW),
            of(out_of(master('y', 90), 'x', 51), OLD),
            "follow",
        ),
        (
            "what comes next is overwritten soon",
            of(master('x', 50), OLD),
            backlog(promoted(), 12, 79),
            "wait",
        ),
        (
            "what comes next is in the backlog",
            of(master('x', 50), OLD),
            backlog(promoted(), 11, 800),
            "follow",
        ),
        (
            "it is not there any more",
            of(master('x', 50), OLD),
            backlog(promoted(), 52, 800),
            "wait",
        ),
        (
            "it has a byte past the fork",
            of(master('x', 51), OLD),
            backlog(promoted(), 11, 800),
            "wait",
        ),
        (
            "Redis 7.4 to a Valkey",
            valkey(master('x', 50), Version(8, 1, 0)),
            of(out_of(master('y', 90), 'x', 51), Version(7, 4, 0)),
            "wait",
        ),
        (
            "nobody knows",
            valkey(master('x', 50), Version(8, 1, 0)),
            valkey(out_of(master('y', 90), 'x', 51), Version(9, 0, 0)),
            "follow",
        ),
    ] {
        let step = yield_role(&view(local, Ok(peer), at_b), 99 * GRACE, GRACE);
        assert_eq!(name(&step), expected, "{situation}");
        let Step::Wait(why) = step else { continue };
        let told = "ALARM: 192.168.158.11:6379 is ";
        assert!(
            why.contains(told) && why.contains("upgrade 192.168.158.11:6379 to "),
            "{why}"
        );
    }
}

#[test]
fn the_holder_of_the_vip_neither_follows_nor_raises_what_it_cannot_read() {
    let better = || of(out_of(master('y', 90), 'x', 51), NEW);
    let old = |offset| of(master('x', offset), OLD);
    let parted = |seen| of(replica(a(), 'y', seen), NEW);
    for (situation, view, expected) in [
        (
            "a master that has more",
            view(old(50), Ok(better()), Vip::Here),
            "wait",
        ),
        (
            "a replica that has more",
            view(old(50), Ok(out_of(parted(90), 'x', 51)), Vip::Here),
            "wait",
        ),
        (
            "the same as new as we are",
            view(of(master('x', 50), NEW), Ok(better()), Vip::Here),
            "follow",
        ),
        (
            "in the stream: the role moves",
            view(
                of(replica(b(), 'x', 50), OLD),
                Ok(of(master('x', 50), NEW)),
                Vip::Here,
            ),
            "take over",
        ),
    ] {
        assert_eq!(name(&serve(&view, LATER)), expected, "{situation}");
        assert_eq!(
            eligibility(&view).eligible,
            expected == "take over",
            "{situation}"
        );
    }
}

#[test]
fn a_replica_that_waits_for_what_it_cannot_read_says_so() {
    let down = |version| of(link(replica(b(), 'x', 0), false, false), version);
    let waits = |local| {
        let view = view(local, Ok(of(master('x', 50), NEW)), Vip::At(b()));
        match yield_role(&view, LATER, GRACE) {
            Step::Wait(why) => why,
            step => panic!("{step:?}"),
        }
    };
    assert!(waits(down(OLD)).contains("; ALARM: "));
    assert!(!waits(down(NEW)).contains("ALARM"));
}

#[test]
fn a_third_node_that_would_need_a_copy_which_it_cannot_read_is_not_brought_along() {
    let c = "192.168.158.14:6379".parse().expect("an address");
    let third = |version, first| {
        let master = backlog(of(out_of(master('y', 90), 'x', 51), NEW), first, 800);
        let mut view = view(master, Ok(of(replica(a(), 'y', 90), NEW)), Vip::Here);
        view.peers.push(Node {
            address: c,
            seen: Ok(of(replica(b(), 'x', 50), version)),
        });
        stragglers(&view, a())
    };
    assert_eq!(third(NEW, 60), [c]);
    assert_eq!(third(OLD, 60), []);
    assert_eq!(third(OLD, 11), [c], "it goes on where it is");
}
