//! A node that lives and takes no writes gives way to one that does, and to nobody else.

use super::*;
use crate::decide::ability::{Refusal, goes_on_for, unless_it_refuses};
use crate::server::info::Disk;

fn bad_disk(mut seen: Observation) -> Observation {
    seen.disk = Disk {
        aof_failed: true,
        save_failed: false,
    };
    seen
}

fn full(room: &[SocketAddr]) -> Refusal {
    Refusal::Memory {
        used: 100,
        limit: 100,
        room: room.to_vec(),
    }
}

#[test]
fn what_refuses_writes_is_not_eligible_beside_a_node_that_takes_them() {
    let disk = || Refusal::Disk("MISCONF".to_owned());
    let serving = |peer| served(view(master('x', 50), peer, Vip::Here));
    let in_sync = || Ok(replica(a(), 'x', 50));
    for (situation, view, refusal, expected) in [
        ("it takes writes", serving(in_sync()), None, true),
        (
            "an in-sync replica takes over",
            serving(in_sync()),
            Some(disk()),
            false,
        ),
        ("nobody else is there", serving(GONE), Some(disk()), true),
        (
            "the replica is far behind",
            served(view(
                master('x', 2_000_000),
                Ok(replica(a(), 'x', 50)),
                Vip::Here,
            )),
            Some(disk()),
            true,
        ),
        (
            "the replica copies",
            serving(Ok(link(replica(a(), 'x', 50), false, true))),
            Some(disk()),
            true,
        ),
        (
            "the disk of the replica is full, too",
            serving(Ok(bad_disk(replica(a(), 'x', 50)))),
            Some(disk()),
            true,
        ),
        (
            "another master of other data",
            serving(Ok(master('y', 50))),
            Some(disk()),
            true,
        ),
        (
            "memory is full, and there is room at the replica",
            serving(in_sync()),
            Some(full(&[b()])),
            false,
        ),
        (
            "memory is full at both",
            serving(in_sync()),
            Some(full(&[])),
            true,
        ),
        (
            "a replica that could not take writes does not draw the VIP",
            view(
                bad_disk(replica(b(), 'x', 50)),
                Ok(master('x', 50)),
                Vip::At(b()),
            ),
            Some(disk()),
            false,
        ),
        (
            "but the master can't either",
            view(
                bad_disk(replica(b(), 'x', 50)),
                Ok(bad_disk(master('x', 50))),
                Vip::At(b()),
            ),
            Some(disk()),
            true,
        ),
    ] {
        let found = unless_it_refuses(eligibility(&view), &view, refusal.as_ref());
        assert_eq!(found.eligible, expected, "{situation}: {}", found.why);
        assert_eq!(
            found.why.contains("ALARM: the local Redis refuses writes"),
            refusal.is_some(),
            "{situation}: {}",
            found.why
        );
    }
}

#[test]
fn a_replica_in_the_stream_goes_on_for_a_master_that_a_script_keeps_busy() {
    let busy = |peer| {
        let mut view = view(master('x', 50), peer, Vip::Here);
        view.local.seen = Err(Failure::TimedOut);
        goes_on_for(&view)
    };
    let replica = || replica(a(), 'x', 50);
    assert_eq!(busy(Ok(replica())), Some(b()));
    assert_eq!(busy(Ok(link(replica(), false, false))), None);
    assert_eq!(busy(Ok(link(replica(), true, true))), None);
    assert_eq!(busy(Ok(bad_disk(replica()))), None);
    assert_eq!(busy(Ok(master('x', 50))), None);
    assert_eq!(busy(GONE), None);
}
