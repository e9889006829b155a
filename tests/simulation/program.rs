//! What every program can do: look, remember, wait, ask whether it is still its turn, and command a
//! Redis. Each await is one action; between two of them anything may happen.

use std::net::SocketAddr;
use std::time::Duration;

use super::data::Millis;
use super::processes::{Pid, Shared, step};
use super::server::Command;
use super::world::{Contact, address};
use crate::decide::pair::outdated::{Mark, mark};
use crate::decide::pair::reign::{Stamp, next_term};
use crate::decide::pair::{self, Reign};
use crate::decide::view::{Node, View, Vip};
use crate::node::memory::{Pending, Served, Synced};
use crate::server::failure::{Denial, Failure};
use crate::server::info::Observation;
use crate::server::term::Term;

pub const CONNECT: Millis = 300;
pub const COMMAND: Millis = 500;
pub const ALONE_AFTER: Millis = 20_000;
/// For an older program to leave its step.
const ACT_WAIT: Millis = 3000;
const MAX_LAG: u64 = 1 << 20;

/// A newer notification came, or SIGTERM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended;

/// Why a step did not come about.
#[derive(Clone, Debug)]
pub enum Trouble {
    Failed(String),
    Ended,
}

impl From<Ended> for Trouble {
    fn from(_: Ended) -> Self {
        Trouble::Ended
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Trouble::Failed(failure.to_string())
    }
}

pub struct Program {
    pub world: Shared,
    pub me: Pid,
    pub node: usize,
    pub started: Millis,
    situation: Option<(String, Millis)>,
    /// Since when each peer has not answered.
    silent: [Option<Millis>; 2],
}

/// Held while a Redis is being commanded.
pub struct Acting(Shared, usize, Pid);

impl Drop for Acting {
    fn drop(&mut self) {
        let node = &mut self.0.borrow_mut().nodes[self.1];
        if node.acting == Some(self.2) {
            node.acting = None;
        }
    }
}

impl Program {
    pub fn new(world: Shared, me: Pid, node: usize, started: Millis) -> Program {
        Program {
            world,
            me,
            node,
            started,
            situation: None,
            silent: [None; 2],
        }
    }

    pub fn now(&self) -> Millis {
        self.world.borrow().now
    }

    pub fn tell(&self, what: impl FnOnce() -> String) {
        let (node, me) = (self.node, self.me);
        self.world
            .borrow_mut()
            .tell(|| format!("node {node}:   [{me}] {}", what()));
    }

    pub async fn pause(&self, time: Millis) {
        let until = self.now() + time;
        loop {
            if let Some(process) = self.world.borrow_mut().processes.get_mut(&self.me) {
                process.asleep_until = until;
            }
            step().await;
            if self.now() >= until {
                return;
            }
        }
    }

    pub fn check_turn(&self) -> Result<(), Ended> {
        let world = self.world.borrow();
        let ended = world
            .processes
            .get(&self.me)
            .is_none_or(|process| process.terminated);
        match world.ticket(self.node) {
            _ if ended => Err(Ended),
            Some(ticket) if ticket.worker != self.me => Err(Ended),
            _ => Ok(()),
        }
    }

    /// Waits for the right to command.
    pub async fn act(&self) -> Result<Acting, Ended> {
        let until = self.now() + ACT_WAIT;
        loop {
            let holder = self.world.borrow().nodes[self.node].acting;
            if holder.is_none() || holder == Some(self.me) || self.now() >= until {
                break;
            }
            self.pause(1).await;
            self.check_turn()?;
        }
        self.check_turn()?;
        self.world.borrow_mut().nodes[self.node].acting = Some(self.me);
        Ok(Acting(self.world.clone(), self.node, self.me))
    }

    /// One answer, and how long it took.
    fn ask_now(&self, to: usize) -> (Result<Observation, Failure>, Millis) {
        let mut world = self.world.borrow_mut();
        let wire = world.wires[self.node][to];
        let contact = world.contact(self.node, to);
        let lost = wire.lossy && to != self.node && world.random.chance(30);
        let redis = &world.nodes[to].redis;
        match contact {
            Contact::Refuses => (Err(Failure::Refused), 0),
            Contact::Answers if !lost && world.now < redis.busy_until => (Err(denied("BUSY")), 0),
            Contact::Answers if !lost => (Ok(world.observe(to)), 0),
            Contact::Hangs => (Err(Failure::TimedOut), COMMAND),
            _ if world.random.chance(50) => (Err(Failure::NoConnection), CONNECT),
            _ => (Err(Failure::TimedOut), COMMAND),
        }
    }

