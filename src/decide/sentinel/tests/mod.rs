use proptest::prelude::*;

use super::*;
use crate::server::failure::Denial;
use crate::server::info::{Following, Lineage, Replication, Role, Version};

const A: u8 = 1;
const B: u8 = 2;
const C: u8 = 3;

fn node(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 6379))
}

fn sentinel(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 26379))
}

fn redis(role: Role) -> Observation {
    let replication = Replication {
        role,
        lineage: Lineage::default(),
        replicas: 0,
    };
    let run_id = "a".to_string();
    Observation {
        run_id,
        version: Version(7, 0, 15),
        loading: false,
        keys: 1,
        changes: 0,
        replication,
        term: None,
    }
}

fn master() -> Result<Observation, Failure> {
    Ok(redis(Role::Master))
}

fn replica_of(last: u8) -> Result<Observation, Failure> {
    let (host, port) = (node(last).ip().to_string(), node(last).port());
    let following = Following {
        host,
        port,
        link_up: true,
        syncing: false,
        copied: None,
        received: None,
    };
    Ok(redis(Role::Replica(following)))
}

fn word(last: u8) -> Word {
    let heard = Some(Duration::from_millis(700));
    let down_after = Duration::from_secs(5);
    Word {
        master: node(last),
        failing_over: false,
        heard,
        down: false,
        down_after,
    }
}

fn poll(words: &[Option<Word>]) -> Poll {
    let said = words
        .iter()
        .zip(1..)
        .map(|(word, n)| (sentinel(n), word.clone().ok_or(Failure::NoConnection)));
    Poll {
        words: said.collect(),
        asked: words.len(),
        quorum: 2,
    }
}

fn naming(named: &[u8]) -> Poll {
    poll(
        &named
            .iter()
            .map(|last| (*last != 0).then(|| word(*last)))
            .collect::<Vec<_>>(),
    )
}

/// Seen from B, which has the VIP.
fn scene(
    local: Result<Observation, Failure>,
    a: Result<Observation, Failure>,
    poll: Poll,
) -> Scene {
    Scene {
        local: Node {
            address: node(B),
            seen: local,
        },
        peers: vec![
            Node {
                address: node(A),
                seen: a,
            },
            Node {
                address: node(C),
                seen: replica_of(A),
            },
        ],
        order: vec![node(A), node(B), node(C)],
        vip: Vip::Here,
        poll,
        was_cut_off: false,
    }
}

#[test]
fn only_what_a_quorum_names_is_named_and_too_few_words_are_silence() {
    for (words, named) in [
        (vec![A, A, A], Named::Node(node(A))),
        (vec![A, B, A], Named::Node(node(A))),
        (vec![A, 0, A], Named::Node(node(A))),
        (vec![A, B, 0], Named::Nobody),
        (vec![A, B, C], Named::Nobody),
        (vec![A, 0, 0], Named::Silent),
        (vec![0, 0, 0], Named::Silent),
        (vec![], Named::Silent),
    ] {
        assert_eq!(naming(&words).named(), named, "{words:?}");
    }
}

#[test]
fn a_poll_reads_as_a_sentence() {
    for (words, sentence) in [
        (vec![A, A, A], "3 of 3 sentinels name 10.0.0.1:6379"),
        (
            vec![A, B, B],
            "2 of 3 sentinels name 10.0.0.2:6379, 1 10.0.0.1:6379",
        ),
        (
            vec![0, B, B],
            "2 of 3 sentinels name 10.0.0.2:6379, 1 silent",
        ),
        (vec![0, 0, 0], "none of 3 sentinels answers"),
    ] {
        assert_eq!(naming(&words).to_string(), sentence);
    }
    // A wrong name is no silence.
    let mut poll = naming(&[0, 0, 0]);
    let denial = Denial {
        code: "ERR".to_owned(),
        text: "No such master with that name".to_owned(),
    };
    poll.words[1].1 = Err(Failure::Denied(denial));
    let (sentinel, _) = poll.words[1];
    let sentence = format!(
        "none of 3 sentinels names a master; {sentinel}: it says ERR No such master with that name"
    );
    assert_eq!(poll.to_string(), sentence);
}

