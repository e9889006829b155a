//! The steps of the holder of the VIP, by table.

use super::*;

#[test]
fn the_holder_of_the_vip_takes_the_role() {
    for (situation, view, expected) in [
        (
            "in sync",
            view(replica(b(), 'x', 50), Ok(master('x', 50)), Vip::Here),
            "take over",
        ),
        (
            "a few bytes behind",
            view(replica(b(), 'x', 40), Ok(master('x', 50)), Vip::Here),
            "take over",
        ),
        (
            "far behind",
            view(replica(b(), 'x', 40), Ok(master('x', 2_000_000)), Vip::Here),
            "wait",
        ),
        (
            "syncing",
            view(
                link(replica(b(), 'x', 40), false, true),
                Ok(master('x', 50)),
                Vip::Here,
            ),
            "wait",
        ),
        (
            "link down beside a living master",
            view(
                link(replica(b(), 'x', 50), false, false),
                Ok(master('x', 50)),
                Vip::Here,
            ),
            "wait",
        ),
        (
            "history not yet the master's",
            view(replica(b(), 'y', 50), Ok(master('x', 50)), Vip::Here),
            "wait",
        ),
        (
            "follows somebody else",
            view(replica(a(), 'x', 50), Ok(master('x', 50)), Vip::Here),
            "follow",
        ),
        (
            "the peer holds the VIP",
            view(replica(b(), 'x', 50), Ok(master('x', 50)), Vip::At(b())),
            "refuse",
        ),
    ] {
        assert_eq!(name(&serve(&view, LATER)), expected, "{situation}");
    }
}

#[test]
fn a_promotion_rests_on_what_is_known() {
    let down = || link(replica(b(), 'x', 50), false, false);
    for (situation, view, expected) in [
        (
            "was in sync",
            synced(view(down(), GONE, Vip::Here), 'x'),
            "promote",
        ),
        (
            "was in sync and the master is frozen",
            synced(
                view(replica(b(), 'x', 50), Err(Failure::TimedOut), Vip::Here),
                'x',
            ),
            "promote",
        ),
        (
            "was in sync with another history",
            synced(view(down(), GONE, Vip::Here), 'y'),
            "wait",
        ),
        (
            "was syncing",
            synced(
                view(link(replica(b(), 'x', 50), false, true), GONE, Vip::Here),
                'x',
            ),
            "wait",
        ),
        (
            "one look that found nobody proves nothing",
            view(down(), GONE, Vip::Here),
            "wait",
        ),
        (
            "alone for long",
            alone(view(down(), GONE, Vip::Here)),
            "promote",
        ),
        (
            "two replicas of each other, equal",
            view(replica(b(), 'x', 50), Ok(replica(a(), 'x', 50)), Vip::Here),
            "promote",
        ),
        (
            "two replicas, the peer's is newer",
            view(replica(b(), 'x', 50), Ok(replica(a(), 'x', 60)), Vip::Here),
            "raise",
        ),
        (
            "the master is empty",
            view(
                replica(a(), 'x', 50),
                Ok(keys(master('z', 0), 0)),
                Vip::Here,
            ),
            "promote",
        ),
    ] {
        assert_eq!(name(&serve(&view, LATER)), expected, "{situation}");
    }
}

