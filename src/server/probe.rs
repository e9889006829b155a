//! Is a Redis alive? One question, one value, before one deadline, whatever the other side does.

use std::fmt;
use std::time::Duration;

use redis::{Value, cmd};

use super::access::Access;
use super::endpoint::Endpoint;
use super::failure::{Denial, Failure};
use super::info::Observation;
use super::{Server, string};
use crate::deadline::{Deadline, Stopwatch};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Liveness {
    Alive,
    /// An error that only a living server gives (R17). Where it is about the password, somebody has
    /// to be told.
    AliveWithError(Denial),
    /// Something is there, but TLS does not come about. A certificate that expires does so on all
    /// nodes at once: that must not take the VIP from all of them, but somebody has to be told.
    AliveWithoutTls(String),
    /// Alive, but not yet able to serve.
    Loading,
    Refused,
    /// No connection: the host is gone or cut off, or the server no longer accepts.
    NoConnection,
    /// Silent, or too slow: frozen or hung.
    TimedOut,
    /// Closed in the middle of the conversation.
    Reset,
    /// Something answers, but it is no Redis.
    Rubbish(String),
    /// Any other error of the network or the socket file.
    Unreachable(String),
}

impl Liveness {
    pub fn is_alive(&self) -> bool {
        matches!(
            self,
            Liveness::Alive | Liveness::AliveWithError(_) | Liveness::AliveWithoutTls(_)
        )
    }

    /// What somebody has to be told at once, as the beginning of a sentence that goes on with the
    /// address.
    pub(crate) fn alarm(&self) -> &'static str {
        match self {
            Liveness::AliveWithError(denial) if denial.is_about_auth() => {
                "ALARM: username or password is wrong for "
            }
            Liveness::AliveWithError(denial) if denial.is_missing_command() => {
                "ALARM: a command is missing at "
            }
            Liveness::AliveWithoutTls(_) => "ALARM: no TLS with ",
            _ => "",
        }
    }
}

impl fmt::Display for Liveness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Liveness::Alive => f.write_str("alive"),
            Liveness::AliveWithError(denial) => write!(f, "alive, but it says {denial}"),
            Liveness::AliveWithoutTls(text) => write!(f, "alive, but TLS: {text}"),
            Liveness::Loading => f.write_str("loading its data"),
            Liveness::Refused => f.write_str("connection refused"),
            Liveness::NoConnection => f.write_str("no connection in time"),
            Liveness::TimedOut => f.write_str("no answer in time"),
            Liveness::Reset => f.write_str("connection closed before the answer"),
            Liveness::Rubbish(text) => write!(f, "not the answer of a Redis: {text}"),
            Liveness::Unreachable(text) => f.write_str(text),
        }
    }
}

/// The answer to a probe.
#[derive(Clone, Debug)]
pub struct Probe {
    pub liveness: Liveness,
    /// What it said of itself, where it said something usable.
    pub seen: Option<Observation>,
    pub took: Duration,
}

/// Connects, sends PING and INFO in one write, and reads the answers, all before `deadline`.
pub fn probe(endpoint: &Endpoint, auth: &Access, deadline: Deadline) -> Probe {
    let clock = Stopwatch::start();
    let (liveness, seen) = match converse(endpoint, auth, deadline) {
        Ok(found) => found,
        Err(failure) => (liveness_of(failure), None),
    };
    Probe {
        liveness,
        seen,
        took: clock.elapsed(),
    }
}

fn converse(
    endpoint: &Endpoint,
    auth: &Access,
    deadline: Deadline,
) -> Result<(Liveness, Option<Observation>), Failure> {
    let mut server = Server::connect(endpoint, auth, deadline)?;
    let mut commands = vec![cmd("PING")];
    commands.extend(Server::questions());
    let mut answers = server.batch(&commands, deadline)?.into_iter();
    let liveness = match answers.next() {
        Some(Ok(value)) => liveness_of_ping(value),
        Some(Err(denial)) => liveness_of(Failure::Denied(denial)),
        None => Liveness::Reset,
    };
    match (Server::observation(answers), liveness) {
        // A user without the right to INFO leaves us blind for the role: alive, and somebody has to
        // be told.
        (Err(Failure::Denied(denial)), Liveness::Alive) => {
            Ok((liveness_of(Failure::Denied(denial)), None))
        }
        (seen, liveness) => Ok((liveness, seen.ok())),
    }
}

/// What an answer to PING says.
pub(crate) fn liveness_of_ping(answer: Value) -> Liveness {
    match answer {
        Value::SimpleString(text) if text == "PONG" => Liveness::Alive,
        other => Liveness::Rubbish(format!(
            "PING answered {}",
            string(other).unwrap_or_default()
        )),
    }
}

/// What no answer, or an error reply, says.
pub(crate) fn liveness_of(failure: Failure) -> Liveness {
    match failure {
        Failure::Refused => Liveness::Refused,
        Failure::NoConnection => Liveness::NoConnection,
        Failure::TimedOut => Liveness::TimedOut,
        Failure::Reset => Liveness::Reset,
        Failure::Network(text) => Liveness::Unreachable(text),
        Failure::Rubbish(text) => Liveness::Rubbish(text),
        Failure::Tls(text) => Liveness::AliveWithoutTls(text),
        Failure::Denied(denial) if denial.code == "LOADING" => Liveness::Loading,
        Failure::Denied(denial) => Liveness::AliveWithError(denial),
    }
}