    pub async fn ask(&self, to: usize) -> Result<Observation, Failure> {
        step().await;
        let (answer, took) = self.ask_now(to);
        if took > 0 {
            self.pause(took).await;
        }
        answer
    }

    /// A command. One that gets no answer may have been carried out, or may be later.
    pub async fn order(&self, to: usize, command: Command) -> Result<(), Failure> {
        step().await;
        let took = {
            let mut world = self.world.borrow_mut();
            let lossy =
                world.wires[self.node][to].lossy && to != self.node && world.random.chance(30);
            match world.contact(self.node, to) {
                Contact::Refuses => return Err(Failure::Refused),
                Contact::Answers if !lossy => return world.obey(to, command).map_err(denied),
                Contact::Answers => {
                    if world.random.chance(50) {
                        let _ = world.obey(to, command);
                    }
                    COMMAND
                }
                Contact::Hangs => {
                    world.nodes[to].redis.late.push(command);
                    COMMAND
                }
                Contact::Silent => {
                    // It has left already: the frozen one reads it when it goes on.
                    if world.nodes[to].on
                        && world.nodes[to].redis.running
                        && world.random.chance(30)
                    {
                        world.nodes[to].redis.late.push(command);
                    }
                    COMMAND
                }
            }
        };
        self.pause(took).await;
        Err(Failure::TimedOut)
    }

    /// One look at everything; the answers are of different moments.
    pub async fn look(&mut self, ask_vip: bool) -> View {
        step().await;
        let (nodes, here) = {
            let world = self.world.borrow();
            (world.nodes.len(), world.nodes[self.node].keepalived.vip)
        };
        let mut order: Vec<usize> = (0..nodes).collect();
        self.world.borrow_mut().random.shuffle(&mut order);
        let mut seen: Vec<Option<Result<Observation, Failure>>> = vec![None; nodes];
        let mut longest = 0;
        for to in order {
            while self.world.borrow_mut().random.chance(20) {
                step().await;
            }
            let (answer, took) = self.ask_now(to);
            seen[to] = Some(answer);
            longest = longest.max(took);
        }
        let on_vip = if ask_vip && !here {
            self.run_on_vip(&mut longest)
        } else {
            None
        };
        if longest > 0 {
            self.pause(longest).await;
        }
        let node = |index: usize| Node {
            address: address(index),
            seen: seen[index].clone().unwrap_or(Err(Failure::NoConnection)),
        };
        let local = node(self.node);
        let peers: Vec<Node> = (0..nodes)
            .filter(|index| *index != self.node)
            .map(node)
            .collect();
        let is_it = |node: &&Node| {
            node.seen
                .as_ref()
                .is_ok_and(|seen| Some(&seen.run_id) == on_vip.as_ref())
        };
        let vip = match peers.iter().find(is_it) {
            _ if here => Vip::Here,
            Some(holder) => Vip::At(holder.address),
            None => Vip::Unknown,
        };
        let alone = self.alone_for(&peers);
        let mut view = self.view(local, peers, vip, alone);
        self.learn(&mut view);
        view
    }

    fn view(&self, local: Node, peers: Vec<Node>, vip: Vip, alone: Millis) -> View {
        let world = self.world.borrow();
        View {
            local,
            peers,
            vip,
            memory: world.nodes[self.node].memory.clone(),
            alone_for: Duration::from_millis(alone),
            alone_after: Duration::from_millis(ALONE_AFTER),
            outdated_after: None,
            max_lag: MAX_LAG,
            flapping: world.flapping(self.node),
            drained: None,
        }
    }

    /// As `Survey::look` does with what it has seen.
    fn learn(&self, view: &mut View) {
        let mark = match mark(view, "") {
            Mark::Same => view.memory.outdated.clone(),
            Mark::Gone => None,
            Mark::Set(outdated) => Some(outdated),
        };
        self.world.borrow_mut().nodes[self.node].memory.outdated = mark.clone();
        view.memory.outdated = mark;
        if let Some(reigns) = pair::reign::learned(view, "") {
            self.world.borrow_mut().nodes[self.node].memory.reigns = reigns.clone();
            view.memory.reigns = reigns;
        }
    }

