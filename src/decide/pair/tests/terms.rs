//! Where ids say nothing: terms, memory, and what must not drop its data by itself. By table.

use super::*;
use crate::server::term::Term;

fn nobody() -> SocketAddr {
    "127.0.0.1:1".parse().expect("an address")
}

fn id_of(number: u64, node: SocketAddr) -> String {
    let last = node.ip().to_string().bytes().last().unwrap_or_default();
    format!("{number:06x}{last:02x}")
}

/// With a term that `node` made.
fn term(mut seen: Observation, number: u64, node: SocketAddr) -> Observation {
    seen.term = Some(Term {
        sure: number,
        unsure: 0,
        node,
        replid: id('e'),
        base: id_of(number, node),
        id: id_of(number, node),
        at: "2026-01-02T03:04:05.678+00:00".into(),
    });
    seen
}

/// Restarted with AOF: ids of its own, a replica of nobody.
fn parked(replid: char, number: u64, node: SocketAddr) -> Observation {
    term(
        link(replica(nobody(), replid, 1), false, false),
        number,
        node,
    )
}

#[test]
fn of_two_cold_nodes_the_one_of_the_later_term_serves() {
    for (situation, local, peer, expected) in [
        (
            "ours is later",
            parked('x', 3, a()),
            parked('y', 2, b()),
            "promote",
        ),
        (
            "the peer's is later",
            parked('x', 2, a()),
            parked('y', 3, b()),
            "raise",
        ),
        (
            "the same, and we made it",
            parked('x', 3, a()),
            parked('y', 3, a()),
            "promote",
        ),
        (
            "the same, and the peer made it",
            parked('x', 3, b()),
            parked('y', 3, b()),
            "raise",
        ),
        (
            "the peer's is later, , and it was emptied by its clients",
            parked('x', 2, a()),
            keys(parked('y', 3, b()), 0),
            "raise",
        ),
        (
            "only one has a term",
            parked('x', 3, a()),
            link(replica(nobody(), 'y', 1), false, false),
            "promote",
        ),
        (
            "the ids know better than the terms",
            term(link(replica(nobody(), 'x', 60), false, false), 2, a()),
            term(link(replica(nobody(), 'x', 50), false, false), 3, b()),
            "promote",
        ),
    ] {
        let view = view(local, Ok(peer), Vip::Here);
        assert_eq!(name(&serve(&view, LATER)), expected, "{situation}");
        assert_eq!(
            eligibility(&view).eligible,
            expected == "promote",
            "{situation}"
        );
    }
}

#[test]
fn a_restarted_master_with_the_vip_is_measured_by_its_term() {
    for (situation, local, peer, expected) in [
        (
            "later than the other's",
            term(master('x', 0), 3, a()),
            Ok(parked('y', 2, b())),
            "done",
        ),
        (
            "the same, and its own",
            term(master('x', 0), 3, a()),
            Ok(parked('y', 3, a())),
            "done",
        ),
        (
            "older than that of one that serves",
            term(master('x', 0), 2, a()),
            Ok(term(master('y', 9), 3, b())),
            "keep and follow",
        ),
        (
            "older than that of one that was restarted too",
            term(master('x', 0), 2, a()),
            Ok(parked('y', 3, b())),
            "raise",
        ),
        (
            "later than that of a second master",
            term(master('x', 0), 4, a()),
            Ok(term(master('y', 9), 3, b())),
            "done",
        ),
        (
            "two became master apart",
            term(master('x', 0), 3, a()),
            Ok(term(master('y', 9), 3, b())),
            "keep and follow",
        ),
    ] {
        assert_eq!(
            name(&serve(&view(local, peer, Vip::Here), LATER)),
            expected,
            "{situation}"
        );
    }
}

#[test]
fn a_replica_that_was_in_sync_goes_on_beside_its_restarted_master() {
    let was_synced = || term(link(replica(b(), 'x', 50), false, false), 3, b());
    let restarted = || Ok(parked('y', 3, b()));
    assert_eq!(
        name(&serve(
            &synced(view(was_synced(), restarted(), Vip::Here), 'x'),
            LATER
        )),
        "promote"
    );
    // It still points at the other one.
    assert_eq!(
        name(&serve(&view(was_synced(), restarted(), Vip::Here), LATER)),
        "park"
    );
}

