//! What goes wrong, and how it is repaired.

use super::data::{Change, Millis};
use super::host::Delivery;
use super::random::Random;
use super::server::Command;
use super::setup::Setup;
use super::world::{World, address, vip};

/// What a person does by hand to a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByHand {
    NoOne,
    OfItself,
    OfTheVip,
    OfNobody,
}

/// Each lasts for its time, and is undone then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    KillRedis(usize),
    /// With its data.
    EmptyRedis(usize),
    HangRedis(usize),
    Busy(usize),
    Power(usize),
    /// The same, and its network comes up 3 s after the rest.
    PowerAndLateNetwork(usize),
    Freeze(usize),
    /// Of two nodes; clients reach both.
    Partition(usize, usize),
    /// Nobody reaches it, but it has clients of its own.
    Isolate(usize),
    /// Nobody reaches it at all.
    Unplug(usize),
    Lossy(usize, usize),
    SlowStream(usize),
    StopKeepalived(usize),
    KillKeepalived(usize),
    KillVrrpChild(usize),
    KillPrograms(usize),
    Notifications(usize, Delivery),
    /// redis_master can't be run.
    NoMasterProgram(usize),
    /// A check of the operator's own fails: FAULT.
    OtherCheck(usize),
    Hand(usize, ByHand),
    /// All at once.
    PowerOfAll,
    /// An application deletes all its keys.
    Clear,
    /// An application's FUNCTION FLUSH on this node.
    EraseTerm(usize),
    RefuseTerms(usize),
    /// Of two nodes; VRRP goes on.
    TcpCut(usize, usize),
}

/// A fault, when it begins and when it ends.
#[derive(Clone, Copy, Debug)]
pub struct Timed {
    pub at: Millis,
    pub until: Millis,
    pub fault: Fault,
}

impl Timed {
    pub fn random(random: &mut Random, setup: &Setup, from: Millis, to: Millis) -> Timed {
        let node = random.below(setup.nodes as u64) as usize;
        let other = (node + 1 + random.below(setup.nodes as u64 - 1) as usize) % setup.nodes;
        let delivery = random.one_of(&[
            Delivery::Lost,
            Delivery::Late,
            Delivery::Twice,
            Delivery::Hung,
        ]);
        let hand = random.one_of(&[
            ByHand::NoOne,
            ByHand::OfItself,
            ByHand::OfTheVip,
            ByHand::OfNobody,
        ]);
        let faults = [
            Fault::KillRedis(node),
            Fault::KillRedis(node),
            Fault::EmptyRedis(node),
            Fault::HangRedis(node),
            Fault::Busy(node),
            Fault::Power(node),
            Fault::PowerAndLateNetwork(node),
            Fault::Freeze(node),
            Fault::Partition(node, other),
            Fault::Isolate(node),
            Fault::Unplug(node),
            Fault::Lossy(node, other),
            Fault::SlowStream(node),
            Fault::StopKeepalived(node),
            Fault::KillKeepalived(node),
            Fault::KillVrrpChild(node),
            Fault::KillPrograms(node),
            Fault::Notifications(node, delivery),
            Fault::NoMasterProgram(node),
            Fault::OtherCheck(node),
            Fault::Hand(node, hand),
            Fault::PowerOfAll,
            Fault::Clear,
            Fault::EraseTerm(node),
            Fault::RefuseTerms(node),
            Fault::TcpCut(node, other),
        ];
        let at = random.between(from, to) / 50 * 50;
        let length = random.one_of(&[100, 500, 1500, 4000, 8000, 20_000, 45_000]);
        Timed {
            at,
            until: at + length,
            fault: random.one_of(&faults),
        }
    }

    /// A planned move: nothing fails.
    pub fn planned(random: &mut Random, setup: &Setup, at: Millis) -> Timed {
        let node = random.below(setup.nodes as u64) as usize;
        let fault = random.one_of(&[
            Fault::StopKeepalived(node),
            Fault::StopKeepalived(node),
            Fault::KillVrrpChild(node),
        ]);
        Timed {
            at,
            until: at + random.between(2000, 10_000) / 50 * 50,
            fault,
        }
    }
}

