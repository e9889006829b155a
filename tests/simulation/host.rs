//! One machine: what runs there, what it remembers, and what troubles it has.

use std::collections::BTreeMap;
use std::time::Duration;

use super::data::Millis;
use super::follow::InFile;
use super::processes::{Pid, Ticket};
use super::server::Redis;
use super::vrrp::Keepalived;
use super::world::World;
use crate::node::memory::Memory;

/// Three deaths within ten minutes count for half an hour.
const FLAP: (usize, Millis, Millis) = (3, 600_000, 1_800_000);

/// What becomes of the notifications of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    Lost,
    Late,
    Twice,
    /// redis_master is started, and stands still when its turn has come.
    Hung,
}

pub struct Host {
    pub on: bool,
    pub frozen: bool,
    pub boot: u64,
    /// Clients can't reach it.
    pub no_clients: bool,
    pub redis: Redis,
    pub keepalived: Keepalived,
    pub memory: Memory,
    pub spells: BTreeMap<&'static str, (u64, Millis, Millis)>,
    pub ticket: Option<Ticket>,
    pub acting: Option<Pid>,
    /// When the local Redis was found dead: for the anti-flap rule.
    pub deaths: Vec<Millis>,
    /// The run of the local Redis that was seen last, and whether its death has been counted.
    pub life: Option<(String, bool)>,
    pub in_file: Option<InFile>,
    pub delivery: Option<Delivery>,
    /// A check of the operator's own fails here.
    pub barred: bool,
    /// redis_master can't be run here.
    pub no_master_program: bool,
    pub slow_stream: Millis,
}

impl Host {
    pub fn new(node: usize, redis: Redis) -> Host {
        Host {
            on: true,
            frozen: false,
            boot: 1,
            no_clients: false,
            redis,
            keepalived: Keepalived::new(node),
            memory: Memory::default(),
            spells: BTreeMap::new(),
            ticket: None,
            acting: None,
            deaths: Vec::new(),
            life: None,
            in_file: None,
            delivery: None,
            barred: false,
            no_master_program: false,
            slow_stream: 0,
        }
    }

    pub fn lives(&self) -> bool {
        self.on && !self.frozen
    }
}

impl World {
    /// As `memory::Store::spell`: whole seconds, and a break of more than five of them begins anew.
    pub fn spell(&mut self, node: usize, name: &'static str, is_so: bool) -> Millis {
        let now = self.now / 1000;
        let node = &mut self.nodes[node];
        if !is_so {
            node.spells.remove(name);
            return 0;
        }
        let kept = node
            .spells
            .get(name)
            .filter(|(boot, _, last)| *boot == node.boot && now - last <= 5);
        let since = kept.map_or(now, |(_, since, _)| *since);
        node.spells.insert(name, (node.boot, since, now));
        (now - since) * 1000
    }

    /// As `node::deaths`: a new run shows a death that nobody counted.
    pub fn seen_alive(&mut self, node: usize, run_id: &str) {
        let now = self.now;
        let life = self.nodes[node].life.replace((run_id.to_string(), false));
        if life.is_some_and(|(run, counted)| run != run_id && !counted) {
            self.nodes[node].deaths.push(now);
        }
    }

    pub fn seen_dead(&mut self, node: usize) {
        let now = self.now;
        let node = &mut self.nodes[node];
        if let Some((_, counted)) = node.life.as_mut().filter(|(_, counted)| !*counted) {
            *counted = true;
            node.deaths.push(now);
        }
    }

    pub fn flapping(&self, node: usize) -> Option<Duration> {
        let deaths = &self.nodes[node].deaths;
        let last = *deaths
            .windows(FLAP.0)
            .rfind(|group| group[FLAP.0 - 1] - group[0] <= FLAP.1)?
            .last()?;
        (last + FLAP.2)
            .checked_sub(self.now)
            .map(Duration::from_millis)
    }
}
