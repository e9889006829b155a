//! The types of values, and the commands that ask for one.

use redis::{Cmd, cmd};

/// The types that Redis itself has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `string`
    Text,
    /// `list`
    List,
    /// `hash`
    Hash,
    /// `set`
    Set,
    /// `zset`
    Sorted,
    /// `stream`
    Stream,
}

impl Kind {
    /// From the answer to TYPE; `None` for the types of modules.
    pub(crate) fn read(name: &str) -> Option<Kind> {
        Some(match name {
            "string" => Kind::Text,
            "list" => Kind::List,
            "hash" => Kind::Hash,
            "set" => Kind::Set,
            "zset" => Kind::Sorted,
            "stream" => Kind::Stream,
            _ => return None,
        })
    }

    /// What asks for the number of its elements, bytes of a string.
    pub(crate) fn length(self, key: &[u8]) -> Cmd {
        match self {
            Kind::Text => of("STRLEN", key),
            Kind::List => of("LLEN", key),
            Kind::Hash => of("HLEN", key),
            Kind::Set => of("SCARD", key),
            Kind::Sorted => of("ZCARD", key),
            Kind::Stream => of("XLEN", key),
        }
    }
}

/// A command about one key.
pub(crate) fn of(command: &str, key: &[u8]) -> Cmd {
    cmd(command).arg(key).clone()
}
