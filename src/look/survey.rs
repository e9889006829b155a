//! All nodes at once: one look at every Redis and at the VIP, over connections that are kept
//! between looks.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, Flap};
use crate::deadline::{Deadline, Stopwatch};
use crate::decide::view::{Node, View, Vip};
use crate::node::memory::Store;
use crate::node::{addresses, deaths, drain};
use crate::server::Server;
use crate::server::access::Access;
use crate::server::endpoint::Endpoint;
use crate::server::failure::Failure;
use crate::server::info::Observation;

/// A node and the connection to it.
struct Line {
    address: SocketAddr,
    endpoint: Endpoint,
    term_key: Option<String>,
    server: Option<Server>,
    /// Of a peer: since the first look of this process that it did not answer. For where the memory
    /// can't be written.
    silent: Option<Stopwatch>,
}

/// For one connection and for one answer.
#[derive(Clone, Copy)]
struct Budgets {
    connect: Duration,
    command: Duration,
}

/// The nodes of a pair and the connections to them.
pub struct Survey {
    local: Line,
    peers: Vec<Line>,
    vip: IpAddr,
    /// Among which this machine's are.
    addresses: Vec<IpAddr>,
    auth: Access,
    budgets: Budgets,
    alone_after: Duration,
    max_lag: u64,
    flap: Flap,
    memory_dir: PathBuf,
}

impl Survey {
    /// Prepares to look from `local`, one of the configuration's nodes. Connects to nobody yet.
    pub fn new(config: &Config, local: SocketAddr) -> Survey {
        let term_key = &config.policy.term_key;
        let line = |address: SocketAddr, endpoint| Line {
            address,
            endpoint,
            term_key: term_key.clone(),
            server: None,
            silent: None,
        };
        let socket = config
            .local
            .clone()
            .filter(|endpoint| matches!(endpoint, Endpoint::Unix(_)));
        Survey {
            local: line(local, socket.unwrap_or(Endpoint::Tcp(local))),
            peers: config
                .nodes
                .iter()
                .filter(|node| **node != local)
                .map(|node| line(*node, (*node).into()))
                .collect(),
            vip: config.vip,
            addresses: config.addresses(),
            auth: config.auth.clone(),
            budgets: Budgets {
                connect: config.timing.connect,
                command: config.timing.command,
            },
            alone_after: config.timing.alone_after,
            max_lag: config.policy.max_lag,
            flap: config.flap.clone(),
            memory_dir: config.memory_dir.clone(),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.local.address
    }

    /// How the local Redis is reached.
    pub(crate) fn local_endpoint(&self) -> &Endpoint {
        &self.local.endpoint
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
        let look = |line: &mut Line| {
            let seen = line.observe(auth, budgets, deadline);
            Node {
                address: line.address,
                seen,
            }
        };
        // Whoever holds the VIP listens there on its own port.
        let ports: BTreeSet<u16> = self.peers.iter().map(|line| line.address.port()).collect();
        let ports = ports.into_iter().filter(|_| ask_vip && !holds_vip);
        let asked: Vec<SocketAddr> = ports.map(|port| SocketAddr::new(self.vip, port)).collect();
        let nodes: Vec<SocketAddr> = self.peers.iter().map(|line| line.address).collect();
        let (local, peers, on_vip) = std::thread::scope(|scope| {
            let peers: Vec<_> = self
                .peers
                .iter_mut()
                .map(|line| scope.spawn(|| look(line)))
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
        View {
            local,
            peers,
            vip,
            memory: store.read(),
            alone_for,
            alone_after: self.alone_after,
            max_lag: self.max_lag,
            flapping: deaths::held_back(&store, &self.flap),
            drained: drain::current(&store).map(|drain| drain.to_string()),
        }
    }

    /// For how long those peers that can't be compared with have been silent; what is alive has not
    /// been.
    fn alone_for(&mut self, store: &Store, peers: &[Node]) -> Duration {
        let pair = self.peers.len() == 1;
        let silences = self.peers.iter_mut().zip(peers).filter_map(|(line, node)| {
            let silent = !node.is_alive();
            line.silent = silent.then(|| line.silent.unwrap_or_else(Stopwatch::start));
            let file = if pair {
                "alone.toml".to_owned()
            } else {
                format!("alone-{}.toml", node.address).replace(':', "_")
            };
            let spell = store
                .spell(&file, silent)
                .max(line.silent.map_or(Duration::ZERO, Stopwatch::elapsed));
            (!node.seen.as_ref().is_ok_and(|seen| !seen.loading)).then_some(spell)
        });
        silences.min().unwrap_or(Duration::ZERO)
    }

    pub(crate) fn look_local(&mut self, deadline: Deadline) -> Result<Observation, Failure> {
        self.local.observe(&self.auth, self.budgets, deadline)
    }

    /// The connection to the local Redis, opened where it is not.
    pub(crate) fn local(&mut self) -> Result<&mut Server, Failure> {
        self.local
            .open(&self.auth, Deadline::after(self.budgets.connect))
    }

    /// The connection to `node`, the local one or a peer.
    pub(crate) fn node(&mut self, node: SocketAddr) -> Result<&mut Server, Failure> {
        let deadline = Deadline::after(self.budgets.connect);
        match std::iter::once(&mut self.local)
            .chain(&mut self.peers)
            .find(|line| line.address == node)
        {
            Some(line) => line.open(&self.auth, deadline),
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
        let local = self.local.open(&self.auth, deadline)?;
        match self.peers.iter_mut().find(|line| line.address == peer) {
            Some(line) => Ok((local, line.open(&self.auth, deadline)?)),
            None => Err(Failure::Network(format!("{peer} is not one of the nodes"))),
        }
    }
}

impl Node {
    fn is_alive(&self) -> bool {
        self.seen
            .as_ref()
            .err()
            .is_none_or(Failure::comes_from_a_server)
    }
}

impl Line {
    fn open(&mut self, auth: &Access, deadline: Deadline) -> Result<&mut Server, Failure> {
        let server = match self.server.take() {
            Some(server) => server,
            None => Server::connect(&self.endpoint, auth, deadline)?
                .with_term_key(self.term_key.as_deref()),
        };
        Ok(self.server.insert(server))
    }

    /// A kept connection may have been closed since (CLIENT KILL after a handover, a restart),
    /// which says nothing about the server: then a new one is tried, once.
    fn observe(
        &mut self,
        auth: &Access,
        budgets: Budgets,
        deadline: Deadline,
    ) -> Result<Observation, Failure> {
        let was_open = self.server.is_some();
        let mut observe = || {
            self.open(auth, deadline.at_most(budgets.connect))?
                .observe(deadline.at_most(budgets.command))
        };
        match observe() {
            Err(Failure::Reset) if was_open => observe(),
            seen => seen,
        }
    }
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
    let ask = |auth: &Access| {
        let mut server = Server::connect(&Endpoint::Tcp(vip), auth, deadline)?;
        server.observe(deadline).map(|seen| seen.run_id)
    };
    match (ask(auth), &auth.tls) {
        // Its certificate may name its own address alone.
        (Err(Failure::Tls(_)), Some(tls)) => {
            let of = |node: &SocketAddr| Access {
                tls: Some(Arc::new(tls.as_of(node.ip()))),
                ..auth.clone()
            };
            nodes.iter().find_map(|node| ask(&of(node)).ok())
        }
        (run, _) => run.ok(),
    }
}
