//! The moves of the holder of the VIP.

use proptest::prelude::*;

use super::words::any_word;
use super::*;
use crate::server::failure::Denial;

#[test]
fn the_holder_of_the_vip_takes_the_next_step() {
    let denied = |code: &str| {
        Err(Failure::Denied(Denial {
            code: code.to_string(),
            text: String::new(),
        }))
    };
    let (first, later_a_little, later) = (
        Duration::ZERO,
        Duration::from_millis(100),
        Duration::from_secs(10),
    );
    let deaf = || {
        poll(&[A, A, A].map(|last| {
            Some(Word {
                heard: Some(Duration::from_millis(1600)),
                ..word(last)
            })
        }))
    };
    let late = || {
        poll(&[A, A, A].map(|last| {
            Some(Word {
                heard: Some(Duration::from_millis(3100)),
                ..word(last)
            })
        }))
    };
    let fresh = || {
        poll(&[A, A, A].map(|last| {
            Some(Word {
                heard: None,
                ..word(last)
            })
        }))
    };
    let one_hears = || {
        let mut poll = deaf();
        poll.words[2].1 = Ok(word(A));
        poll
    };
    let moving = || {
        poll(&[
            Some(word(A)),
            Some(Word {
                failing_over: true,
                ..word(A)
            }),
            Some(word(A)),
        ])
    };
    let done = |next: &Move| matches!(next, Move::Done(_));
    let waits = |next: &Move| matches!(next, Move::Wait(_));
    let holds = |next: &Move| matches!(next, Move::Hold(_));
    let promotes = |next: &Move| matches!(next, Move::Promote(old, _) if *old == node(A));
    let hands_over = |next: &Move| matches!(next, Move::HandOver(old, _) if *old == node(A));
    type Is<'a> = &'a dyn Fn(&Move) -> bool;
    let table: Vec<(&str, Scene, Duration, Is<'_>)> = vec![
        (
            "it is master",
            scene(master(), replica_of(B), naming(&[B, B, B])),
            first,
            &done,
        ),
        (
            "named, not yet master",
            scene(replica_of(A), master(), naming(&[B, B, A])),
            first,
            &waits,
        ),
        (
            "master without Sentinel's word",
            scene(master(), master(), naming(&[A, A, A])),
            first,
            &holds,
        ),
        (
            "the same, the other one is silent",
            scene(master(), Err(Failure::Refused), naming(&[A, A, A])),
            later,
            &waits,
        ),
        (
            "the master lives",
            scene(replica_of(A), master(), naming(&[A, A, A])),
            first,
            &hands_over,
        ),
        (
            "it does not follow it",
            scene(replica_of(C), master(), naming(&[A, A, A])),
            later,
            &waits,
        ),
        (
            "nobody listens",
            scene(replica_of(A), Err(Failure::Refused), naming(&[A, A, A])),
            first,
            &promotes,
        ),
        (
            "one sentinel is gone too",
            scene(replica_of(A), Err(Failure::Refused), naming(&[0, A, A])),
            first,
            &promotes,
        ),
        (
            "cut off from the sentinels",
            scene(replica_of(A), Err(Failure::Refused), naming(&[0, A, 0])),
            later,
            &waits,
        ),
        (
            "they do not agree",
            scene(replica_of(A), Err(Failure::Refused), naming(&[A, A, B])),
            first,
            &waits,
        ),
        (
            "one never agrees",
            scene(replica_of(A), Err(Failure::Refused), naming(&[A, A, B])),
            later,
            &promotes,
        ),
        (
            "one is at it",
            scene(replica_of(A), Err(Failure::Refused), moving()),
            later,
            &waits,
        ),
        (
            "silent, first look",
            scene(replica_of(A), Err(Failure::NoConnection), deaf()),
            first,
            &waits,
        ),
        (
            "silent to all",
            scene(replica_of(A), Err(Failure::NoConnection), deaf()),
            later,
            &promotes,
        ),
        (
            "hung for all",
            scene(replica_of(A), Err(Failure::TimedOut), deaf()),
            later,
            &promotes,
        ),
        (
            "named a moment ago",
            scene(replica_of(A), Err(Failure::NoConnection), fresh()),
            later_a_little,
            &waits,
        ),
        (
            "they are about to do it",
            scene(replica_of(A), Err(Failure::Refused), late()),
            later_a_little,
            &waits,
        ),
        (
            "and never do",
            scene(replica_of(A), Err(Failure::Refused), late()),
            later,
            &promotes,
        ),
        (
            "silent to us alone",
            scene(replica_of(A), Err(Failure::TimedOut), one_hears()),
            later,
            &waits,
        ),
        (
            "it loads",
            scene(replica_of(A), denied("LOADING"), deaf()),
            later,
            &waits,
        ),
        (
            "it is busy",
            scene(replica_of(A), denied("BUSY"), deaf()),
            later,
            &waits,
        ),
        (
            "it wants another password",
            scene(replica_of(A), denied("NOAUTH"), deaf()),
            later,
            &waits,
        ),
        (
            "nobody is master, for a moment",
            scene(replica_of(A), replica_of(B), naming(&[A, A, A])),
            first,
            &waits,
        ),
        (
            "nobody is master",
            scene(replica_of(A), replica_of(B), naming(&[A, A, A])),
            later,
            &promotes,
        ),
        (
            "the local Redis is dead",
            scene(Err(Failure::Refused), master(), naming(&[A, A, A])),
            later,
            &waits,
        ),
        (
            "a stranger is named",
            scene(replica_of(A), master(), naming(&[9, 9, 9])),
            later,
            &waits,
        ),
    ];
    for (what, scene, waited, is) in table {
        let next = serve(&scene, waited);
        assert!(is(&next), "{what}: {next:?}");
    }
}

