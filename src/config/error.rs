//! What can be wrong with the configuration, each as one line for a person.

use std::fmt::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::terminal::is_hidden;

/// What is wrong with the configuration. `Display` is one line without control characters, and
/// never shows a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigError {
    /// The file can't be read.
    Unreadable {
        path: PathBuf,
        /// What the system says, or what is refused.
        reason: String,
    },
    /// The file is not TOML, or not even text.
    Syntax {
        path: PathBuf,
        /// Counted from 1; absent where the parser can't tell.
        line: Option<usize>,
        reason: String,
    },
    /// The file has a key that means nothing.
    UnknownKey {
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// With its section: `timing.chekc`.
        key: String,
        /// What is allowed, and the likely meaning.
        hint: String,
    },
    /// A key has a value that is not allowed.
    Value {
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// With its section: `timing.check`.
        key: String,
        /// The value as written; dots where it may be a secret.
        found: String,
        /// What is wrong with it and what is allowed.
        reason: String,
    },
    /// A key that must be there is not.
    Missing {
        path: PathBuf,
        key: &'static str,
        hint: &'static str,
    },
    /// A file that the configuration names is refused or can't be read: a password, a certificate.
    File {
        /// What it is there for.
        what: String,
        path: PathBuf,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// A variable of the environment is wrong.
    Environment {
        name: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// No node has an address of this machine.
    NoLocalNode {
        path: PathBuf,
        nodes: Vec<SocketAddr>,
        addresses: Vec<IpAddr>,
    },
    /// More than one node has an address of this machine.
    SeveralLocalNodes {
        path: PathBuf,
        nodes: Vec<SocketAddr>,
    },
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = match self {
            Self::Unreadable { path, reason } => format!("{}: {reason}", path.display()),
            Self::Syntax { path, line, reason } => match line {
                Some(line) => format!("{}: {reason}", at(path, *line)),
                None => format!("{}: {reason}", path.display()),
            },
            Self::UnknownKey {
                path,
                line,
                key,
                hint,
            } => format!("{}: {key}: unknown key; {hint}", at(path, *line)),
            Self::Value {
                path,
                line,
                key,
                found,
                reason,
            } => format!("{}: {key} = {found}: {reason}", at(path, *line)),
            Self::Missing { path, key, hint } => {
                format!("{}: {key} is missing; {hint}", path.display())
            }
            Self::File { what, path, reason } => format!("{what} {}: {reason}", path.display()),
            Self::Environment { name, reason } => format!("environment {name}: {reason}"),
            Self::NoLocalNode {
                path,
                nodes,
                addresses,
            } => format!(
                "{}: none of nodes ({}) has an address of this machine ({}); correct nodes, or \
                 set local to one of them",
                path.display(),
                list(nodes),
                list(addresses),
            ),
            Self::SeveralLocalNodes { path, nodes } => format!(
                "{}: several of nodes ({}) have an address of this machine; set local to the one \
                 meant",
                path.display(),
                list(nodes),
            ),
        };
        one_line(f, &sentence)
    }
}

fn at(path: &Path, line: usize) -> String {
    format!("{}:{line}", path.display())
}

fn list<T: fmt::Display>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(T::to_string).collect();
    items.join(", ")
}

/// A path or a key may hold anything: a journal line must stay one line. What is hidden is escaped,
/// for a person has to find it in the file.
fn one_line(f: &mut fmt::Formatter<'_>, sentence: &str) -> fmt::Result {
    for letter in sentence.chars() {
        if is_hidden(letter) {
            write!(f, "{}", letter.escape_default())?;
        } else {
            f.write_char(letter)?;
        }
    }
    Ok(())
}
