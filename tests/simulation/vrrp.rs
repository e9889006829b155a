//! keepalived: who holds the VIP, and which programs are called.

use super::data::Millis;
use super::host::Delivery;
use super::processes::Fork;
use super::world::World;
use crate::node::vrrp_state::VrrpState;

const ADVERT: Millis = 1000;
/// Two failures in a row, and two successes.
const FALL: u8 = 2;
const RISE: u8 = 2;
/// `check_redis --eligible` has failed.
const WEIGHT: u64 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vrrp {
    /// keepalived does not run.
    Off,
    /// Before the first result of the health check nothing is notified (K16).
    Starting,
    Backup,
    Master,
    Fault,
}

pub struct Keepalived {
    pub state: Vrrp,
    /// The address is on an interface, whether keepalived runs or not (K9).
    pub vip: bool,
    /// When its neighbours were told last that the VIP is here.
    pub announced: Millis,
    /// Changes at each start: the parent of the programs.
    pub instance: u64,
    priority: u64,
    pub down_at: Millis,
    advert_at: Millis,
    fails: u8,
    passes: u8,
    pub eligible: bool,
    checks_at: [Millis; 2],
}

pub struct Advert {
    from: usize,
    to: usize,
    priority: u64,
    at: Millis,
}

impl Keepalived {
    pub fn new(node: usize) -> Keepalived {
        Keepalived {
            state: Vrrp::Off,
            vip: false,
            announced: 0,
            instance: 0,
            priority: 254 - node as u64,
            down_at: 0,
            advert_at: 0,
            fails: 0,
            passes: 0,
            eligible: false,
            checks_at: [0, 0],
        }
    }

    fn effective(&self, nopreempt: bool) -> u64 {
        if nopreempt || self.eligible {
            self.priority
        } else {
            self.priority - WEIGHT
        }
    }
}

impl World {
    fn skew(&self, node: usize) -> Millis {
        let priority = self.nodes[node].keepalived.effective(self.setup.nopreempt);
        (256 - priority) * ADVERT / 256
    }

    pub fn start_keepalived(&mut self, node: usize) {
        if !self.nodes[node].on || self.nodes[node].keepalived.state != Vrrp::Off {
            return;
        }
        let (now, jitter) = (self.now, self.random.below(300));
        let it = &mut self.nodes[node].keepalived;
        it.instance += 1;
        it.state = Vrrp::Starting;
        // What an earlier one left behind is removed.
        it.vip = false;
        (it.fails, it.passes, it.eligible) = (0, 0, false);
        it.checks_at = [now + jitter, now + jitter];
        self.tell(|| format!("node {node}: keepalived starts"));
    }

    /// A clean stop: the peers are told, and redis_stop is called.
    pub fn stop_keepalived(&mut self, node: usize) {
        if self.nodes[node].keepalived.state == Vrrp::Off || !self.nodes[node].lives() {
            return;
        }
        self.tell(|| format!("node {node}: keepalived is stopped"));
        if self.nodes[node].keepalived.state == Vrrp::Master {
            self.advertise(node, 0);
        }
        self.fork(node, VrrpState::Stop);
        self.kill_keepalived(node);
        self.nodes[node].keepalived.vip = false;
    }

    /// kill -9 of all of it: its programs get SIGTERM, and the VIP stays on the interface.
    pub fn kill_keepalived(&mut self, node: usize) {
        if self.nodes[node].keepalived.state == Vrrp::Off {
            return;
        }
        let instance = self.nodes[node].keepalived.instance;
        self.nodes[node].keepalived.state = Vrrp::Off;
        for process in self
            .processes
            .values_mut()
            .filter(|process| process.node == node)
        {
            process.terminated |= process.parent == instance;
        }
        self.tell(|| format!("node {node}: keepalived ends"));
    }

    pub(super) fn keepalived(&mut self, node: usize) {
        let now = self.now;
        for (index, eligible) in [(0, false), (1, true)] {
            let it = &mut self.nodes[node].keepalived;
            let unused = eligible && self.setup.nopreempt;
            if it.state != Vrrp::Off && now >= it.checks_at[index] && !unused {
                it.checks_at[index] = now + 1000;
                self.next_pid += 1;
                self.forks.push(Fork {
                    node,
                    at: now,
                    state: None,
                    eligible,
                    pid: self.next_pid,
                });
            }
        }
        let it = &self.nodes[node].keepalived;
        match it.state {
            Vrrp::Master if now >= it.advert_at => {
                let priority = it.effective(self.setup.nopreempt);
                self.advertise(node, priority);
            }
            Vrrp::Backup if now >= it.down_at => self.become_master(node),
            _ => {}
        }
    }

    fn become_master(&mut self, node: usize) {
        let now = self.now;
        let it = &mut self.nodes[node].keepalived;
        (it.state, it.vip, it.announced) = (Vrrp::Master, true, now);
        let priority = it.effective(self.setup.nopreempt);
        self.ledger.moves.push((now, node));
        self.tell(|| format!("node {node}: MASTER, priority {priority}"));
        self.advertise(node, priority);
        self.fork(node, VrrpState::Master);
    }

    fn become_backup(&mut self, node: usize) {
        let down_at = self.now + 3 * ADVERT + self.skew(node);
        let it = &mut self.nodes[node].keepalived;
        (it.state, it.vip, it.down_at) = (Vrrp::Backup, false, down_at);
        self.tell(|| format!("node {node}: BACKUP"));
        self.fork(node, VrrpState::Backup);
    }