    /// As `Survey::alone_for`.
    fn alone_for(&mut self, peers: &[Node]) -> Millis {
        const SPELLS: [&str; 2] = ["alone", "alone of the second"];
        let now = self.now();
        let mut silences = Vec::new();
        for ((peer, name), since) in peers.iter().zip(SPELLS).zip(&mut self.silent) {
            let silent = peer.seen.is_err();
            *since = silent.then(|| since.unwrap_or(now));
            let spell = self.world.borrow_mut().spell(self.node, name, silent);
            if peer.seen.as_ref().is_ok_and(|seen| !seen.loading) {
                continue;
            }
            silences.push(spell.max(since.map_or(0, |since| now - since)));
        }
        silences.into_iter().min().unwrap_or(0)
    }

    fn run_on_vip(&self, longest: &mut Millis) -> Option<String> {
        let holder = self.world.borrow().vip_from(self.node);
        let (answer, took) = holder.map_or((Err(Failure::NoConnection), CONNECT), |holder| {
            self.ask_now(holder)
        });
        *longest = took.max(*longest);
        answer.ok().map(|seen| seen.run_id)
    }

    /// For how long the nodes have been seen as they are in `view`.
    pub fn unchanged_for(&mut self, view: &View) -> Duration {
        let role = |node: &Node| {
            node.seen
                .as_ref()
                .map(|seen| (seen.run_id.clone(), seen.following().map(|f| f.address())))
                .ok()
        };
        let outline = format!(
            "{:?} {:?} {:?}",
            view.vip,
            role(&view.local),
            view.peers.iter().map(role).collect::<Vec<_>>()
        );
        let now = self.now();
        match &self.situation {
            Some((then, since)) if *then == outline => Duration::from_millis(now - since),
            _ => {
                self.situation = Some((outline, now));
                Duration::ZERO
            }
        }
    }

    pub fn remember_served(&self, run_id: &str, replid: &str) {
        let served = Served {
            run_id: run_id.to_string(),
            replid: replid.to_string(),
            at: String::new(),
        };
        self.world.borrow_mut().nodes[self.node].memory.served = Some(served);
    }

    pub fn forget_served(&self) {
        self.world.borrow_mut().nodes[self.node].memory.served = None;
    }

    pub fn remember_synced(&self, local: &Observation, peer: SocketAddr) {
        let (run_id, replid) = (
            local.run_id.clone(),
            local.replication.lineage.replid.clone(),
        );
        let synced = Synced {
            run_id,
            replid,
            peer,
            at: String::new(),
        };
        self.world.borrow_mut().nodes[self.node].memory.synced = Some(synced);
    }

    /// As `record::write_term`: a new term for the master that was made.
    pub async fn write_term(&self, view: &View, reign: Reign, to: usize, replid: &str) {
        if !self.world.borrow().setup.terms {
            return;
        }
        let stamp = Stamp {
            id: format!("{:08x}", self.world.borrow_mut().random.below(1 << 32)),
            at: "2026-01-02T03:04:05.678+01:00".to_string(),
        };
        let term = next_term(view, reign, address(to), replid, stamp);
        self.put_term(view, to, term).await;
    }

    /// As `record::put_term`.
    pub async fn put_term(&self, view: &View, to: usize, term: Term) {
        self.tell(|| format!("writes term {} into node {to}", term.numbers()));
        let seen = view.local.seen.as_ref().ok().filter(|_| to == self.node);
        if let Some(seen) = seen {
            self.world.borrow_mut().nodes[to].memory.pending = Some(Pending {
                term: term.clone(),
                run_id: seen.run_id.clone(),
            });
        }
        let written = self.order(to, Command::Load(term)).await;
        if written.is_ok() && seen.is_some() {
            self.world.borrow_mut().nodes[to].memory.pending = None;
        }
    }
}

fn denied(code: &'static str) -> Failure {
    Failure::Denied(Denial {
        code: code.to_string(),
        text: String::new(),
    })
}