#[test]
fn the_node_that_sentinel_names_is_eligible_and_an_ex_master_is_not() {
    let says = |local: Result<Observation, Failure>, words: &[u8]| {
        eligible(node(A), &local.expect("an observation"), &naming(words)).eligible
    };
    assert_eq!(says(master(), &[A, A, A]), Some(true));
    assert_eq!(says(master(), &[A, A, 0]), Some(true));
    assert_eq!(
        says(master(), &[B, B, A]),
        Some(false),
        "restarted, and another one was promoted meanwhile"
    );
    assert_eq!(says(master(), &[A, B, 0]), None);
    assert_eq!(says(master(), &[A, 0, 0]), None);
    assert_eq!(
        says(replica_of(B), &[A, A, A]),
        Some(false),
        "named, and not yet promoted"
    );
    assert_eq!(says(replica_of(B), &[0, 0, 0]), Some(false));
    let loading = Ok(Observation {
        loading: true,
        ..redis(Role::Master)
    });
    assert_eq!(says(loading, &[A, A, A]), Some(false));
}

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
    let done = |step: &Step| matches!(step, Step::Done(_));
    let waits = |step: &Step| matches!(step, Step::Wait(_));
    let holds = |step: &Step| matches!(step, Step::Hold(_));
    let promotes = |step: &Step| matches!(step, Step::Promote(old, _) if *old == node(A));
    let hands_over = |step: &Step| matches!(step, Step::HandOver(old, _) if *old == node(A));
    type Is<'a> = &'a dyn Fn(&Step) -> bool;
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
        let step = serve(&scene, waited);
        assert!(is(&step), "{what}: {step:?}");
    }
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
    let third = Scene {
        local: Node {
            address: node(C),
            seen: replica_of(A),
        },
        peers: vec![
            Node {
                address: node(A),
                seen: Err(Failure::Refused),
            },
            Node {
                address: node(B),
                seen: Err(Failure::NoConnection),
            },
        ],
        ..scene(master(), master(), naming(&[A, 0, A]))
    };
    assert!(
        waits(&serve(&third, Duration::from_secs(2))),
        "B may be taking over"
    );
    assert!(promotes(&serve(&third, Duration::from_secs(4))));
    let elsewhere = Scene {
        vip: Vip::At(node(C)),
        ..scene(replica_of(A), Err(Failure::Refused), naming(&[A, A, A]))
    };
    assert!(matches!(serve(&elsewhere, later), Step::Refuse(_)));
}

fn candidate(last: u8, priority: u32, offset: i64) -> Candidate {
    Candidate {
        address: node(last),
        reachable: true,
        heard: Some(Duration::from_millis(400)),
        looked_at: Some(Duration::from_secs(7)),
        link_down: Duration::ZERO,
        down_after: Duration::from_secs(5),
        priority,
        offset,
        run_id: format!("{last}"),
    }
}

#[test]
fn a_sentinel_promotes_by_priority_then_by_offset_then_by_the_run_id() {
    let chosen =
        |candidates: &[Candidate]| choice(candidates, false).map(|candidate| candidate.address);
    assert_eq!(
        chosen(&[candidate(B, 100, 9), candidate(C, 100, 10)]),
        Some(node(C))
    );
    assert_eq!(
        chosen(&[candidate(B, 10, 9), candidate(C, 100, 10)]),
        Some(node(B))
    );
    assert_eq!(
        chosen(&[candidate(C, 100, 10), candidate(B, 100, 10)]),
        Some(node(B))
    );
    assert_eq!(chosen(&[candidate(B, 0, 9)]), None);
    assert_eq!(
        chosen(&[
            Candidate {
                reachable: false,
                ..candidate(B, 1, 9)
            },
            candidate(C, 100, 1)
        ]),
        Some(node(C))
    );
    let cut_off = Candidate {
        link_down: Duration::from_secs(51),
        ..candidate(B, 1, 9)
    };
    assert_eq!(chosen(std::slice::from_ref(&cut_off)), None);
    assert_eq!(
        choice(&[cut_off], true),
        None,
        "what is known of it is older than 5 s"
    );
    assert_eq!(chosen(&[]), None);
}

