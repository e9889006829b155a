//! The steps of a node without the VIP, and of both together, by table.

use super::*;

#[test]
fn a_node_without_the_vip_follows_the_one_that_serves() {
    let at_b = Vip::At(b());
    for (situation, view, waited, expected) in [
        (
            "in sync",
            view(replica(b(), 'x', 50), Ok(master('x', 50)), at_b),
            0,
            "done",
        ),
        (
            "syncing",
            view(
                link(replica(b(), 'x', 50), false, true),
                Ok(master('x', 50)),
                at_b,
            ),
            99,
            "wait",
        ),
        (
            "lone master, contained",
            view(master('x', 50), Ok(out_of(master('y', 90), 'x', 51)), at_b),
            1,
            "follow",
        ),
        (
            "the VIP came there a moment ago",
            view(master('x', 50), Ok(out_of(master('y', 90), 'x', 51)), at_b),
            0,
            "wait",
        ),
        (
            "lone master, diverged",
            view(master('x', 55), Ok(out_of(master('y', 90), 'x', 51)), at_b),
            0,
            "wait",
        ),
        (
            "the same, and the peer stands",
            view(master('x', 55), Ok(out_of(master('y', 90), 'x', 51)), at_b),
            5,
            "keep and follow",
        ),
        (
            "lone master, empty",
            view(keys(master('z', 0), 0), Ok(master('x', 50)), at_b),
            1,
            "follow",
        ),
        (
            "two masters and no VIP yet",
            view(master('x', 50), Ok(master('y', 50)), Vip::Unknown),
            99,
            "wait",
        ),
        (
            "its replica holds the VIP",
            view(master('x', 50), Ok(replica(a(), 'x', 50)), at_b),
            0,
            "wait",
        ),
        (
            "the same, and takes no role",
            view(master('x', 50), Ok(replica(a(), 'x', 50)), at_b),
            5,
            "give up",
        ),
        (
            "the same, but not in sync",
            view(
                master('x', 50),
                Ok(link(replica(a(), 'x', 50), false, false)),
                at_b,
            ),
            99,
            "wait",
        ),
        (
            "nobody serves",
            view(master('x', 50), GONE, Vip::Unknown),
            99,
            "wait",
        ),
        (
            "replica, nobody serves",
            view(
                link(replica(b(), 'x', 50), false, false),
                GONE,
                Vip::Unknown,
            ),
            99,
            "wait",
        ),
        (
            "replica of itself",
            view(
                replica(a(), 'x', 50),
                Ok(out_of(master('y', 90), 'x', 51)),
                at_b,
            ),
            0,
            "follow",
        ),
    ] {
        assert_eq!(
            name(&yield_role(&view, Duration::from_secs(waited), GRACE)),
            expected,
            "{situation}"
        );
    }
}

#[test]
fn of_two_restarted_masters_at_most_one_follows_the_other() {
    // The holder of the VIP looks first; the other one leaves it the grace.
    let holder = serve(&view(master('x', 9), Ok(master('y', 9)), Vip::Here), LATER);
    assert_eq!(name(&holder), "keep and follow");
    let other = yield_role(
        &view(master('y', 9), Ok(master('x', 9)), Vip::At(b())),
        Duration::ZERO,
        GRACE,
    );
    assert_eq!(name(&other), "wait");
}

#[test]
fn a_silent_or_loading_local_redis_is_waited_for() {
    let mut silent = view(master('x', 50), GONE, Vip::Here);
    silent.local.seen = Err(Failure::Refused);
    let mut loading = view(master('x', 50), GONE, Vip::Here);
    loading.local.seen = Ok(Observation {
        loading: true,
        ..master('x', 50)
    });
    for view in [silent, loading] {
        assert_eq!(name(&serve(&view, LATER)), "wait");
        assert_eq!(name(&yield_role(&view, GRACE, GRACE)), "wait");
        assert!(!eligibility(&view).eligible);
    }
}
