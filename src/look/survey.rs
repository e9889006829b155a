//! All nodes at once: one look at every Redis and at the VIP, over connections that are kept
//! between looks.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::Budgets;
use crate::config::{Config, Flap};
use crate::deadline::{Deadline, Stopwatch};
use crate::decide::pair::outdated::{self, Mark};
use crate::decide::pair::reign;
use crate::decide::view::{Node, View, Vip};
use crate::node::clock::now;
use crate::node::memory::{Outdated, StateFile, Store};
use crate::node::{addresses, deaths, drain};
use crate::server::Server;
use crate::server::access::Access;
use crate::server::endpoint::Endpoint;
use crate::server::failure::Failure;
use crate::server::info::Observation;

/// A node, and how it is asked.
struct Member {
    address: SocketAddr,
    server: Server,
    /// When a look of this process first heard nothing of the peer's data; used where the memory
    /// can't be written.
    silent: Option<Stopwatch>,
}

/// The nodes of a pair and the connections to them.
pub struct Survey {
    local: Member,
    peers: Vec<Member>,
    vip: IpAddr,
    /// Among which this machine's are.
    addresses: Vec<IpAddr>,
    auth: Access,
    budgets: Budgets,
    alone_after: Duration,
    outdated_after: Option<Duration>,
    max_lag: u64,
    flap: Flap,
    memory_dir: PathBuf,
    /// These programs do, and not Sentinel.
    moves_roles: bool,
}

impl Survey {
    /// Prepares to look from `local`, one of the configuration's nodes. Connects to nobody yet.
    pub fn new(config: &Config, local: SocketAddr) -> Survey {
        let member = |address: SocketAddr, endpoint| Member {
            address,
            server: Server::new(endpoint, config.auth.clone())
                .with_term_key(config.policy.term_key.as_deref()),
            silent: None,
        };
        let socket = config
            .local
            .clone()
            .filter(|endpoint| matches!(endpoint, Endpoint::Unix(_)));
        Survey {
            local: member(local, socket.unwrap_or(Endpoint::Tcp(local))),
            peers: config
                .nodes
                .iter()
                .filter(|node| **node != local)
                .map(|node| member(*node, (*node).into()))
                .collect(),
            vip: config.vip,
            addresses: config.addresses(),
            auth: config.auth.clone(),
            budgets: Budgets::of(&config.timing),
            alone_after: config.timing.alone_after,
            outdated_after: config.policy.outdated_after,
            max_lag: config.policy.max_lag,
            flap: config.flap.clone(),
            memory_dir: config.memory_dir.clone(),
            moves_roles: config.sentinel.is_none(),
        }
    }