#[test]
fn bytes_that_only_wrote_a_term_are_nobodys_data() {
    let of_y = |seen: Observation| {
        let mut seen = term(seen, 3, b());
        seen.term.as_mut().expect("just set").replid = id('y');
        seen
    };
    let late = of_y(out_of(master('y', 50), 'x', 51));
    let bytes =
        i64::try_from(late.term.as_ref().expect("a term").written_bytes()).expect("a small number");
    let promoted = |more: i64| Ok(of_y(out_of(master('y', 50 + bytes + more), 'x', 51)));
    // Frozen at 50 + 30, the other one was promoted at 50.
    let thawed = || served(view(term(master('x', 80), 2, a()), promoted(0), Vip::Here));
    assert_eq!(
        name(&serve(&thawed(), LATER)),
        "done",
        "it has 30 bytes and the other one none"
    );
    let view = served(view(term(master('x', 80), 2, a()), promoted(31), Vip::Here));
    assert_eq!(name(&serve(&view, LATER)), "keep and follow");
}

#[test]
fn what_would_drop_its_data_by_itself_is_parked_first() {
    let follows = |of, replid, offset| link(replica(of, replid, offset), false, false);
    for (situation, local, peer, expected) in [
        (
            "the peer follows us with data of its own",
            follows(nobody(), 'x', 1),
            follows(a(), 'y', 1),
            Some(b()),
        ),
        (
            "the peer follows us with ours",
            follows(b(), 'x', 50),
            follows(a(), 'x', 50),
            None,
        ),
        (
            "the peer follows us, empty",
            follows(nobody(), 'x', 1),
            keys(follows(a(), 'y', 1), 0),
            None,
        ),
        (
            "the peer follows nobody",
            follows(nobody(), 'x', 1),
            follows(nobody(), 'y', 1),
            None,
        ),
        (
            "we follow the better one, with data of our own",
            term(follows(b(), 'x', 1), 2, a()),
            term(follows(nobody(), 'y', 1), 3, b()),
            Some(a()),
        ),
    ] {
        let parked = match serve(&view(local, Ok(peer), Vip::Here), LATER) {
            Step::Park(node, _) => Some(node),
            _ => None,
        };
        assert_eq!(parked, expected, "{situation}");
    }
}

#[test]
fn a_better_master_gives_the_holder_of_the_vip_time_to_keep_its_data_and_follow() {
    let (ours, theirs) = (term(master('x', 9), 3, a()), term(master('y', 9), 2, b()));
    for (copies, seconds, expected) in [
        (1, 6, "wait"),
        (1, 59, "wait"),
        (1, 60, "keep and follow"),
        (0, 4, "wait"),
        (0, 5, "keep and follow"),
    ] {
        let mut theirs = theirs.clone();
        theirs.replication.replicas = copies;
        let view = view(ours.clone(), Ok(theirs), Vip::At(b()));
        let step = yield_role(&view, Duration::from_secs(seconds), GRACE);
        assert_eq!(name(&step), expected, "{copies} copies, {seconds} s");
    }
}

#[test]
fn a_redis_that_dies_again_and_again_draws_no_vip_while_another_is_well() {
    let flapping = |mut view: View| {
        view.flapping = Some(Duration::from_secs(60));
        view
    };
    let down = || link(replica(b(), 'x', 50), false, false);
    for (situation, view, eligible) in [
        (
            "in sync with a serving peer",
            view(replica(b(), 'x', 50), Ok(master('x', 50)), Vip::Unknown),
            false,
        ),
        (
            "serving, its replica in sync",
            served(view(master('x', 50), Ok(replica(a(), 'x', 50)), Vip::Here)),
            false,
        ),
        (
            "serving, its replica far behind",
            served(view(
                master('x', 9_000_000),
                Ok(replica(a(), 'x', 50)),
                Vip::Here,
            )),
            true,
        ),
        (
            "serving, nobody else lives",
            served(view(master('x', 50), GONE, Vip::Here)),
            true,
        ),
        (
            "was in sync, nobody else lives",
            synced(view(down(), GONE, Vip::Unknown), 'x'),
            true,
        ),
    ] {
        assert!(eligibility(&view).eligible, "{situation}, not flapping");
        let found = eligibility(&flapping(view));
        assert_eq!(found.eligible, eligible, "{situation}: {}", found.why);
    }
}
