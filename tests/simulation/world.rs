//! The nodes, the network between them and to the clients, and one tick of everything but the
//! programs.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::data::{Change, Data, Histories, Millis};
use super::host::Host;
use super::ledger::Ledger;
use super::processes::{Fork, Pid, Process};
use super::random::Random;
use super::server::{Command, Persistence, Redis};
use super::setup::{Boot, Setup};
use super::vrrp::Advert;
use crate::server::info::Observation;

/// One step of the world. What takes less is done in one tick, in any order.
pub const TICK: Millis = 50;
/// Bytes of a client's write in the stream.
const WRITE: i64 = 60;
/// A master PINGs its replicas this often (R5).
const PING: (Millis, i64) = (10_000, 14);

#[derive(Clone, Copy, Debug, Default)]
pub struct Wire {
    pub cut: bool,
    /// Only what Redis says; VRRP gets through.
    pub no_tcp: bool,
    pub lossy: bool,
}

impl Wire {
    pub fn is_cut_for_redis(self) -> bool {
        self.cut || self.no_tcp
    }
}

/// How another Redis answers a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    Answers,
    Refuses,
    /// Connected, no answer.
    Hangs,
    Silent,
}

pub struct World {
    pub now: Millis,
    pub setup: Setup,
    pub random: Random,
    pub nodes: Vec<Host>,
    pub wires: [[Wire; 3]; 3],
    pub histories: Histories,
    pub processes: BTreeMap<Pid, Process>,
    pub next_pid: Pid,
    pub forks: Vec<Fork>,
    pub adverts: Vec<Advert>,
    pub ledger: Ledger,
}

/// Nobody listens there.
pub const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

pub fn address(node: usize) -> SocketAddr {
    SocketAddr::from(([192, 168, 158, 11 + u8::try_from(node).unwrap_or(0)], 6379))
}

pub fn vip() -> SocketAddr {
    SocketAddr::from(([192, 168, 158, 21], 6379))
}

impl World {
    pub fn new(setup: Setup, seed: u64, telling: bool) -> World {
        let mut histories = Histories::default();
        let boots_as = |node: usize| match (setup.boot, node) {
            _ if setup.all_masters => None,
            (Boot::ReplicaOfNobody, _) => Some(NOBODY),
            (Boot::AsConfigured, 0) => None,
            (_, 0) => Some(address(1)),
            _ => Some(address(0)),
        };
        let redis = |node: usize, histories: &mut Histories| {
            Redis::new(address(node), boots_as(node), histories)
        };
        let nodes = (0..setup.nodes)
            .map(|node| Host::new(node, redis(node, &mut histories)))
            .collect();
        World {
            now: 0,
            random: Random::new(seed),
            nodes,
            wires: [[Wire::default(); 3]; 3],
            histories,
            processes: BTreeMap::new(),
            next_pid: 0,
            forks: Vec::new(),
            adverts: Vec::new(),
            ledger: Ledger::new(telling),
            setup,
        }
    }

    pub fn tell(&mut self, what: impl FnOnce() -> String) {
        if self.ledger.telling {
            let line = format!("{:>4}.{:03}  {}", self.now / 1000, self.now % 1000, what());
            self.ledger.story.push(line);
        }
    }

    pub fn wire(&mut self, a: usize, b: usize, change: impl Fn(&mut Wire)) {
        change(&mut self.wires[a][b]);
        change(&mut self.wires[b][a]);
    }

    /// The Redis of `to`, as `from` reaches it at this moment.
    pub fn contact(&self, from: usize, to: usize) -> Contact {
        let node = &self.nodes[to];
        match &node.redis {
            _ if from != to && (!node.lives() || self.wires[from][to].is_cut_for_redis()) => {
                Contact::Silent
            }
            redis if !redis.running => Contact::Refuses,
            redis if redis.hung => Contact::Hangs,
            _ => Contact::Answers,
        }
    }

    /// What the Redis of a node says of itself.
    pub fn observe(&self, node: usize) -> Observation {
        let redis = &self.nodes[node].redis;
        let attached =
            |other: &&Host| other.redis.of == Some(address(node)) && other.redis.link_is_up();
        let replicas = self.nodes.iter().filter(attached).count()
            + usize::from(self.now <= redis.dumped_until);
        redis.observation(
            self.now,
            self.setup.terms,
            u32::try_from(replicas).unwrap_or(0),
        )
    }

    /// The node whose Redis an address leads to, asked from `from`.
    pub fn resolve(&self, from: usize, to: SocketAddr) -> Option<usize> {
        if to == vip() {
            self.vip_from(from)
        } else {
            (0..self.nodes.len()).find(|node| address(*node) == to)
        }
    }

    /// Who answers on the VIP: among several who hold it, the one that announced it last.
    pub fn vip_from(&self, from: usize) -> Option<usize> {
        if self.nodes[from].keepalived.vip {
            return Some(from);
        }
        let holds = |to: &usize| {
            self.nodes[*to].keepalived.vip
                && self.nodes[*to].lives()
                && !self.wires[from][*to].is_cut_for_redis()
        };
        (0..self.nodes.len())
            .filter(holds)
            .max_by_key(|to| self.nodes[*to].keepalived.announced)
    }