#[test]
fn a_planned_move_waits_for_whoever_might_be_promoted() {
    let (soon, late) = (Duration::from_secs(1), Duration::from_secs(6));
    assert_eq!(is_safe(node(B), &[node(B), node(C)], &[], soon), Ok(()));
    assert!(
        is_safe(node(C), &[node(B)], &[node(C)], late).is_err(),
        "it would be promoted without all data"
    );
    assert!(is_safe(node(B), &[node(B)], &[node(C)], soon).is_err());
    assert_eq!(is_safe(node(B), &[node(B)], &[node(C)], late), Ok(()));
    assert!(
        is_safe(node(9), &[node(B)], &[], late).is_err(),
        "nothing is known of it"
    );
}

#[test]
fn the_replica_with_most_data_is_waited_for_until_sentinel_has_surely_looked() {
    let (soon, late) = (Duration::from_secs(1), Duration::from_secs(12));
    let alike = [(node(B), 10), (node(C), 10)];
    assert_eq!(is_best(node(C), &alike, soon), Ok(()));
    let apart = [(node(B), 10), (node(C), 9)];
    assert_eq!(is_best(node(B), &apart, soon), Ok(()));
    assert!(is_best(node(C), &apart, soon).is_err_and(|why| why.contains("1 bytes less")));
    assert_eq!(is_best(node(C), &apart, late), Ok(()));
    assert!(
        is_best(node(A), &apart, late).is_err(),
        "an ex-master that was not made a replica yet"
    );
}

fn any_word() -> impl Strategy<Value = Option<Word>> {
    let word = (
        1u8..4,
        any::<bool>(),
        proptest::option::of(0u64..4000),
        any::<bool>(),
    )
        .prop_map(|(last, failing_over, heard, down)| Word {
            master: node(last),
            failing_over,
            heard: heard.map(Duration::from_millis),
            down,
            down_after: Duration::from_secs(3),
        });
    proptest::option::of(word)
}

fn any_redis() -> impl Strategy<Value = Result<Observation, Failure>> {
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
    fn never_two_nodes_are_eligible_by_the_same_words(words in prop::collection::vec(any_word(), 0..6)) {
        let words = Poll { quorum: words.len() / 2 + 1, ..poll(&words) };
        let local = redis(Role::Master);
        let eligible = [A, B, C].iter().filter(|last| eligible(node(**last), &local, &words).eligible == Some(true)).count();
        prop_assert!(eligible <= 1, "{words}");
    }

    #[test]
    fn nothing_is_asked_of_sentinel_without_enough_of_them_and_nothing_of_a_master_that_is_heard(
        local in any_redis(), a in any_redis(), words in prop::collection::vec(any_word(), 3), waited in 0u64..20_000,
    ) {
        let scene = scene(local, a.clone(), poll(&words));
        match serve(&scene, Duration::from_millis(waited)) {
            Step::Promote(old, _) => {
                prop_assert!(scene.poll.answered() >= 2 && scene.poll.named() == Named::Node(old));
                prop_assert!(old != scene.local.address);
                let seen = scene.peers.iter().find(|node| node.address == old).map(|node| &node.seen);
                prop_assert!(!seen.is_some_and(|seen| seen.as_ref().is_ok_and(Observation::is_master)));
            }
            Step::HandOver(old, _) => {
                prop_assert!(scene.poll.answered() >= 2 && scene.poll.named() == Named::Node(old));
                prop_assert!(scene.local.seen.as_ref().is_ok_and(|local| local.follows(old)));
            }
            Step::Done(_) => prop_assert!(scene.local.seen.as_ref().is_ok_and(Observation::is_master)),
            Step::Hold(_) => prop_assert!(scene.poll.named() == Named::Node(node(A)) && a.is_ok_and(|a| a.is_master())),
            Step::Wait(_) | Step::Refuse(_) => {}
        }
    }
}
