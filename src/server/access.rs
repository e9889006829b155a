//! How to reach a Redis, and to log in to it. A password is never shown.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::renamed::Commands;
use super::tls::Tls;

/// The same on every node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// ACL user; `None` is Redis's `default` user.
    pub username: Option<String>,
    /// From `REDISCLI_AUTH`, else from the password file; `None` sends no AUTH.
    pub password: Option<Secret>,
    /// The file of the password, for whoever is told how to log in by hand.
    pub password_file: Option<PathBuf>,
    /// What is spoken to it, except through a Unix socket; `None` is plain text.
    pub tls: Option<Arc<Tls>>,
    /// What it calls the commands that somebody has renamed.
    pub commands: Option<Arc<Commands>>,
}

impl Access {
    /// The command is disabled on every node, and not to be sent.
    pub fn lacks(&self, command: &str) -> bool {
        self.commands
            .as_ref()
            .is_some_and(|commands| commands.lacks(command))
    }

    /// The same, for a server whose certificate names `address`, wherever it is met; `None` without
    /// TLS.
    pub(crate) fn as_of(&self, address: IpAddr) -> Option<Access> {
        let tls = self.tls.as_ref()?.as_of(address);
        Some(Access {
            tls: Some(Arc::new(tls)),
            ..self.clone()
        })
    }
}

/// A password. `Debug` and `Display` print `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(secret: String) -> Secret {
        Secret(secret)
    }

    /// The password itself, for the AUTH command or a child's environment and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
