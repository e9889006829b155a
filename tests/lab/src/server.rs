//! Which server a Redis of the lab is: the machine's own, or one that fetch-server.sh fetches.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};
use clap::ValueEnum;

use crate::boot::TREE;
use crate::host::Host;
use crate::lab;

/// A server. What differs beside its version: before 6.2 it has no pause of writes (R12), before 7
/// no functions (R24).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Server {
    /// Redis 5.0.6.
    #[value(name = "redis-5.0.6")]
    Redis5,
    /// Redis 6.2.14.
    #[value(name = "redis-6.2.14")]
    Redis6,
    /// What is installed on this machine.
    #[default]
    Own,
    /// Redis 8.2.3.
    #[value(name = "redis-8.2.3")]
    Redis8,
    /// Valkey 8.1.8.
    #[value(name = "valkey-8.1.8")]
    Valkey8,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Server::Redis5 => "Redis 5.0.6",
            Server::Redis6 => "Redis 6.2.14",
            Server::Own => "Redis, this machine's own",
            Server::Redis8 => "Redis 8.2.3",
            Server::Valkey8 => "Valkey 8.1.8",
        })
    }
}

impl Server {
    /// Its directory below `target`, where it is not the machine's own.
    fn fetched(self) -> Option<&'static str> {
        match self {
            Server::Redis5 => Some("redis-5.0.6"),
            Server::Redis6 => Some("redis-6.2.14"),
            Server::Own => None,
            Server::Redis8 => Some("redis-8.2.3"),
            Server::Valkey8 => Some("valkey-8.1.8"),
        }
    }

    /// Whether it knows FCALL.
    pub fn has_functions(self) -> bool {
        !matches!(self, Server::Redis5 | Server::Redis6)
    }

    /// The program, on this machine; fetched where it is not there yet.
    pub fn program(self) -> Result<PathBuf> {
        let Some(name) = self.fetched() else {
            return Ok("redis-server".into());
        };
        let tree = lab::tree()?;
        let fetched = Command::new("sh")
            .arg(tree.join("tests/lab/fetch-server.sh"))
            .arg(name)
            .output()?;
        ensure!(
            fetched.status.success(),
            "fetching {self}: {}",
            String::from_utf8_lossy(&fetched.stderr)
        );
        Ok(tree.join("target").join(name).join("redis-server"))
    }

    /// Puts it before the machine's own on `host`, with the program that reads its files. It stays
    /// there when the host is switched off.
    pub fn put(self, host: &Host) -> Result<()> {
        let Some(name) = self.fetched() else {
            return Ok(());
        };
        self.program()?;
        let reader = if self == Server::Valkey8 {
            "valkey-check-rdb"
        } else {
            "redis-check-rdb"
        };
        let put = host.sh(&format!(
            "for name in redis-server {reader}; do \
             ln -sf {TREE}/target/{name}/redis-server /usr/local/bin/$name || exit; done"
        ))?;
        ensure!(
            put.status.success(),
            "putting {self} on {}: {}",
            host.name,
            String::from_utf8_lossy(&put.stderr)
        );
        Ok(())
    }

    /// What its redis.conf needs to be reached from outside, and to be tested.
    pub(crate) fn lines(self) -> &'static str {
        match self {
            // Without a bind it listens everywhere.
            Server::Redis5 => "protected-mode no\n",
            Server::Redis6 => "bind * -::*\n",
            Server::Own | Server::Redis8 | Server::Valkey8 => {
                "bind * -::*\nenable-debug-command yes\n"
            }
        }
    }
}
