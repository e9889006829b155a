//! Why a Redis gave no usable answer.

use std::fmt;
use std::io;

use super::renamed;
use super::tls::Disagreement;

/// An error reply: the server is alive and says no. Only the first word is for code, texts differ
/// between versions and between Redis and Valkey (R17).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// `NOAUTH`, `LOADING`, `READONLY`, `ERR`...
    pub code: String,
    pub text: String,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{}{}",
            self.code,
            if self.text.is_empty() { "" } else { " " },
            self.text
        )
    }
}

impl Denial {
    /// The password or user that we have is wrong or missing.
    pub(crate) fn is_about_auth(&self) -> bool {
        // "ERR invalid password" is the answer to AUTH before Redis 6.
        matches!(self.code.as_str(), "NOAUTH" | "WRONGPASS" | "NOPERM")
            || self.text.starts_with("invalid password")
    }

    /// It has as many clients as it may have, and none of them is wrong.
    pub(crate) fn is_about_clients(&self) -> bool {
        self.text.starts_with("max number of clients")
    }

    /// There is no such command: renamed or disabled in redis.conf, or older than it.
    pub(crate) fn is_missing_command(&self) -> bool {
        renamed::is_missing(&self.text)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    Refused,
    /// The connection was not made before the deadline: the host is gone, or cut off.
    NoConnection,
    /// Connected, but nothing, or not enough, came before the deadline.
    TimedOut,
    /// The connection was closed or reset before the answer.
    Reset,
    /// Any other error of the network or the socket file, in the kernel's words.
    Network(String),
    /// What came is not an answer that a Redis gives.
    Rubbish(String),
    /// It is there, but the two sides do not come together over TLS.
    Tls(String),
    Denied(Denial),
}

impl Failure {
    /// Something is there and says so: an error reply, or TLS that does not come about.
    pub(crate) fn comes_from_a_server(&self) -> bool {
        matches!(self, Failure::Denied(_) | Failure::Tls(_))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused => f.write_str("connection refused"),
            Failure::NoConnection => f.write_str("no connection in time"),
            Failure::TimedOut => f.write_str("no answer in time"),
            Failure::Reset => f.write_str("connection closed before the answer"),
            Failure::Network(text) => f.write_str(text),
            Failure::Rubbish(text) => write!(f, "not the answer of a Redis: {text}"),
            Failure::Tls(text) => write!(f, "TLS: {text}"),
            Failure::Denied(denial) => write!(f, "it says {denial}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if let Some(Disagreement(text)) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
            return Failure::Tls(text.clone());
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Failure::Refused,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Failure::TimedOut,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Failure::Reset,
            io::ErrorKind::InvalidData => Failure::Rubbish(error.to_string()),
            _ => Failure::Network(error.to_string()),
        }
    }
}
