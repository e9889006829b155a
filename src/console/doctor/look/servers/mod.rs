//! Looking at every Redis at once: what it says of itself, how it is set, what we may do there, and
//! whether its own password opens the others. Nothing is changed: rights are asked for by `ACL
//! DRYRUN`, passwords by a PING.

pub(crate) mod permissions;
pub(crate) mod settings;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use redis::{Value, cmd};

use self::permissions::{may_copy, rights};
use self::settings::{Credentials, settings};
use crate::config::Config;
use crate::console::doctor::rights::Right;
use crate::deadline::{Deadline, Stopwatch};
use crate::server::access::Access;
use crate::server::endpoint::Endpoint;
use crate::server::failure::Failure;
use crate::server::info::{Observation, Replication};
use crate::server::{Server, string};

/// A person has more patience than a failover, and the look shall not end for one slow answer.
const ANSWER: Duration = Duration::from_secs(2);
/// Between the two looks at how much is written.
const APART: Duration = Duration::from_secs(1);

/// Said against a right to a command that is not there.
pub(crate) const NO_COMMAND: &str = "there is no such command";

#[derive(Clone, Debug)]
pub(crate) struct AskedNode {
    pub address: SocketAddr,
    pub is_local: bool,
    /// What it said, or why nothing usable came.
    pub seen: Result<Seen, Failure>,
    /// Its address too answers, where it was asked through a Unix socket.
    pub at_address: Option<Result<(), Failure>>,
}

/// Each right, and what was said against it; or why none can be asked for.
pub(crate) type Rights = Result<Vec<(Right, Result<(), String>)>, String>;

/// What a Redis said. Without secrets.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// What the programs decide on.
    pub observation: Observation,
    pub info: BTreeMap<String, String>,
    /// Those that it knows; of passwords `set` or nothing. `None`: `CONFIG GET` is refused.
    pub settings: Option<BTreeMap<&'static str, String>>,
    /// Whom it takes us for.
    pub user: String,
    /// What the programs need, and whether it is allowed; `Err`: it can't be asked, and why.
    pub rights: Rights,
    /// Its clock minus ours, in seconds.
    pub clock: Option<f64>,
    /// Bytes a second that went into its history.
    pub rate: Option<f64>,
}

impl Seen {
    /// A setting, as it is written.
    pub(crate) fn setting(&self, name: &str) -> Option<&str> {
        self.settings.as_ref()?.get(name).map(String::as_str)
    }

    /// A field of INFO that is a number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.info.get(name)?.parse().ok()
    }
}

/// A login with the password by which `replica` would follow `master`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    /// Whose `masterauth` and `masteruser` these are.
    pub replica: SocketAddr,
    pub master: SocketAddr,
    /// `masteruser`; `None`: the user `default`.
    pub user: Option<String>,
    /// `masterauth` is set there.
    pub has_password: bool,
    pub outcome: Result<(), Failure>,
}

/// What was seen of all of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Redises {
    /// In the order of `nodes`.
    pub nodes: Vec<AskedNode>,
    /// Of those that could be tried.
    pub logins: Vec<Login>,
}

/// Asks all of them at the same time.
pub(crate) fn look(config: &Config, local: Option<SocketAddr>) -> Redises {
    let asked: Vec<(AskedNode, Option<Credentials>)> = std::thread::scope(|scope| {
        let ask = |address: SocketAddr| {
            scope.spawn(move || node(config, address, Some(address) == local))
        };
        let threads: Vec<_> = config.nodes.iter().copied().map(ask).collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .collect()
    });
    let up = |node: &&(AskedNode, Option<Credentials>)| node.0.seen.is_ok();
    let mut logins = Vec::new();
    for (replica, credentials) in &asked {
        let Some(credentials) = credentials else {
            continue;
        };
        let others = asked
            .iter()
            .filter(up)
            .filter(|(other, _)| other.address != replica.address);
        logins.extend(
            others.map(|(master, _)| login(config, credentials, replica.address, master.address)),
        );
    }
    Redises {
        nodes: asked.into_iter().map(|(node, _)| node).collect(),
        logins,
    }
}

