//! The sentinels' words, the moves, and whom a sentinel would promote.

pub(crate) mod candidates;
pub(crate) mod moves;
pub(crate) mod words;

use super::*;
use crate::node::memory::Memory;
use crate::server::info::{Disk, Following, Lineage, Make, Replication, Role, Version};

const A: u8 = 1;
const B: u8 = 2;
const C: u8 = 3;

fn node(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 6379))
}

fn sentinel(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 26379))
}

type Seen = Result<Observation, Failure>;

fn redis(role: Role) -> Observation {
    let replication = Replication {
        role,
        lineage: Lineage::default(),
        replicas: 0,
        backlog: None,
    };
    let run_id = "a".to_string();
    Observation {
        run_id,
        version: Version(7, 0, 15),
        make: Make::Redis,
        loading: false,
        keys: 1,
        changes: 0,
        disk: Disk::default(),
        replication,
        term: None,
    }
}

fn master() -> Seen {
    Ok(redis(Role::Master))
}

fn replica_of(last: u8) -> Seen {
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

fn at(last: u8, seen: Seen) -> Node {
    Node {
        address: node(last),
        seen,
    }
}

/// Seen from B, which has the VIP.
fn scene(local: Seen, a: Seen, poll: Poll) -> Scene {
    Scene {
        view: seen_from(at(B, local), [at(A, a), at(C, replica_of(A))]),
        order: vec![node(A), node(B), node(C)],
        poll,
        was_cut_off: false,
    }
}

/// With the VIP.
fn seen_from(local: Node, peers: [Node; 2]) -> View {
    View {
        local,
        peers: peers.to_vec(),
        vip: Vip::Here,
        memory: Memory::default(),
        alone_for: Duration::ZERO,
        alone_after: Duration::from_secs(20),
        outdated_after: None,
        max_lag: 1 << 20,
        flapping: None,
        drained: None,
    }
}