#[test]
fn what_may_be_elsewhere_is_waited_for() {
    let promotes = |next: &Move| matches!(next, Move::Promote(old, _) if *old == node(A));
    let hands_over = |next: &Move| matches!(next, Move::HandOver(old, _) if *old == node(A));
    let waits = |next: &Move| matches!(next, Move::Wait(_));
    let back = Scene {
        was_cut_off: true,
        ..scene(replica_of(A), master(), naming(&[A, A, A]))
    };
    assert!(
        waits(&serve(&back, Duration::from_secs(1))),
        "A may hold the VIP, too"
    );
    assert!(hands_over(&serve(&back, Duration::from_secs(2))));
    // Seen from C, and B is not seen.
    let mut third = scene(master(), master(), naming(&[A, 0, A]));
    third.view = seen_from(
        at(C, replica_of(A)),
        [
            at(A, Err(Failure::Refused)),
            at(B, Err(Failure::NoConnection)),
        ],
    );
    assert!(
        waits(&serve(&third, Duration::from_secs(2))),
        "B may be taking over"
    );
    assert!(promotes(&serve(&third, Duration::from_secs(4))));
    let mut elsewhere = scene(replica_of(A), Err(Failure::Refused), naming(&[A, A, A]));
    elsewhere.view.vip = Vip::At(node(C));
    assert!(matches!(
        serve(&elsewhere, Duration::from_secs(10)),
        Move::Refuse(_)
    ));
}

fn any_redis() -> impl Strategy<Value = Seen> {
    prop_oneof![
        Just(master()),
        (1u8..4).prop_map(replica_of),
        Just(Err(Failure::Refused)),
        Just(Err(Failure::NoConnection)),
        Just(Err(Failure::TimedOut)),
    ]
}

proptest! {
    #[test]
    fn nothing_is_asked_of_sentinel_without_enough_of_them_and_nothing_of_a_master_that_is_heard(
        local in any_redis(), a in any_redis(),
        words in prop::collection::vec(any_word(), 3), waited in 0u64..20_000,
    ) {
        let scene = scene(local, a.clone(), poll(&words));
        match serve(&scene, Duration::from_millis(waited)) {
            Move::Promote(old, _) => {
                prop_assert!(scene.poll.answered() >= 2 && scene.poll.named() == Named::Node(old));
                prop_assert!(old != scene.view.local.address);
                let seen = scene.view.seen(old);
                prop_assert!(!seen.is_some_and(|seen| seen.is_ok_and(Observation::is_master)));
            }
            Move::HandOver(old, _) => {
                prop_assert!(scene.poll.answered() >= 2 && scene.poll.named() == Named::Node(old));
                prop_assert!(scene.view.local.seen.as_ref().is_ok_and(|local| local.follows(old)));
            }
            Move::Done(_) => {
                prop_assert!(scene.view.local.up().is_some_and(Observation::is_master));
            }
            Move::Hold(_) => {
                prop_assert!(scene.poll.named() == Named::Node(node(A)));
                prop_assert!(a.is_ok_and(|a| a.is_master()));
            }
            Move::Wait(_) | Move::Refuse(_) => {}
        }
    }
}
