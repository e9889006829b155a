//! Is a Redis alive? One question, one value, before one deadline, whatever the other side does.

use std::fmt;
use std::time::Duration;

use redis::{Value, cmd};

use super::access::Access;
use super::endpoint::Endpoint;
use super::failure::Failure;
use super::info::Observation;
use super::{Server, string};
use crate::deadline::{Deadline, Stopwatch};

/// What an answer, or its absence, says of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Liveness(pub Result<(), Failure>);

impl Liveness {
    /// Every reply that only a running Redis gives counts as alive, even an error (R17), and so
    /// does TLS that does not come about: both nodes usually share such an error, a certificate
    /// that expires among them, and a check that failed on both would leave the VIP nowhere.
    pub fn is_alive(&self) -> bool {
        match &self.0 {
            Ok(()) => true,
            Err(failure) => failure.comes_from_a_server() && !self.is_loading(),
        }
    }

    /// The server runs, and can't serve yet.
    pub(crate) fn is_loading(&self) -> bool {
        matches!(&self.0, Err(Failure::Denied(denial)) if denial.code == "LOADING")
    }

    /// What somebody has to be told at once, as the beginning of a sentence that goes on with the
    /// address.
    pub(crate) fn alarm(&self) -> &'static str {
        match &self.0 {
            Err(Failure::Denied(denial)) if denial.is_about_auth() => {
                "ALARM: username or password is wrong for "
            }
            Err(Failure::Denied(denial)) if denial.is_missing_command() => {
                "ALARM: a command is missing at "
            }
            Err(Failure::Tls(_)) => "ALARM: no TLS with ",
            _ => "",
        }
    }
}

impl fmt::Display for Liveness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(()) => f.write_str("alive"),
            Err(_) if self.is_loading() => f.write_str("loading its data"),
            Err(failure) if self.is_alive() => write!(f, "alive, but {failure}"),
            Err(failure) => failure.fmt(f),
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
    let (liveness, seen) =
        converse(endpoint, auth, deadline).unwrap_or_else(|failure| (Liveness(Err(failure)), None));
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
    let ping = answers.next().ok_or(Failure::Reset)?;
    let pong = ping.map_err(Failure::Denied).and_then(is_pong);
    let (answer, seen) = match (pong, Server::observation(answers)) {
        // A user without the right to INFO leaves us blind for the role: alive, and somebody has to
        // be told.
        (Ok(()), Err(Failure::Denied(denial))) => (Err(Failure::Denied(denial)), None),
        (pong, seen) => (pong, seen.ok()),
    };
    Ok((Liveness(answer), seen))
}

/// Is this the answer to PING?
///
/// # Errors
/// [`Failure::Rubbish`].
pub(crate) fn is_pong(answer: Value) -> Result<(), Failure> {
    match answer {
        Value::SimpleString(text) if text == "PONG" => Ok(()),
        other => Err(Failure::Rubbish(format!(
            "PING answered {}",
            string(other).unwrap_or_default()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::failure::Denial;

    #[test]
    fn each_answer_is_told_in_a_sentence_of_its_own() {
        let denied = |code: &str, text: &str| {
            Err(Failure::Denied(Denial {
                code: code.to_owned(),
                text: text.to_owned(),
            }))
        };
        let (wrong, missing) = (
            "ALARM: username or password is wrong for ",
            "ALARM: a command is missing at ",
        );
        for (answer, alive, alarm, sentence) in [
            (Ok(()), true, "", "alive"),
            (
                denied("MISCONF", "disk full"),
                true,
                "",
                "alive, but it says MISCONF disk full",
            ),
            (
                denied("NOAUTH", ""),
                true,
                wrong,
                "alive, but it says NOAUTH",
            ),
            (
                denied("ERR", "unknown command"),
                true,
                missing,
                "alive, but it says ERR unknown command",
            ),
            (
                Err(Failure::Tls("expired".to_owned())),
                true,
                "ALARM: no TLS with ",
                "alive, but TLS: expired",
            ),
            (
                denied("LOADING", "Redis is loading"),
                false,
                "",
                "loading its data",
            ),
            (Err(Failure::Refused), false, "", "connection refused"),
            (
                Err(Failure::Network("no such file".to_owned())),
                false,
                "",
                "no such file",
            ),
        ] {
            let found = Liveness(answer);
            assert_eq!(
                (found.is_alive(), found.alarm(), found.to_string().as_str()),
                (alive, alarm, sentence)
            );
        }
    }
}
