//! The sentinels: asking all of them at once who is master, and asking one of them to move the
//! role. Never logs, never decides.

mod words;

use std::net::{IpAddr, SocketAddr};

use redis::{Cmd, Value, cmd};

use self::words::{candidate, word};
use super::Budgets;
use crate::config::{Sentinel, Timing};
use crate::deadline::Deadline;
use crate::decide::sentinel::{Candidate, Poll, Word};
use crate::server::failure::Failure;
use crate::server::info::short;
use crate::server::{Server, string};

/// All sentinels of the configuration and the connections to them.
pub struct Sentinels {
    servers: Vec<(SocketAddr, Server)>,
    name: String,
    quorum: usize,
    budgets: Budgets,
}

impl Sentinels {
    pub fn new(config: &Sentinel, timing: &Timing) -> Sentinels {
        let server = |address: SocketAddr| Server::new(address.into(), config.auth.clone());
        Sentinels {
            servers: config
                .nodes
                .iter()
                .map(|address| (*address, server(*address)))
                .collect(),
            name: config.master_name.clone(),
            quorum: config.quorum,
            budgets: Budgets::of(timing),
        }
    }

    /// Asks all of them at the same time.
    pub fn ask(&mut self, deadline: Deadline) -> Poll {
        let (name, budgets) = (&self.name, self.budgets);
        let ask = |(address, server): &mut (SocketAddr, Server)| {
            (*address, ask_for_word(server, name, budgets, deadline))
        };
        let words = std::thread::scope(|scope| {
            let mut servers = self.servers.iter_mut();
            let first = servers.next();
            let others: Vec<_> = servers.map(|server| scope.spawn(|| ask(server))).collect();
            let mut words: Vec<_> = first.into_iter().map(ask).collect();
            words.extend(others.into_iter().filter_map(|thread| thread.join().ok()));
            words
        });
        Poll {
            words,
            ..self.silence()
        }
    }

    /// The poll in which nobody answers.
    pub(crate) fn silence(&self) -> Poll {
        Poll::silence(self.servers.len(), self.quorum)
    }

    /// What the sentinel at `address` knows of the replicas of `master`: it would promote one of
    /// these. None while it mistrusts its clock (TILT): then it says OK and does nothing for half a
    /// minute (R34). None either where it has another master by now: that is the one that it would
    /// depose.
    pub(crate) fn candidates(
        &mut self,
        address: SocketAddr,
        master: SocketAddr,
    ) -> Result<Vec<Candidate>, Failure> {
        if self.is_in_tilt(address)? {
            return Ok(Vec::new());
        }
        // Every version knows this word; REPLICAS came with 5.0.
        let replicas = cmd("SENTINEL").arg("SLAVES").arg(&self.name).clone();
        let [first, second] = questions(&self.name);
        let deadline = Deadline::after(self.budgets.command);
        let server = self.server(address)?;
        let mut answers = server.batch(&[first, second, replicas], deadline)?;
        let replicas = answers
            .pop()
            .unwrap_or(Ok(Value::Nil))
            .map_err(Failure::Denied)?;
        if word(answers)?.master != master {
            return Ok(Vec::new());
        }
        match replicas {
            Value::Array(replicas) => Ok(replicas.into_iter().filter_map(candidate).collect()),
            other => Err(Failure::Rubbish(format!(
                "SENTINEL SLAVES answered {}",
                short(&format!("{other:?}"))
            ))),
        }
    }

    /// Did the machine stand still of late? Its own sentinel, if it has one, says so for half a
    /// minute after 2 s (R34).
    pub(crate) fn stood_still(&mut self, machine: IpAddr) -> bool {
        let own = self
            .servers
            .iter()
            .map(|(address, _)| *address)
            .find(|address| address.ip() == machine);
        own.is_some_and(|own| self.is_in_tilt(own).unwrap_or(false))
    }

    fn is_in_tilt(&mut self, address: SocketAddr) -> Result<bool, Failure> {
        let info = string(self.call(address, cmd("INFO").arg("sentinel"))?)?;
        Ok(info.lines().any(|line| line.trim() == "sentinel_tilt:1"))
    }

    /// Asks the sentinel at `address` to move the role away from the master, which it does without
    /// asking the others, and answers before it is done.
    ///
    /// # Errors
    /// Every [`Failure`]; `Denied` with the code `INPROG` where one is under way, `NOGOODSLAVE`
    /// where there is nobody to promote.
    pub(crate) fn fail_over(&mut self, address: SocketAddr) -> Result<(), Failure> {
        let command = cmd("SENTINEL").arg("FAILOVER").arg(&self.name).clone();
        self.call(address, &command).map(|_| ())
    }

    fn call(&mut self, address: SocketAddr, command: &Cmd) -> Result<Value, Failure> {
        let budget = self.budgets.command;
        self.server(address)?.call(command, Deadline::after(budget))
    }

    fn server(&mut self, address: SocketAddr) -> Result<&mut Server, Failure> {
        match self.servers.iter_mut().find(|(known, _)| *known == address) {
            Some((_, server)) => server.open(Deadline::after(self.budgets.connect)),
            None => Err(Failure::Network(format!(
                "{address} is not one of the sentinels"
            ))),
        }
    }
}

fn ask_for_word(
    server: &mut Server,
    name: &str,
    budgets: Budgets,
    deadline: Deadline,
) -> Result<Word, Failure> {
    server.again(|server| {
        let server = server.open(deadline.at_most(budgets.connect))?;
        word(server.batch(&questions(name), deadline.at_most(budgets.command))?)
    })
}

/// The second says more, but not the node that has just been promoted (R22).
fn questions(name: &str) -> [Cmd; 2] {
    ["GET-MASTER-ADDR-BY-NAME", "MASTER"].map(|word| cmd("SENTINEL").arg(word).arg(name).clone())
}
