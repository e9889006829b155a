//! What the tables of the pair's decisions are built of.

pub(crate) mod ability;
pub(crate) mod readable;
pub(crate) mod serve;
pub(crate) mod terms;
pub(crate) mod three;
pub(crate) mod verdicts;
pub(crate) mod yield_role;

use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::decide::view::*;
use crate::node::memory::{Memory, Served, Synced};
use crate::server::failure::Failure;
use crate::server::info::{
    Disk, Following, Lineage, Make, Observation, Replication, Role, Version,
};

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
        make: Make::Redis,
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
            backlog: None,
        },
        changes: 0,
        disk: Disk::default(),
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
        outdated_after: None,
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
        Step::Promote(..) => "promote",
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