#[test]
fn a_peer_that_may_yet_answer_is_given_the_time() {
    let denied = || {
        Err(Failure::Denied(crate::server::failure::Denial {
            code: "BUSY".into(),
            text: "a script".into(),
        }))
    };
    let loading = || {
        Ok(Observation {
            loading: true,
            ..keys(master('z', 0), 0)
        })
    };
    let linked = |peer| synced(view(replica(b(), 'x', 50), peer, Vip::Here), 'x');
    let cut = |peer| {
        synced(
            view(link(replica(b(), 'x', 50), false, false), peer, Vip::Here),
            'x',
        )
    };
    for (situation, view, waited, expected) in [
        (
            "silent on a living link, first look",
            linked(Err(Failure::TimedOut)),
            0,
            "wait",
        ),
        (
            "silent on a living link, second look",
            linked(Err(Failure::TimedOut)),
            500,
            "promote",
        ),
        (
            "silent, the link is down",
            cut(Err(Failure::TimedOut)),
            0,
            "promote",
        ),
        ("refused", cut(GONE), 0, "promote"),
        (
            "no connection",
            linked(Err(Failure::NoConnection)),
            0,
            "promote",
        ),
        ("busy", linked(denied()), 500, "wait"),
        ("busy for long", linked(denied()), 3000, "promote"),
        ("loading, and we were in sync", cut(loading()), 0, "promote"),
        (
            "loading, and we know nothing",
            view(
                link(replica(b(), 'x', 50), false, false),
                loading(),
                Vip::Here,
            ),
            9000,
            "wait",
        ),
        (
            "loading beside a restarted master",
            view(master('y', 0), loading(), Vip::Here),
            9000,
            "hold",
        ),
    ] {
        assert_eq!(
            name(&serve(&view, Duration::from_millis(waited))),
            expected,
            "{situation}"
        );
    }
}

#[test]
fn a_master_with_the_vip_stands_unless_a_peer_has_more() {
    let fork = |offset| Ok(out_of(master('y', offset), 'x', 51));
    for (situation, view, expected) in [
        (
            "serving, replica attached",
            served(view(master('x', 50), Ok(replica(a(), 'x', 50)), Vip::Here)),
            "done",
        ),
        (
            "its replica was read a write later",
            served(view(master('x', 50), Ok(replica(a(), 'x', 85)), Vip::Here)),
            "done",
        ),
        (
            "its first key was read on the replica only",
            served(view(
                keys(master('x', 0), 0),
                Ok(keys(replica(a(), 'x', 60), 1)),
                Vip::Here,
            )),
            "done",
        ),
        (
            "serving, peer gone",
            served(view(master('x', 50), GONE, Vip::Here)),
            "done",
        ),
        (
            "it served, and its history got another name",
            renamed(view(master('x', 50), GONE, Vip::Here)),
            "done",
        ),
        (
            "it served, followed, and was promoted",
            renamed(view(out_of(master('z', 9), 'y', 5), GONE, Vip::Here)),
            "hold",
        ),
        (
            "restarted, peer silent",
            view(master('x', 50), GONE, Vip::Here),
            "hold",
        ),
        (
            "restarted, peer silent for long",
            alone(view(master('x', 50), GONE, Vip::Here)),
            "promote",
        ),
        (
            "woken from a freeze, the peer was promoted",
            served(view(master('x', 50), fork(90), Vip::Here)),
            "follow",
        ),
        (
            "the same, with late writes here",
            served(view(master('x', 55), fork(90), Vip::Here)),
            "keep and follow",
        ),
        (
            "the same, with more writes here",
            served(view(master('x', 99), fork(60), Vip::Here)),
            "done",
        ),
        (
            "restarted beside a serving peer",
            view(master('z', 0), Ok(master('x', 50)), Vip::Here),
            "keep and follow",
        ),
        (
            "restarted empty beside a serving peer",
            view(keys(master('z', 0), 0), Ok(master('x', 50)), Vip::Here),
            "follow",
        ),
        (
            "restarted empty, the replica still has the data",
            view(
                keys(master('z', 0), 0),
                Ok(link(replica(a(), 'x', 50), false, false)),
                Vip::Here,
            ),
            "raise",
        ),
        (
            "both cold and empty",
            view(
                keys(master('z', 0), 0),
                Ok(keys(master('x', 0), 0)),
                Vip::Here,
            ),
            "done",
        ),
        (
            "serving beside an empty master",
            served(view(master('z', 0), Ok(keys(master('x', 0), 0)), Vip::Here)),
            "done",
        ),
    ] {
        assert_eq!(name(&serve(&view, LATER)), expected, "{situation}");
    }
}
