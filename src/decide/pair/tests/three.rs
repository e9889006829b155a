//! What is different with three nodes: node b looks, or node a; c is the third.

use proptest::prelude::*;

use super::*;

fn c() -> SocketAddr {
    "192.168.158.14:6379".parse().expect("an address")
}

/// What node b sees of itself, of a and of c; the VIP is here.
fn three(
    local: Observation,
    a_is: Result<Observation, Failure>,
    c_is: Result<Observation, Failure>,
) -> View {
    let nodes = |(address, seen)| Node { address, seen };
    let mut view = view(local, GONE, Vip::Here);
    view.local.address = b();
    view.peers = [(a(), a_is), (c(), c_is)].map(nodes).to_vec();
    view
}

fn down(seen: Observation) -> Observation {
    link(seen, false, false)
}

/// A replica of a whose link is down.
fn orphan(offset: i64) -> Observation {
    down(replica(a(), 'x', offset))
}

#[test]
fn where_one_of_three_is_missing_the_second_serves_if_it_was_in_sync_and_otherwise_waits() {
    for (situation, view, expected) in [
        (
            "in sync when a died",
            synced(three(orphan(50), GONE, Ok(orphan(50))), 'x'),
            "promote",
        ),
        (
            "c has less",
            synced(three(orphan(50), GONE, Ok(orphan(40))), 'x'),
            "promote",
        ),
        (
            "c has more",
            synced(three(orphan(50), GONE, Ok(orphan(60))), 'x'),
            "raise",
        ),
        (
            "c is gone, too",
            synced(three(orphan(50), GONE, GONE), 'x'),
            "promote",
        ),
        (
            "nothing is known",
            three(orphan(50), GONE, Ok(orphan(50))),
            "wait",
        ),
        (
            "nothing is known, c has more",
            three(orphan(50), GONE, Ok(orphan(60))),
            "wait",
        ),
        (
            "a has not answered for long",
            alone(three(orphan(50), GONE, Ok(orphan(50)))),
            "promote",
        ),
        (
            "the same, c has more",
            alone(three(orphan(50), GONE, Ok(orphan(60)))),
            "raise",
        ),
        (
            "all are there",
            three(orphan(50), Ok(orphan(50)), Ok(orphan(50))),
            "promote",
        ),
        (
            "a has died, c says no",
            synced(three(orphan(50), GONE, denied()), 'x'),
            "promote",
        ),
        (
            "a says no",
            synced(three(orphan(50), denied(), Ok(orphan(50))), 'x'),
            "wait",
        ),
        (
            "c serves",
            three(down(replica(a(), 'x', 50)), GONE, Ok(master('x', 50))),
            "follow",
        ),
        (
            "c serves and is followed",
            three(replica(c(), 'x', 50), GONE, Ok(master('x', 50))),
            "take over",
        ),
    ] {
        assert_eq!(name(&serve(&view, Duration::ZERO)), expected, "{situation}");
    }
}

fn denied() -> Result<Observation, Failure> {
    Err(Failure::Denied(crate::server::failure::Denial {
        code: "NOAUTH".into(),
        text: String::new(),
    }))
}

#[test]
fn a_restarted_master_takes_no_writes_while_one_of_three_is_missing() {
    for (situation, view, expected) in [
        (
            "a is missing",
            three(master('z', 9), GONE, Ok(orphan(0))),
            "hold",
        ),
        (
            "it has been for long",
            alone(three(keys(master('z', 9), 1), GONE, Ok(keys(orphan(0), 0)))),
            "promote",
        ),
        (
            "all are there",
            three(
                master('z', 9),
                Ok(keys(orphan(0), 0)),
                Ok(keys(orphan(0), 0)),
            ),
            "done",
        ),
        (
            "by our doing",
            served(three(master('z', 9), GONE, Ok(orphan(0)))),
            "done",
        ),
    ] {
        assert_eq!(name(&serve(&view, LATER)), expected, "{situation}");
    }
}

#[test]
fn of_several_better_ones_the_best_is_raised() {
    let nobody = "127.0.0.1:1".parse().expect("an address");
    let parked = |offset| down(replica(nobody, 'x', offset));
    for (of_a, of_c, best) in [(60, 70, c()), (70, 60, a()), (60, 60, a())] {
        let step = serve(
            &three(parked(50), Ok(parked(of_a)), Ok(parked(of_c))),
            Duration::ZERO,
        );
        assert!(
            matches!(step, Step::Raise(node, _) if node == best),
            "{of_a} {of_c}: {step:?}"
        );
    }
}

