//! The programs as processes: started, stepped, ended; and whose turn it is among them.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::data::Millis;
use super::program::Program;
use super::world::World;
use super::{check_redis, redis_backup, redis_master};
use crate::node::vrrp_state::VrrpState;

pub type Pid = u64;
pub type Shared = Rc<RefCell<World>>;

/// A program that keepalived starts; without a state it is a check.
#[derive(Clone, Copy, Debug)]
pub struct Fork {
    pub node: usize,
    pub at: Millis,
    pub state: Option<VrrpState>,
    pub eligible: bool,
    pub pid: Pid,
}

pub struct Process {
    pub node: usize,
    pub parent: u64,
    pub terminated: bool,
    pub asleep_until: Millis,
}

/// As in `ticket`: pids grow in the order of the starts.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    pub state: VrrpState,
    boot: u64,
    newest: Pid,
    pub worker: Pid,
    parent: u64,
    done: bool,
}

/// What [`World::take_turn`] found.
pub enum Taken {
    Mine(Option<VrrpState>),
    Newer,
    SameWork,
}

fn wish(state: VrrpState) -> VrrpState {
    if state == VrrpState::Fault {
        VrrpState::Backup
    } else {
        state
    }
}

impl World {
    pub fn ticket(&self, node: usize) -> Option<Ticket> {
        self.nodes[node]
            .ticket
            .filter(|ticket| ticket.boot == self.nodes[node].boot)
    }

    pub fn is_at_work(&self, ticket: &Ticket) -> bool {
        !ticket.done && self.processes.contains_key(&ticket.worker)
    }

    pub fn take_turn(&mut self, node: usize, me: Pid, state: VrrpState) -> Taken {
        let parent = self.processes.get(&me).map_or(0, |process| process.parent);
        let (worker, taken) = match self.ticket(node) {
            Some(ticket) if ticket.newest > me => return Taken::Newer,
            Some(ticket)
                if self.is_at_work(&ticket)
                    && ticket.parent == parent
                    && wish(state) == wish(ticket.state) =>
            {
                (ticket.worker, Taken::SameWork)
            }
            ticket => (me, Taken::Mine(ticket.map(|ticket| ticket.state))),
        };
        let boot = self.nodes[node].boot;
        self.nodes[node].ticket = Some(Ticket {
            state,
            boot,
            newest: me,
            worker,
            parent,
            done: false,
        });
        taken
    }

    pub fn finish_turn(&mut self, node: usize, me: Pid) {
        if let Some(ticket) = self.nodes[node]
            .ticket
            .as_mut()
            .filter(|ticket| ticket.worker == me)
        {
            ticket.done = true;
        }
    }

    /// SIGKILL of all programs of a node.
    pub fn kill_programs(&mut self, node: usize) {
        self.processes.retain(|_, process| process.node != node);
    }
}

/// Gives way to everything else once.
pub async fn step() {
    let mut gave_way = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut gave_way, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

type Work = Pin<Box<dyn Future<Output = ()>>>;

/// All programs that run.
#[derive(Default)]
pub struct Tasks(Vec<(Pid, Work)>);

impl Tasks {
    /// Starts what is due, and lets every program take some steps.
    pub fn tick(&mut self, world: &Shared) {
        self.start(world);
        let (mut order, pace) = {
            let mut world = world.borrow_mut();
            let mut order: Vec<usize> = (0..self.0.len()).collect();
            world.random.shuffle(&mut order);
            (order, world.setup.pace)
        };
        order.retain(|index| self.runs(world, *index));
        for index in &order {
            let steps = world.borrow_mut().random.between(1, pace);
            for _ in 0..steps {
                if !self.runs(world, *index) {
                    break;
                }
                let pid = self.0[*index].0;
                let mut context = Context::from_waker(Waker::noop());
                if self.0[*index].1.as_mut().poll(&mut context).is_ready() {
                    world.borrow_mut().processes.remove(&pid);
                }
            }
        }
        self.bury(world);
    }

    fn runs(&self, world: &Shared, index: usize) -> bool {
        let world = world.borrow();
        let process = world.processes.get(&self.0[index].0);
        process.is_some_and(|process| {
            process.asleep_until <= world.now && world.nodes[process.node].lives()
        })
    }

    /// Drops the killed and the ended, outside of any borrow: they give their locks back.
    fn bury(&mut self, world: &Shared) {
        let (living, dead) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|(pid, _)| world.borrow().processes.contains_key(pid));
        self.0 = living;
        drop(dead);
    }

    fn start(&mut self, world: &Shared) {
        let due: Vec<Fork> = {
            let mut world = world.borrow_mut();
            let now = world.now;
            let (due, later) = std::mem::take(&mut world.forks)
                .into_iter()
                .partition(|fork| fork.at <= now);
            world.forks = later;
            due
        };
        for fork in due {
            let mut here = world.borrow_mut();
            if !here.nodes[fork.node].lives() {
                continue;
            }
            let (me, parent) = (fork.pid, here.nodes[fork.node].keepalived.instance);
            let process = Process {
                node: fork.node,
                parent,
                terminated: false,
                asleep_until: 0,
            };
            here.processes.insert(me, process);
            let program = Program::new(Rc::clone(world), me, fork.node, here.now);
            let future: Work = match fork.state {
                None => Box::pin(check_redis::run(program, parent, fork.eligible)),
                Some(VrrpState::Master) => Box::pin(redis_master::notified(program)),
                Some(VrrpState::Stop) => Box::pin(redis_backup::stopped(program)),
                Some(state) => Box::pin(redis_backup::notified(program, state)),
            };
            self.0.push((me, future));
        }
    }
}