    /// The addresses of all nodes, this one first.
    pub(super) fn nodes(&self) -> impl Iterator<Item = SocketAddr> {
        std::iter::once(&self.local)
            .chain(&self.peers)
            .map(|member| member.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.local.address
    }

    /// How the local Redis is reached.
    pub(crate) fn local_endpoint(&self) -> &Endpoint {
        self.local.server.endpoint()
    }

    /// Is the VIP on an interface of this machine? False when the kernel does not say.
    pub(crate) fn holds_vip(&self) -> bool {
        addresses::among(&self.addresses).is_ok_and(|found| found.contains(&self.vip))
    }

    /// Looks at all nodes at the same time, and, where the VIP is not here and `ask_vip`, at who
    /// answers on it.
    pub fn look(&mut self, ask_vip: bool, deadline: Deadline) -> View {
        let holds_vip = self.holds_vip();
        let (auth, budgets) = (&self.auth, self.budgets);
        let look = |member: &mut Member| Node {
            address: member.address,
            seen: observe(&mut member.server, budgets, deadline),
        };
        // Whoever holds the VIP listens there on its own port.
        let ports: BTreeSet<u16> = self
            .peers
            .iter()
            .map(|member| member.address.port())
            .collect();
        let ports = ports.into_iter().filter(|_| ask_vip && !holds_vip);
        let asked: Vec<SocketAddr> = ports.map(|port| SocketAddr::new(self.vip, port)).collect();
        let nodes: Vec<SocketAddr> = self.peers.iter().map(|member| member.address).collect();
        let (local, peers, on_vip) = std::thread::scope(|scope| {
            let peers: Vec<_> = self
                .peers
                .iter_mut()
                .map(|member| scope.spawn(|| look(member)))
                .collect();
            let on_vip: Vec<_> = asked
                .iter()
                .map(|vip| scope.spawn(|| run_on(*vip, auth, &nodes, budgets.connect, deadline)))
                .collect();
            let local = look(&mut self.local);
            let peers: Vec<Node> = peers
                .into_iter()
                .filter_map(|thread| thread.join().ok())
                .collect();
            let on_vip: Vec<String> = on_vip
                .into_iter()
                .filter_map(|thread| thread.join().ok().flatten())
                .collect();
            (local, peers, on_vip)
        });
        let answers = |node: &&Node| {
            node.seen
                .as_ref()
                .is_ok_and(|seen| on_vip.contains(&seen.run_id))
        };
        let holder = peers.iter().find(answers).map(|node| node.address);
        let vip = match holder {
            _ if holds_vip => Vip::Here,
            Some(address) => Vip::At(address),
            None => Vip::Unknown,
        };
        let store = Store::new(&self.memory_dir);
        let alone_for = self.alone_for(&store, &peers);
        let mut view = View {
            local,
            peers,
            vip,
            memory: store.read(),
            alone_for,
            alone_after: self.alone_after,
            outdated_after: self.outdated_after,
            max_lag: self.max_lag,
            flapping: deaths::held_back(&store, &self.flap),
            drained: drain::current(&store).map(|drain| drain.to_string()),
        };
        if self.moves_roles {
            learn(&store, &mut view);
        }
        view
    }

    /// For how long those peers that can't be compared with have said nothing of their data. One
    /// that is alive and only says no says nothing either; one that loads its data will.
    fn alone_for(&mut self, store: &Store, peers: &[Node]) -> Duration {
        let pair = self.peers.len() == 1;
        let silences = self
            .peers
            .iter_mut()
            .zip(peers)
            .filter_map(|(member, node)| {
                let silent = node.seen.is_err();
                member.silent = silent.then(|| member.silent.unwrap_or_else(Stopwatch::start));
                let file = if pair {
                    StateFile::Alone
                } else {
                    StateFile::AloneOf(node.address)
                };
                let spell = store
                    .spell(file, silent)
                    .max(member.silent.map_or(Duration::ZERO, Stopwatch::elapsed));
                (!node.seen.as_ref().is_ok_and(|seen| !seen.loading)).then_some(spell)
            });
        silences.min().unwrap_or(Duration::ZERO)
    }

    pub(crate) fn look_local(&mut self, deadline: Deadline) -> Result<Observation, Failure> {
        observe(&mut self.local.server, self.budgets, deadline)
    }

    /// The connection to the local Redis, opened where it is not.
    pub(crate) fn local(&mut self) -> Result<&mut Server, Failure> {
        self.local
            .server
            .open(Deadline::after(self.budgets.connect))
    }

    /// The connection to `node`, the local one or a peer.
    pub(crate) fn node(&mut self, node: SocketAddr) -> Result<&mut Server, Failure> {
        let deadline = Deadline::after(self.budgets.connect);
        match std::iter::once(&mut self.local)
            .chain(&mut self.peers)
            .find(|member| member.address == node)
        {
            Some(member) => member.server.open(deadline),
            None => Err(Failure::Network(format!("{node} is not one of the nodes"))),
        }
    }

    /// The connections to the local Redis and to `peer`.
    ///
    /// # Errors
    /// As [`Server::connect`]; `Network` when there is no such node.
    pub(crate) fn local_and(
        &mut self,
        peer: SocketAddr,
    ) -> Result<(&mut Server, &mut Server), Failure> {
        let deadline = Deadline::after(self.budgets.connect);
        let local = self.local.server.open(deadline)?;
        match self.peers.iter_mut().find(|member| member.address == peer) {
            Some(member) => Ok((local, member.server.open(deadline)?)),
            None => Err(Failure::Network(format!("{peer} is not one of the nodes"))),
        }
    }
}

/// Keeps what a look teaches of terms, and of whose data is newer. A directory that refuses is said
/// by whoever has to write there.
fn learn(store: &Store, view: &mut View) {
    match outdated::mark(view, &now()) {
        Mark::Same => {}
        Mark::Gone => {
            let _ = store.clear::<Outdated>();
            view.memory.outdated = None;
        }
        Mark::Set(outdated) => {
            let _ = store.set(&outdated);
            view.memory.outdated = Some(outdated);
        }
    }
    if let Some(reigns) = reign::learned(view, &now()) {
        let _ = store.set(&reigns);
        view.memory.reigns = reigns;
    }
}

fn observe(
    server: &mut Server,
    budgets: Budgets,
    deadline: Deadline,
) -> Result<Observation, Failure> {
    server.again(|server| {
        server
            .open(deadline.at_most(budgets.connect))?
            .observe(deadline.at_most(budgets.command))
    })
}

/// The run of the Redis that answers on the VIP, one of `nodes`.
fn run_on(
    vip: SocketAddr,
    auth: &Access,
    nodes: &[SocketAddr],
    connect: Duration,
    deadline: Deadline,
) -> Option<String> {
    let deadline = deadline.at_most(connect);
    let ask = |auth: Access| {
        let mut server = Server::new(Endpoint::Tcp(vip), auth);
        server.observe(deadline).map(|seen| seen.run_id)
    };
    match ask(auth.clone()) {
        // Its certificate may name its own address alone.
        Err(Failure::Tls(_)) => nodes
            .iter()
            .find_map(|node| ask(auth.as_of(node.ip())?).ok()),
        run => run.ok(),
    }
}
