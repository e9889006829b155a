//! No action on nonsense: a peer that says nothing usable is not followed, raised, parked or taken
//! over from.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use keepalived_redis::config::{Config, Environment};
use keepalived_redis::deadline::Deadline;
use keepalived_redis::decide::pair;
use keepalived_redis::decide::pair::Standing;
use keepalived_redis::decide::pair::Step;
use keepalived_redis::decide::view::{Node, View, Vip};
use keepalived_redis::look::survey::Survey;
use keepalived_redis::node::memory::{Memory, Served, Synced};
use keepalived_redis::server::access::Secret;
use keepalived_redis::server::failure::{Denial, Failure};
use keepalived_redis::server::info::Observation;
use proptest::prelude::*;

use crate::info::REPLICA;
use crate::peer::{MASTER, Peer, Talk, redis_that_says};

const fn node(last: u8) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(192, 168, 158, last), 6379))
}

pub const LOCAL: SocketAddr = node(11);
pub const PEERS: [SocketAddr; 2] = [node(12), node(14)];

pub fn view(
    local: Result<Observation, Failure>,
    peers: Vec<Result<Observation, Failure>>,
    memory: Memory,
    vip: Vip,
    alone_seconds: u64,
) -> View {
    View {
        local: Node {
            address: LOCAL,
            seen: local,
        },
        peers: PEERS
            .into_iter()
            .zip(peers)
            .map(|(address, seen)| Node { address, seen })
            .collect(),
        vip,
        memory,
        alone_for: Duration::from_secs(alone_seconds),
        alone_after: Duration::from_secs(20),
        outdated_after: None,
        max_lag: 1 << 20,
        flapping: None,
        drained: None,
    }
}

pub fn vip() -> impl Strategy<Value = Vip> {
    prop::sample::select(vec![
        Vip::Here,
        Vip::At(PEERS[0]),
        Vip::At(PEERS[1]),
        Vip::Unknown,
    ])
}

/// Of this run of Redis and its history, of others, or nothing.
pub fn memory() -> impl Strategy<Value = Memory> {
    let run = prop::sample::select(vec![
        "0123456789abcdef0123456789abcdef01234567",
        "89abcdef0123456789abcdef0123456789abcdef",
        "x",
    ]);
    let replid = prop::sample::select(vec![
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    ]);
    (any::<bool>(), any::<bool>(), run, replid).prop_map(|(served, synced, run, replid)| {
        let (run_id, replid, at) = (run.to_owned(), replid.to_owned(), String::new());
        let served = served.then(|| Served {
            run_id: run_id.clone(),
            replid: replid.clone(),
            at: at.clone(),
        });
        let synced = synced.then(|| Synced {
            run_id,
            replid,
            peer: PEERS[0],
            at,
        });
        Memory {
            served,
            synced,
            ..Memory::default()
        }
    })
}

/// Why a peer gave no usable answer.
fn nothing_usable() -> impl Strategy<Value = Failure> {
    let words = "[ -~]{0,30}";
    let code = prop::sample::select(vec![
        "ERR",
        "BUSY",
        "NOAUTH",
        "WRONGPASS",
        "NOPERM",
        "MISCONF",
        "LOADING",
        "READONLY",
        "",
        "x",
    ]);
    prop_oneof![
        Just(Failure::Refused),
        Just(Failure::NoConnection),
        Just(Failure::TimedOut),
        Just(Failure::Reset),
        words.prop_map(Failure::Network),
        words.prop_map(Failure::Rubbish),
        (code, words).prop_map(|(code, text)| Failure::Denied(Denial {
            code: code.to_owned(),
            text
        })),
    ]
}

fn local() -> impl Strategy<Value = Observation> {
    let text = prop::sample::select(vec![MASTER, REPLICA]);
    (
        text,
        0i64..1 << 40,
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(text, offset, up, syncing, empty)| {
            let (link, syncing) = (if up { "up" } else { "down" }, i32::from(syncing));
            let text = text
                .replace("repl_offset:113", &format!("repl_offset:{offset}"))
                .replace("link_status:up", &format!("link_status:{link}"))
                .replace("in_progress:1", &format!("in_progress:{syncing}"));
            let mut seen = Observation::read(&text).expect("a real INFO");
            seen.keys = if empty { 0 } else { seen.keys };
            seen
        })
}

/// The peer that a step is about.
fn whom(step: &Step) -> Option<SocketAddr> {
    match step {
        Step::TakeOver(peer, _)
        | Step::GiveUp(peer, _)
        | Step::Park(peer, _)
        | Step::Raise(peer, _) => Some(*peer),
        Step::Follow { peer, .. } => Some(*peer),
        Step::Done(_) | Step::Wait(_) | Step::Hold(_) | Step::Promote(..) | Step::Refuse(_) => None,
    }
}