fn login(
    config: &Config,
    credentials: &Credentials,
    replica: SocketAddr,
    master: SocketAddr,
) -> Login {
    let auth = Access {
        username: credentials.user.clone(),
        password: credentials.password.clone(),
        ..config.auth.clone()
    };
    // What a replica says first. It makes nobody a replica: that is PSYNC.
    let commands = [cmd("PING"), cmd("REPLCONF").arg("capa").arg("eof").clone()];
    let deadline = Deadline::after(ANSWER);
    let said = Server::connect(
        &Endpoint::Tcp(master),
        &auth,
        deadline.at_most(connecting(config)),
    )
    .and_then(|mut server| server.batch(&commands, deadline));
    let outcome = said.and_then(|answers| {
        answers.into_iter().try_for_each(|answer| match answer {
            Ok(_) => Ok(()),
            Err(denial) => Err(Failure::Denied(denial)),
        })
    });
    let outcome = outcome.and_then(|()| may_copy(config, auth.username.as_deref(), master));
    Login {
        replica,
        master,
        user: auth.username,
        has_password: credentials.password.is_some(),
        outcome,
    }
}

fn connecting(config: &Config) -> Duration {
    config.timing.connect.max(Duration::from_millis(500))
}

fn node(config: &Config, address: SocketAddr, is_local: bool) -> (AskedNode, Option<Credentials>) {
    let socket = config
        .local
        .clone()
        .filter(|endpoint| is_local && matches!(endpoint, Endpoint::Unix(_)));
    let at_address = socket.as_ref().map(|_| {
        let deadline = Deadline::after(ANSWER);
        let endpoint = Endpoint::Tcp(address);
        Server::connect(
            &endpoint,
            &config.auth,
            deadline.at_most(connecting(config)),
        )
        .and_then(|mut server| server.call(&cmd("PING"), deadline))
        .map(drop)
    });
    let endpoint = socket.unwrap_or(Endpoint::Tcp(address));
    let (seen, credentials) = match ask(config, &endpoint) {
        Ok((seen, credentials)) => (Ok(seen), credentials),
        Err(failure) => (Err(failure), None),
    };
    (
        AskedNode {
            address,
            is_local,
            seen,
            at_address,
        },
        credentials,
    )
}

fn ask(config: &Config, endpoint: &Endpoint) -> Result<(Seen, Option<Credentials>), Failure> {
    let server = Server::connect(endpoint, &config.auth, Deadline::after(connecting(config)))?;
    let mut server = server.with_term_key(config.policy.term_key.as_deref());
    let observation = server.observe(Deadline::after(ANSWER))?;
    let clock = Stopwatch::start();
    let info = server
        .call(&cmd("INFO"), Deadline::after(ANSWER))
        .and_then(string)
        .unwrap_or_default();
    let fields = info.lines().filter_map(|line| line.split_once(':'));
    let info = fields
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    let (settings, credentials) = settings(&mut server)?;
    let user = server
        .call(cmd("ACL").arg("WHOAMI"), Deadline::after(ANSWER))
        .and_then(string);
    let user = user.unwrap_or_else(|_| {
        config
            .auth
            .username
            .clone()
            .unwrap_or_else(|| "default".to_owned())
    });
    let rights = rights(&mut server, config, &observation, &user)?;
    let offset = time(&mut server);
    Deadline::after(APART).pause(APART.saturating_sub(clock.elapsed()));
    let elapsed = clock.elapsed().as_secs_f64();
    let again = server.replication(Deadline::after(ANSWER)).ok();
    let rate = again.map(|again| written(&observation.replication, &again, elapsed));
    Ok((
        Seen {
            observation,
            info,
            settings,
            user,
            rights,
            clock: offset,
            rate,
        },
        credentials,
    ))
}

#[allow(clippy::cast_precision_loss)]
fn written(first: &Replication, second: &Replication, seconds: f64) -> f64 {
    second
        .lineage
        .offset
        .saturating_sub(first.lineage.offset)
        .max(0) as f64
        / seconds
}

/// Its clock minus ours, at the middle of the round trip.
fn time(server: &mut Server) -> Option<f64> {
    let now = || chrono::Utc::now().timestamp_micros();
    let before = now();
    let answer = server.call(&cmd("TIME"), Deadline::after(ANSWER)).ok()?;
    let after = now();
    let Value::Array(parts) = answer else {
        return None;
    };
    let mut parts = parts
        .into_iter()
        .map(|part| string(part).ok()?.parse::<i64>().ok());
    let theirs = parts
        .next()??
        .checked_mul(1_000_000)?
        .checked_add(parts.next()??)?;
    #[allow(clippy::cast_precision_loss)]
    let apart = (theirs - (before + (after - before) / 2)) as f64 / 1e6;
    Some(apart)
}