impl World {
    pub fn begin(&mut self, fault: Fault) {
        self.tell(|| format!("--- {fault:?}"));
        let now = self.now;
        match fault {
            Fault::KillRedis(node) => self.end_redis(node, false, false),
            Fault::EmptyRedis(node) => {
                self.end_redis(node, false, false);
                let before = std::mem::take(&mut self.nodes[node].redis.data.writes);
                self.nodes[node].redis.data = super::data::Data::default();
                self.nodes[node].redis.disk = super::server::Saved::default();
                self.dropped(node, before, super::ledger::By::TheDisk);
            }
            Fault::HangRedis(node) => self.nodes[node].redis.hung = self.nodes[node].redis.running,
            Fault::Busy(node) => self.nodes[node].redis.busy_until = now + 600_000,
            Fault::Power(node) | Fault::PowerAndLateNetwork(node) => self.power_off(node),
            Fault::PowerOfAll => (0..self.nodes.len()).for_each(|node| self.power_off(node)),
            Fault::Freeze(node) => self.nodes[node].frozen = self.nodes[node].on,
            Fault::Partition(a, b) => self.wire(a, b, |wire| wire.cut = true),
            Fault::Isolate(node) => self.isolate(node, true),
            Fault::Unplug(node) => {
                self.isolate(node, true);
                self.nodes[node].no_clients = true;
            }
            Fault::Lossy(a, b) => self.wire(a, b, |wire| wire.lossy = true),
            Fault::SlowStream(node) => self.nodes[node].slow_stream = 2000,
            Fault::StopKeepalived(node) => self.stop_keepalived(node),
            Fault::KillKeepalived(node) => self.kill_keepalived(node),
            Fault::KillVrrpChild(node) => self.restart_vrrp_child(node),
            Fault::KillPrograms(node) => self.kill_programs(node),
            Fault::Notifications(node, delivery) => self.nodes[node].delivery = Some(delivery),
            Fault::NoMasterProgram(node) => self.nodes[node].no_master_program = true,
            Fault::OtherCheck(node) => self.nodes[node].barred = true,
            Fault::Hand(node, hand) => self.by_hand(node, hand),
            Fault::Clear => self.client_clears(),
            Fault::EraseTerm(node) => self.erase_term(node),
            Fault::RefuseTerms(node) => self.nodes[node].redis.refuses_terms = true,
            Fault::TcpCut(a, b) => self.wire(a, b, |wire| wire.no_tcp = true),
        }
    }

    pub fn end(&mut self, fault: Fault) {
        self.tell(|| format!("--- no more {fault:?}"));
        match fault {
            Fault::KillRedis(node) | Fault::EmptyRedis(node) => self.start_redis(node),
            Fault::HangRedis(node) => self.nodes[node].redis.hung = false,
            Fault::Busy(node) => self.nodes[node].redis.busy_until = 0,
            Fault::Power(node) => self.power_on(node),
            Fault::PowerAndLateNetwork(node) => {
                self.isolate(node, true);
                self.power_on(node);
            }
            Fault::PowerOfAll => (0..self.nodes.len()).for_each(|node| self.power_on(node)),
            Fault::Freeze(node) => self.thaw(node),
            Fault::Partition(a, b) => self.wire(a, b, |wire| wire.cut = false),
            Fault::Isolate(node) => self.isolate(node, false),
            Fault::Unplug(node) => {
                self.isolate(node, false);
                self.nodes[node].no_clients = false;
            }
            Fault::Lossy(a, b) => self.wire(a, b, |wire| wire.lossy = false),
            Fault::SlowStream(node) => self.nodes[node].slow_stream = 0,
            Fault::StopKeepalived(node) | Fault::KillKeepalived(node) => {
                self.start_keepalived(node)
            }
            Fault::Notifications(node, delivery) => {
                self.nodes[node].delivery = None;
                if delivery == Delivery::Hung {
                    self.kill_programs(node);
                }
            }
            Fault::NoMasterProgram(node) => self.nodes[node].no_master_program = false,
            Fault::OtherCheck(node) => self.nodes[node].barred = false,
            Fault::RefuseTerms(node) => self.nodes[node].redis.refuses_terms = false,
            Fault::TcpCut(a, b) => self.wire(a, b, |wire| wire.no_tcp = false),
            Fault::KillVrrpChild(_)
            | Fault::KillPrograms(_)
            | Fault::Hand(..)
            | Fault::Clear
            | Fault::EraseTerm(_) => {}
        }
    }