#[test]
fn a_node_is_no_better_than_the_missing_one_for_all_that_is_known() {
    let unknown = eligibility(&three(orphan(50), GONE, Ok(orphan(50))));
    assert_eq!(
        (unknown.eligible, unknown.standing),
        (false, Standing::Unknown),
        "{}",
        unknown.why
    );
    let known = eligibility(&synced(three(orphan(50), GONE, Ok(orphan(50))), 'x'));
    assert_eq!(
        (known.eligible, known.standing),
        (true, Standing::InSync),
        "{}",
        known.why
    );
    let less = eligibility(&synced(three(orphan(50), GONE, Ok(orphan(60))), 'x'));
    assert_eq!(
        (less.eligible, less.standing),
        (false, Standing::Behind),
        "{}",
        less.why
    );
}

#[test]
fn a_replica_of_a_replica_that_was_read_later_has_no_more_than_the_master() {
    let chained = three(
        replica(c(), 'x', 90),
        Ok(master('x', 50)),
        Ok(replica(a(), 'x', 90)),
    );
    assert!(
        !eligibility(&chained).eligible,
        "it does not follow the master"
    );
    let step = yield_role(
        &View {
            vip: Vip::At(a()),
            ..chained
        },
        Duration::ZERO,
        GRACE,
    );
    assert_eq!(name(&step), "follow", "{step:?}");
}

#[test]
fn the_third_node_is_brought_along_where_its_data_is_contained() {
    let taken = || out_of(master('y', 70), 'x', 61);
    for (situation, of_c, expected) in [
        (
            "it followed the old master, which is a replica now",
            Ok(replica(a(), 'x', 60)),
            true,
        ),
        ("it followed one that died", Ok(orphan(40)), true),
        ("it has got more from that", Ok(orphan(65)), false),
        ("it follows already", Ok(replica(b(), 'y', 70)), false),
        (
            "a restart, and no ids",
            Ok(down(replica(a(), 'z', 40))),
            false,
        ),
        ("it is empty", Ok(keys(down(replica(a(), 'z', 0)), 0)), true),
        ("it is a master", Ok(master('x', 40)), false),
        (
            "it loads its data",
            Ok(Observation {
                loading: true,
                ..orphan(40)
            }),
            false,
        ),
        ("it is gone", GONE, false),
    ] {
        let view = three(taken(), Ok(replica(b(), 'y', 70)), of_c);
        assert_eq!(
            stragglers(&view, b()),
            if expected { vec![c()] } else { vec![] },
            "{situation}"
        );
    }
    let empty = three(keys(taken(), 0), GONE, Ok(orphan(40)));
    assert_eq!(
        stragglers(&empty, b()),
        [c()],
        "whose clients have deleted everything has it all"
    );
    let pair = view(taken(), Ok(orphan(40)), Vip::Here);
    assert_eq!(
        stragglers(&pair, a()),
        [],
        "of two nodes the other one has its own programs"
    );
}

fn any_node() -> impl Strategy<Value = Result<Observation, Failure>> {
    let seen = (
        any::<bool>(),
        "[xyz]",
        "[xyz]",
        0..99_i64,
        0..99_i64,
        0..3_u64,
        0..4_u8,
        any::<bool>(),
    );
    seen.prop_map(|(is_master, replid, elder, at, offset, count, of, up)| {
        let letter = |text: String| text.chars().next().unwrap_or('x');
        let whom = [a(), b(), c()][usize::from(of.min(2))];
        let seen = if is_master {
            master(letter(replid), offset)
        } else {
            link(replica(whom, letter(replid), offset), up, false)
        };
        let seen = keys(out_of(seen, letter(elder), at), count);
        if of == 3 { GONE } else { Ok(seen) }
    })
}

proptest! {
    #[test]
    fn nothing_is_brought_along_that_would_lose_a_byte(
        of_a in any_node(), local in any_node(), of_c in any_node(),
    ) {
        let Ok(local) = local else { return Ok(()) };
        let view = three(local.clone(), of_a, of_c);
        for node in stragglers(&view, b()) {
            let seen = view.seen(node).expect("a node").expect("it was seen");
            prop_assert!(containment(seen, &local).0 && local.is_master());
        }
    }

    #[test]
    fn of_a_node_that_knows_nothing_none_is_promoted_while_one_is_missing(
        local in any_node(), of_a in any_node(), of_c in any_node(),
    ) {
        let Ok(local) = local else { return Ok(()) };
        let missing = of_a.is_err() || of_c.is_err();
        let is_master = |seen: &Result<Observation, Failure>| {
            seen.as_ref().is_ok_and(Observation::is_master)
        };
        let masters = is_master(&of_a) || is_master(&of_c);
        let step = serve(&three(local, of_a, of_c), LATER);
        if missing && !masters {
            prop_assert!(matches!(step, Step::Wait(_) | Step::Hold(_)), "{step:?}");
        }
    }
}