    /// Gives `node`'s Redis a command; the error is the code of its denial.
    pub fn obey(&mut self, node: usize, command: Command) -> Result<(), &'static str> {
        let changes = matches!(command, Command::Slaveof(_));
        let redis = &mut self.nodes[node].redis;
        let (was, master_before) = (redis.of, redis.is_master());
        let result = redis.obey(&mut self.histories, self.now, command);
        if changes && result.is_ok() && was != redis.of {
            let now = match redis.of {
                None => "master".to_string(),
                Some(of) => format!("replica of {of}"),
            };
            if master_before || redis.is_master() {
                self.ledger.roles.push(self.now);
            }
            let (offset, writes) = (redis.offset, redis.data.writes.len());
            // Whoever gave the command has looked at this run of its master.
            let source = self.nodes[node]
                .redis
                .of
                .and_then(|of| self.resolve(node, of));
            self.nodes[node].redis.source =
                source.map(|source| (source, self.nodes[source].redis.run));
            self.tell(|| {
                format!("node {node}: Redis becomes {now} at offset {offset} with {writes} writes")
            });
        }
        result
    }

    /// Everything but the faults and the programs.
    pub fn tick(&mut self) {
        self.deliver_adverts();
        let mut order: Vec<usize> = (0..self.nodes.len())
            .filter(|node| self.nodes[*node].lives())
            .collect();
        order.sort_by_key(|node| self.nodes[*node].keepalived.down_at);
        for node in order {
            self.keepalived(node);
            self.redis(node);
        }
        self.clients();
        self.judge();
    }

    fn redis(&mut self, node: usize) {
        let now = self.now;
        let attached = self
            .nodes
            .iter()
            .any(|other| other.redis.of == Some(address(node)) && other.redis.link_is_up());
        let aof = self.setup.persistence == Persistence::Aof;
        let saves = now.is_multiple_of(if aof { 1000 } else { 20_000 });
        let redis = &mut self.nodes[node].redis;
        if !redis.running || redis.hung {
            return;
        }
        if saves && !redis.is_loading(now) {
            redis.disk.data = redis.data.clone();
            if !aof {
                (redis.disk.replid, redis.disk.offset) = (redis.replid, redis.offset);
            }
        }
        if redis.is_master() && attached && now >= redis.pinged + PING.0 {
            redis.pinged = now;
            redis.change(&mut self.histories, now, PING.1, Change::Ping);
        }
        for command in std::mem::take(&mut redis.late) {
            let _ = self.obey(node, command);
        }
        self.replicate(node);
    }

    /// Clients write wherever they find the VIP; each side of a partition has its own.
    fn clients(&mut self) {
        if !self.now.is_multiple_of(self.setup.writing) {
            return;
        }
        let holds = |world: &World, node: usize| {
            let it = &world.nodes[node];
            it.keepalived.vip && it.lives() && !it.no_clients
        };
        for node in 0..self.nodes.len() {
            if !holds(self, node) {
                continue;
            }
            let announced =
                |at: usize| (self.nodes[at].keepalived.announced, std::cmp::Reverse(at));
            let elsewhere = (0..self.nodes.len()).any(|other| {
                other != node
                    && holds(self, other)
                    && !self.wires[node][other].cut
                    && announced(other) > announced(node)
            });
            if !elsewhere {
                self.client_writes(node);
            }
        }
    }

    /// What redis-cli --rdb gets; to Redis it is a replica.
    pub fn dumped(&mut self, node: usize) -> Data {
        let redis = &mut self.nodes[node].redis;
        if redis.is_master() {
            redis.attach(&mut self.histories);
        }
        redis.data.clone()
    }

    /// One write, acknowledged when the Redis there takes it.
    pub fn client_writes(&mut self, node: usize) {
        self.client_does(node, Change::Write);
    }

    /// Whoever writes at the VIP deletes all that there is.
    pub fn client_clears(&mut self) {
        for node in 0..self.nodes.len() {
            let it = &self.nodes[node];
            if it.keepalived.vip && it.lives() && !it.no_clients {
                self.client_does(node, Change::Clear);
            }
        }
    }

    fn client_does(&mut self, node: usize, change: impl Fn(u32) -> Change) {
        let now = self.now;
        let redis = &mut self.nodes[node].redis;
        if !redis.takes_writes(now) {
            return;
        }
        let write = self.ledger.next_write;
        self.ledger.next_write += 1;
        redis.change(&mut self.histories, now, WRITE, change(write));
        self.acknowledged(node, write);
    }

    /// The Redis of a node ends.
    pub fn end_redis(&mut self, node: usize, clean: bool, power: bool) {
        let persistence = self.setup.persistence;
        let redis = &mut self.nodes[node].redis;
        if !redis.running {
            return;
        }
        let before = redis.data.writes.clone();
        redis.end(persistence, clean, power);
        self.dropped(node, before, super::ledger::By::TheDisk);
    }

    pub fn start_redis(&mut self, node: usize) {
        if self.nodes[node].redis.running || !self.nodes[node].on {
            return;
        }
        let first_other = if node == 0 { 1 } else { 0 };
        let of = match self.setup.boot {
            Boot::AsConfigured => self.nodes[node].redis.configured,
            Boot::ReplicaOfOther => Some(address(first_other)),
            Boot::ReplicaOfNobody => Some(NOBODY),
        };
        let loading = self.random.one_of(&[0, 50, 300, 2000]);
        let loading = self.setup.loading[node].unwrap_or(loading);
        self.nodes[node]
            .redis
            .start(&mut self.histories, self.now, of, loading);
        if self.setup.boot == Boot::AsConfigured {
            // Whatever it finds there, it takes: no program had a say.
            let source = of.and_then(|of| self.resolve(node, of));
            self.nodes[node].redis.source = source.map(|source| (source, 0));
        }
        let keys = self.nodes[node].redis.data.writes.len();
        self.tell(|| {
            format!(
                "node {node}: Redis starts with {keys} writes, replica of {of:?}, loading for \
                {loading} ms"
            )
        });
    }
}
