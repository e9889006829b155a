//! The decisions, by table.

pub(crate) mod terms;
pub(crate) mod three;
pub(crate) mod verdicts;

use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::decide::view::*;
use crate::node::memory::{Memory, Served, Synced};
use crate::server::failure::Failure;
use crate::server::info::{Following, Lineage, Observation, Replication, Role, Version};

const GRACE: Duration = Duration::from_secs(5);
const LATER: Duration = Duration::from_secs(4);

fn a() -> SocketAddr {
    "192.168.158.11:6379".parse().expect("an address")
}

fn b() -> SocketAddr {
    "192.168.158.12:6379".parse().expect("an address")
}

fn id(letter: char) -> String {
    letter.to_string().repeat(40)
}

/// A master of history `replid` that has written `offset` bytes.
fn master(replid: char, offset: i64) -> Observation {
    Observation {
        run_id: id('1'),
        version: Version(7, 0, 15),
        loading: false,
        keys: 10,
        replication: Replication {
            role: Role::Master,
            lineage: Lineage {
                replid: id(replid),
                replid2: None,
                second_offset: -1,
                offset,
            },
            replicas: 1,
        },
        changes: 0,
        term: None,
    }
}

/// A replica of `of`, link up.
fn replica(of: SocketAddr, replid: char, offset: i64) -> Observation {
    let mut seen = master(replid, offset);
    seen.replication.role = Role::Replica(Following {
        host: of.ip().to_string(),
        port: of.port(),
        link_up: true,
        syncing: false,
        copied: None,
        received: Some(offset),
    });
    seen
}

fn link(mut seen: Observation, up: bool, syncing: bool) -> Observation {
    if let Role::Replica(following) = &mut seen.replication.role {
        (following.link_up, following.syncing) = (up, syncing);
    }
    seen
}

fn keys(mut seen: Observation, keys: u64) -> Observation {
    seen.keys = keys;
    seen
}

/// Promoted out of `elder` at its byte `at`.
fn out_of(mut seen: Observation, elder: char, at: i64) -> Observation {
    (
        seen.replication.lineage.replid2,
        seen.replication.lineage.second_offset,
    ) = (Some(id(elder)), at);
    seen
}

/// What node a sees of itself and of b.
fn view(local: Observation, peer: Result<Observation, Failure>, vip: Vip) -> View {
    View {
        local: Node {
            address: a(),
            seen: Ok(local),
        },
        peers: vec![Node {
            address: b(),
            seen: peer,
        }],
        vip,
        memory: Memory::default(),
        alone_for: Duration::ZERO,
        alone_after: Duration::from_secs(20),
        max_lag: 1 << 20,
        flapping: None,
        drained: None,
    }
}

fn served(mut view: View) -> View {
    let replid = view
        .local
        .seen
        .as_ref()
        .expect("a local Redis")
        .replication
        .lineage
        .replid
        .clone();
    view.memory.served = Some(Served {
        run_id: id('1'),
        replid,
        at: String::new(),
    });
    view
}

/// It served in this run, under another name of its history.
fn renamed(view: View) -> View {
    let mut view = served(view);
    view.memory.served.as_mut().expect("just set").replid = id('w');
    view
}

fn synced(mut view: View, replid: char) -> View {
    view.memory.synced = Some(Synced {
        run_id: id('1'),
        replid: id(replid),
        peer: b(),
        at: String::new(),
    });
    view
}

fn alone(mut view: View) -> View {
    view.alone_for = view.alone_after;
    view
}

/// The step's name, which is what a table compares.
fn name(step: &Step) -> &'static str {
    match step {
        Step::Done(_) => "done",
        Step::Wait(_) => "wait",
        Step::Hold(_) => "hold",
        Step::Promote(_) => "promote",
        Step::TakeOver(..) => "take over",
        Step::GiveUp(..) => "give up",
        Step::Raise(..) => "raise",
        Step::Park(..) => "park",
        Step::Follow {
            contained: true, ..
        } => "follow",
        Step::Follow {
            contained: false, ..
        } => "keep and follow",
        Step::Refuse(_) => "refuse",
    }
}

const GONE: Result<Observation, Failure> = Err(Failure::Refused);

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
            "done",
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
