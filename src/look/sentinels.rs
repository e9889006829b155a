//! The sentinels: asking all of them at once who is master, and asking one of them to move the
//! role. Never logs, never decides.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use redis::{Cmd, Value, cmd};

use super::Budgets;
use crate::config::{Sentinel, Timing};
use crate::deadline::Deadline;
use crate::decide::sentinel::{Candidate, Poll, Word};
use crate::server::failure::{Denial, Failure};
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

fn word(answers: Vec<Result<Value, Denial>>) -> Result<Word, Failure> {
    let mut answers = answers
        .into_iter()
        .map(|answer| answer.map_err(Failure::Denied));
    let mut next = || answers.next().unwrap_or(Err(Failure::Reset));
    let (address, state) = (next()?, next()?);
    let address = match address {
        Value::Array(parts) => parts
            .into_iter()
            .map(string)
            .collect::<Result<Vec<String>, Failure>>()?,
        Value::Nil => {
            return Err(Failure::Rubbish(
                "it knows no master of that name".to_string(),
            ));
        }
        other => {
            return Err(Failure::Rubbish(format!(
                "expected an address, got {}",
                short(&format!("{other:?}"))
            )));
        }
    };
    let [ip, port] = &address[..] else {
        return Err(Failure::Rubbish(
            "expected an address and a port".to_string(),
        ));
    };
    let master = socket_address(ip, port).ok_or_else(|| {
        Failure::Rubbish(format!(
            "it names {}:{}, which is no address; names are not looked up",
            short(ip),
            short(port)
        ))
    })?;
    let fields = fields(state);
    let get = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let flag = |name: &str| get("flags").split(',').any(|flag| flag == name);
    // That says something of the master that it calls so, which is not yet the one that is
    // promoted.
    let same = socket_address(get("ip"), get("port")) == Some(master);
    Ok(Word {
        master,
        failing_over: flag("failover_in_progress"),
        heard: get("last-ok-ping-reply")
            .parse()
            .ok()
            .filter(|_| same)
            .map(Duration::from_millis),
        down: same && (flag("s_down") || flag("o_down")),
        down_after: get("down-after-milliseconds")
            .parse()
            .map_or(Duration::MAX, Duration::from_millis),
    })
}

fn candidate(replica: Value) -> Option<Candidate> {
    let fields = fields(replica);
    let get = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let millis = |name: &str| get(name).parse().ok().map(Duration::from_millis);
    let flag = |name: &str| get("flags").split(',').any(|flag| flag == name);
    Some(Candidate {
        address: socket_address(get("ip"), get("port"))?,
        reachable: !flag("s_down") && !flag("o_down") && !flag("disconnected"),
        heard: millis("last-ok-ping-reply"),
        looked_at: millis("info-refresh"),
        link_down: millis("master-link-down-time").unwrap_or_default(),
        down_after: millis("down-after-milliseconds").unwrap_or_default(),
        priority: get("slave-priority").parse().unwrap_or(100),
        offset: get("slave-repl-offset").parse().unwrap_or(0),
        run_id: get("runid").to_string(),
    })
}

/// A flat list of names and values.
fn fields(value: Value) -> HashMap<String, String> {
    let Value::Array(parts) = value else {
        return HashMap::new();
    };
    let mut parts = parts
        .into_iter()
        .map(|part| string(part).unwrap_or_default());
    let mut fields = HashMap::new();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        fields.insert(name, value);
    }
    fields
}

fn socket_address(ip: &str, port: &str) -> Option<SocketAddr> {
    let ip: IpAddr = ip.parse().ok()?;
    let port: u16 = port.parse().ok().filter(|port| *port != 0)?;
    Some(SocketAddr::new(ip.to_canonical(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(parts: &[&str]) -> Value {
        Value::Array(
            parts
                .iter()
                .map(|part| Value::BulkString(part.as_bytes().to_vec()))
                .collect(),
        )
    }

    #[test]
    fn a_word_is_read_and_what_is_said_of_the_former_master_is_not_taken_for_the_new_ones() {
        let mut state = vec![
            "ip",
            "10.0.0.1",
            "port",
            "6379",
            "flags",
            "s_down,master",
            "last-ok-ping-reply",
            "2100",
        ];
        state.extend(["down-after-milliseconds", "5000"]);
        let said = word(vec![Ok(list(&["10.0.0.1", "6379"])), Ok(list(&state))]).expect("a word");
        assert_eq!(said.master, "10.0.0.1:6379".parse().expect("an address"));
        assert_eq!(
            (said.heard, said.down, said.failing_over),
            (Some(Duration::from_millis(2100)), true, false)
        );
        assert_eq!(said.down_after, Duration::from_secs(5));
        let said = word(vec![Ok(list(&["10.0.0.2", "6379"])), Ok(list(&state))]).expect("a word");
        assert_eq!((said.heard, said.down), (None, false));
    }

    #[test]
    fn nonsense_is_no_word() {
        for answer in [
            Value::Nil,
            Value::Int(3),
            list(&["10.0.0.1"]),
            list(&["redis-a", "6379"]),
            list(&["10.0.0.1", "0"]),
        ] {
            assert!(
                word(vec![Ok(answer.clone()), Ok(list(&[]))]).is_err(),
                "{answer:?}"
            );
        }
        assert!(word(vec![]).is_err());
        assert!(candidate(list(&["ip"])).is_none());
        assert!(candidate(Value::Nil).is_none());
    }
}