    /// Everything that a person or the machines' own supervision brings back.
    pub fn repair(&mut self) {
        self.tell(|| "--- everything is repaired".to_string());
        for node in 0..self.nodes.len() {
            if self.nodes[node].delivery == Some(Delivery::Hung) {
                self.kill_programs(node);
            }
        }
        for a in 0..self.nodes.len() {
            self.isolate(a, false);
            for wire in &mut self.wires[a] {
                (wire.lossy, wire.no_tcp) = (false, false);
            }
            self.thaw(a);
            let node = &mut self.nodes[a];
            (
                node.no_clients,
                node.slow_stream,
                node.delivery,
                node.no_master_program,
            ) = (false, 0, None, false);
            node.barred = false;
            (node.redis.hung, node.redis.busy_until) = (false, 0);
            node.redis.refuses_terms = false;
            self.power_on(a);
            self.start_redis(a);
            self.start_keepalived(a);
        }
    }

    fn isolate(&mut self, node: usize, cut: bool) {
        for other in (0..self.nodes.len()).filter(|other| *other != node) {
            self.wire(node, other, |wire| wire.cut = cut);
        }
    }

    fn power_off(&mut self, node: usize) {
        if !self.nodes[node].on {
            return;
        }
        self.end_redis(node, false, true);
        let it = &mut self.nodes[node];
        (it.on, it.frozen, it.boot) = (false, false, it.boot + 1);
        self.kill_keepalived(node);
        self.nodes[node].keepalived.vip = false;
        self.kill_programs(node);
        self.forks.retain(|fork| fork.node != node);
    }

    fn power_on(&mut self, node: usize) {
        if !self.nodes[node].on {
            self.tell(|| format!("node {node}: boots"));
            self.nodes[node].on = true;
            self.start_redis(node);
            self.start_keepalived(node);
        }
    }

    /// What clients had sent is read first, if it is still master.
    fn thaw(&mut self, node: usize) {
        if std::mem::replace(&mut self.nodes[node].frozen, false) {
            self.tell(|| format!("node {node}: goes on"));
            if self.nodes[node].keepalived.vip && !self.nodes[node].no_clients {
                for _ in 0..self.random.below(4) {
                    self.client_writes(node);
                }
            }
        }
    }

    fn erase_term(&mut self, node: usize) {
        let (now, takes) = (self.now, self.nodes[node].redis.takes_writes(self.now));
        if takes && self.nodes[node].lives() {
            let redis = &mut self.nodes[node].redis;
            redis.change(&mut self.histories, now, 40, Change::NoTerm);
        }
    }

    fn by_hand(&mut self, node: usize, hand: ByHand) {
        let redis = &self.nodes[node].redis;
        if !redis.running || redis.hung || redis.is_master() || !self.nodes[node].lives() {
            return;
        }
        let of = match hand {
            ByHand::NoOne => None,
            ByHand::OfItself => Some(address(node)),
            ByHand::OfTheVip => Some(vip()),
            ByHand::OfNobody => Some(address(9)),
        };
        let _ = self.obey(node, Command::Slaveof(of));
    }
}