    fn become_fault(&mut self, node: usize, why: &str) {
        if self.nodes[node].keepalived.state == Vrrp::Master {
            self.advertise(node, 0);
        }
        let it = &mut self.nodes[node].keepalived;
        (it.state, it.vip, it.passes) = (Vrrp::Fault, false, 0);
        self.tell(|| format!("node {node}: FAULT: {why}"));
        self.fork(node, VrrpState::Fault);
    }

    fn advertise(&mut self, from: usize, priority: u64) {
        let now = self.now;
        self.nodes[from].keepalived.advert_at = now + ADVERT;
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            let wire = self.wires[from][to];
            if wire.cut || wire.lossy && self.random.chance(50) {
                continue;
            }
            // It takes less than a millisecond, and the skews of two nodes differ by four.
            let advert = Advert {
                from,
                to,
                priority,
                at: now,
            };
            if self.nodes[to].lives() && self.random.chance(90) {
                self.hear(&advert);
            } else {
                self.adverts.push(advert);
            }
        }
    }

    pub(super) fn deliver_adverts(&mut self) {
        let now = self.now;
        for mut advert in std::mem::take(&mut self.adverts) {
            if advert.at >= now {
                self.adverts.push(advert);
            } else if self.nodes[advert.to].on && self.nodes[advert.to].frozen {
                // Its socket keeps it.
                advert.at = now;
                self.adverts.push(advert);
            } else if self.nodes[advert.to].on {
                self.hear(&advert);
            }
        }
    }

    fn hear(&mut self, advert: &Advert) {
        let (now, node, skew) = (self.now, advert.to, self.skew(advert.to));
        let nopreempt = self.setup.nopreempt;
        let it = &mut self.nodes[node].keepalived;
        let mine = it.effective(nopreempt);
        // The address decides between equals; the later node has the higher one.
        let beaten = (advert.priority, advert.from) > (mine, node);
        match it.state {
            Vrrp::Backup if advert.priority == 0 => it.down_at = now + skew,
            Vrrp::Backup if nopreempt || advert.priority >= mine => {
                it.down_at = now + 3 * ADVERT + skew
            }
            // A lower one is not listened to: the timer runs on.
            Vrrp::Backup => {}
            Vrrp::Master if advert.priority == 0 => it.advert_at = now,
            Vrrp::Master if beaten => {
                // vrrp_higher_prio_send_advert: the other one learns that this node has served.
                self.advertise(node, mine);
                self.become_backup(node);
            }
            Vrrp::Master => {
                it.announced = now;
                it.advert_at = now;
                self.fork(node, VrrpState::Master);
            }
            Vrrp::Off | Vrrp::Starting | Vrrp::Fault => {}
        }
    }

    /// kill -9 of the VRRP child: the parent starts it again at once (K9).
    pub fn restart_vrrp_child(&mut self, node: usize) {
        if self.nodes[node].lives() && self.nodes[node].keepalived.state != Vrrp::Off {
            self.kill_keepalived(node);
            self.start_keepalived(node);
        }
    }

    /// What a check found; one that another keepalived started does not count.
    pub fn checked(&mut self, node: usize, instance: u64, eligible: bool, ok: bool, why: &str) {
        let ok = ok && (eligible || !self.nodes[node].barred);
        let it = &mut self.nodes[node].keepalived;
        if it.instance != instance || it.state == Vrrp::Off {
            return;
        }
        if eligible {
            if it.eligible != ok {
                it.eligible = ok;
                self.ledger.flips += usize::from(self.now > 20_000);
                self.tell(|| {
                    format!(
                        "node {node}: {} ({why})",
                        if ok { "eligible" } else { "not eligible" }
                    )
                });
            }
            return;
        }
        (it.fails, it.passes) = if ok {
            (0, it.passes.saturating_add(1))
        } else {
            (it.fails.saturating_add(1), 0)
        };
        match it.state {
            Vrrp::Starting if ok => self.become_backup(node),
            // The first failure is FAULT at once (K16).
            Vrrp::Starting => self.become_fault(node, why),
            Vrrp::Backup | Vrrp::Master if it.fails >= FALL => self.become_fault(node, why),
            Vrrp::Fault if it.passes >= RISE => self.become_backup(node),
            _ => {}
        }
    }

    /// Calls a notify program, as far as the node's troubles let it. What comes late was forked at
    /// once: its place among the others is that of the fork.
    fn fork(&mut self, node: usize, state: VrrpState) {
        let (now, troubled) = (self.now, self.setup.troubled);
        if state == VrrpState::Master && self.nodes[node].no_master_program {
            return;
        }
        let mut starts = vec![now];
        match self.nodes[node]
            .delivery
            .filter(|_| self.random.chance(troubled))
        {
            Some(Delivery::Lost) => starts.clear(),
            Some(Delivery::Hung) | None => {}
            Some(Delivery::Late) => starts = vec![now + self.random.below(3000)],
            Some(Delivery::Twice) => starts.push(now + self.random.below(1000)),
        }
        for at in starts {
            self.next_pid += 1;
            self.forks.push(Fork {
                node,
                at,
                state: Some(state),
                eligible: false,
                pid: self.next_pid,
            });
        }
    }
}