/// Both notify programs, after any time.
fn steps(view: &View) -> Vec<Step> {
    let waits = [0, 1, 4, 30, 3600].map(Duration::from_secs);
    waits
        .into_iter()
        .flat_map(|w| {
            [
                pair::serve(view, w),
                pair::yield_role(view, w, Duration::from_secs(5)),
            ]
        })
        .collect()
}

/// Is the local Redis said to be in the wrong role, in any state of its keepalived?
pub fn is_wrong(view: &View) -> bool {
    pair::wrong_role(view, false).is_some()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn nothing_is_done_with_a_peer_that_says_nothing_usable(
        local in local(), failure in nothing_usable(), memory in memory(), vip in vip(), alone in 0u64..40, other in any::<bool>(),
    ) {
        let good = Observation::read(MASTER).map_err(Failure::Rubbish);
        let peers = if other { vec![Err(failure), good] } else { vec![Err(failure)] };
        let view = view(Ok(local.clone()), peers, memory, vip, alone);
        for step in steps(&view) {
            prop_assert!(whom(&step) != Some(PEERS[0]), "{:?}", step);
            // Nor because of it: what nobody answers for is promoted after `alone_after`, or where
            // it was in sync.
            if let Step::Promote(..) = step && !other {
                let synced = view.memory.synced.as_ref().is_some_and(|s| s.run_id == local.run_id);
                prop_assert!(synced || alone >= 20, "{:?}", step);
            }
        }
        if !other {
            let found = pair::eligibility(&view);
            prop_assert!(!found.eligible || alone >= 20 || found.standing != Standing::Unknown, "{:?}", found);
            // It does not make a healthy node sick either.
            prop_assert!(vip == Vip::Here || !is_wrong(&view));
        }
    }

    #[test]
    fn nothing_is_done_for_a_local_redis_that_says_nothing_usable(
        failure in nothing_usable(), memory in memory(), vip in vip(), alone in 0u64..40,
    ) {
        let view = view(Err(failure), vec![Observation::read(MASTER).map_err(Failure::Rubbish)], memory, vip, alone);
        for step in steps(&view) {
            prop_assert!(matches!(step, Step::Wait(_) | Step::Refuse(_)), "{:?}", step);
        }
        prop_assert!(!pair::eligibility(&view).eligible && !is_wrong(&view));
    }
}

/// The whole look, over real connections: the local Redis is seen whatever the other node does.
#[test]
fn a_look_at_a_redis_and_a_peer_that_is_none_sees_the_redis_and_ends_in_time() {
    const BUDGET: Duration = Duration::from_millis(400);
    let nested = [&b"+OK\r\n"[..], &b"*1\r\n".repeat(100_000)].concat();
    for (what, talk) in [
        ("silence", Talk::Says(vec![])),
        (
            "rubbish",
            Talk::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ),
        (
            "wrong INFO",
            Talk::Says(redis_that_says(&MASTER.replace("role:master", "role:king"))),
        ),
        (
            "a negative offset",
            Talk::Says(redis_that_says(
                &MASTER.replace("repl_offset:113", "repl_offset:-113"),
            )),
        ),
        (
            "an overflowing offset",
            Talk::Says(redis_that_says(
                &MASTER.replace("repl_offset:113", "repl_offset:99999999999999999999"),
            )),
        ),
        (
            "drops",
            Talk::Drips(redis_that_says(MASTER), Duration::from_millis(50)),
        ),
        (
            "no end",
            Talk::Endless(b"+OK\r\n".to_vec(), b"*1\r\n".to_vec()),
        ),
        ("depth", Talk::Says(nested)),
        ("hanging up", Talk::Closes(vec![])),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        let redis = Peer::new(Talk::Says(redis_that_says(REPLICA)));
        let peer = Peer::new(talk);
        let path = dir.path().join("redis-ha.toml");
        let text = format!(
            "nodes = [\"{}\", \"{}\"]\nvip = \"192.0.2.1\"\n[memory]\ndir = {:?}\n",
            redis.address,
            peer.address,
            dir.path()
        );
        std::fs::write(&path, text).expect("a write");
        let environment = Environment {
            state: dir.path().into(),
            password: Some(Secret::new("secret".to_string())),
        };
        let config = Config::load_in(&path, &environment).expect("a good file");
        let clock = Instant::now();
        let view = Survey::new(&config, redis.address).look(false, Deadline::after(BUDGET));
        assert!(
            clock.elapsed() < BUDGET + Duration::from_millis(500),
            "{what}: {:?}",
            clock.elapsed()
        );
        assert!(
            view.local.seen.is_ok() && view.peers[0].seen.is_err(),
            "{what}: {view:?}"
        );
        for step in steps(&view) {
            assert!(
                whom(&step).is_none() && !matches!(step, Step::Promote(..)),
                "{what}: {step:?}"
            );
        }
    }
}
