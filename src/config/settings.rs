//! What the programs are told, and what holds where nothing is said.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::server::access::Access;
use crate::server::endpoint::Endpoint;

/// Everything that the programs are told about their surroundings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The file that was asked for (also when the values come from its last good copy).
    pub path: PathBuf,
    /// The name of this pair on this host: the stem of the file, `redis-ha` for `redis-ha.toml`.
    pub instance: String,
    /// The Redis servers, in order of preference; at least two.
    pub nodes: Vec<SocketAddr>,
    /// The virtual address that keepalived moves; never the address of a node.
    pub vip: IpAddr,
    /// How to reach the local Redis, or which of `nodes` it is, where that can't be told from
    /// this machine's addresses.
    pub local: Option<Endpoint>,
    /// How to reach every node, and to log in to it.
    pub auth: Access,
    pub timing: Timing,
    /// What counts as good enough.
    pub policy: Policy,
    /// When a Redis that dies again and again no longer draws the VIP.
    pub flap: Flap,
    /// Files taken of data that is about to be dropped.
    pub rollback: Rollback,
    /// Whom to tell of a transition.
    pub hooks: Hooks,
    pub log_dir: PathBuf,
    /// Directory of this instance's memory: `<memory.dir>/<instance>`.
    pub memory_dir: PathBuf,
    /// Sentinel elects the master, and the VIP follows it; `None` where these programs move the
    /// role.
    pub sentinel: Option<Sentinel>,
}

/// Whom to tell of a transition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooks {
    /// A program, by its absolute path, and its arguments; empty: nobody is told.
    pub on_transition: Vec<String>,
    /// It is ended after this time.
    pub timeout: Duration,
}

impl Default for Hooks {
    fn default() -> Self {
        Hooks {
            on_transition: Vec::new(),
            timeout: Duration::from_secs(30),
        }
    }
}

/// Whom to ask for the master that Sentinel has elected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentinel {
    /// What `sentinel.conf` calls the master.
    pub master_name: String,
    /// The sentinels; at least one.
    pub nodes: Vec<SocketAddr>,
    /// So many of them have to name a node before it is believed to be the master.
    pub quorum: usize,
    /// What holds while fewer than that answer.
    pub when_silent: SilentSentinels,
    /// How to reach a sentinel, and to log in to it; nothing to do with the password and the TLS of
    /// Redis.
    pub auth: Access,
}

/// What holds while fewer than a quorum of the sentinels answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SilentSentinels {
    /// The last verdict: a VIP that is well stays, also while all sentinels are down.
    Hold,
    /// Nothing: the VIP is given up, also where its Redis is well.
    Release,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// One whole run of the check; below the 1 s after which keepalived kills it (K14).
    pub check: Duration,
    /// One connection to a node.
    pub connect: Duration,
    /// One answer of a node.
    pub command: Duration,
    /// A fixed wait before a role is changed; zero unless somebody wants it.
    pub delay: Duration,
    /// How long a new MASTER waits for its Redis to be in sync.
    pub sync: Duration,
    /// How long a peer must be unreachable, without a break, before this node believes that it is
    /// alone.
    pub alone_after: Duration,
    /// How long the local Redis may keep the watcher waiting for an answer before it counts as
    /// dead.
    pub hang: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            check: Duration::from_millis(400),
            connect: Duration::from_millis(150),
            command: Duration::from_millis(500),
            delay: Duration::ZERO,
            sync: Duration::from_secs(600),
            alone_after: Duration::from_secs(20),
            hang: Duration::from_millis(300),
        }
    }
}

/// What counts as good enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Bytes that a replica may be behind its master and still count as in sync.
    pub max_lag: u64,
    /// The key that carries the term on servers without functions (before 7.0); `None` writes none
    /// there.
    pub term_key: Option<String>,
    /// After so long alone a node serves data of which it knows that another one has newer; `None`
    /// is never.
    pub outdated_after: Option<Duration>,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            max_lag: 1 << 20,
            term_key: None,
            outdated_after: None,
        }
    }
}

/// When a Redis that dies again and again no longer draws the VIP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flap {
    pub count: usize,
    pub window: Duration,
    /// Not eligible for so long after the last of them.
    pub hold: Duration,
}

impl Default for Flap {
    fn default() -> Self {
        Flap {
            count: 3,
            window: Duration::from_secs(600),
            hold: Duration::from_secs(1800),
        }
    }
}

/// Files taken of data that is about to be dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    pub mode: RollbackMode,
    pub dir: PathBuf,
    /// So many are kept of those that could go; at least one, the newest.
    pub keep: usize,
    /// For so many days what may be nowhere else is kept beyond those, while nobody has looked at
    /// it.
    pub days: usize,
}

impl Default for Rollback {
    fn default() -> Self {
        Rollback {
            mode: RollbackMode::Auto,
            dir: PathBuf::from("/var/lib/keepalived-redis/rollback"),
            keep: 3,
            days: 14,
        }
    }
}

/// When a rollback file is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollbackMode {
    /// Unless the data is provably contained in what replaces it.
    Auto,
    /// Before every step that makes a Redis drop its data.
    Always,
    Never,
}
