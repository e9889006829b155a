//! The configuration file: one TOML file, the same on every node.
//!
//! Precedence: flag, then environment, then file, then default. The programs apply their own flags
//! on top of what is returned here; the environment knows `REDISCLI_AUTH` (the password) and
//! `KEEPALIVED_REDIS_STATE` (where the last good copy is kept).

mod document;
mod error;
mod file;
mod last_good;
mod schema;
mod secret;
mod tls;

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use self::error::ConfigError;
pub use self::secret::Secret;
use crate::endpoint::Endpoint;
use crate::tls::Tls;

/// Where the file stands unless a flag or the environment names another.
pub const DEFAULT_PATH: &str = "/etc/keepalived/redis-ha.toml";
/// Where memory and last good copies are kept unless told otherwise.
pub const STATE_DIR: &str = "/var/lib/keepalived-redis";
/// Where the journals are kept unless told otherwise.
pub const LOG_DIR: &str = "/var/log/keepalived-redis";

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
    pub auth: Auth,
    /// Time budgets.
    pub timing: Timing,
    /// What counts as good enough.
    pub policy: Policy,
    /// When a Redis that dies again and again no longer draws the VIP.
    pub flap: Flap,
    /// Files taken of data that is about to be dropped.
    pub rollback: Rollback,
    /// Directory of the journals.
    pub log_dir: PathBuf,
    /// Directory of this instance's memory: `<memory.dir>/<instance>`.
    pub memory_dir: PathBuf,
    /// Sentinel elects the master, and the VIP follows it; `None` where these programs move the role.
    pub sentinel: Option<Sentinel>,
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
    /// How to reach a sentinel, and to log in to it; nothing to do with the password and the TLS of Redis.
    pub auth: Auth,
}

/// What holds while fewer than a quorum of the sentinels answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SilentSentinels {
    /// The last verdict: a VIP that is well stays, also while all sentinels are down.
    Hold,
    /// Nothing: the VIP is given up, also where its Redis is well.
    Release,
}

/// How to reach a Redis, and to log in to it; the same on every node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Auth {
    /// ACL user; `None` is Redis's `default` user.
    pub username: Option<String>,
    /// From `REDISCLI_AUTH`, else from the password file; `None` sends no AUTH.
    pub password: Option<Secret>,
    /// What is spoken to it, except through a Unix socket; `None` is plain text.
    pub tls: Option<Arc<Tls>>,
}

/// Time budgets.
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
    /// How long a peer must be unreachable, without a break, before this node believes that it is alone.
    pub alone_after: Duration,
    /// How long the local Redis may keep the watcher waiting for an answer before it counts as dead.
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
    /// The key that carries the term on servers without functions (before 7.0); `None` writes none there.
    pub term_key: Option<String>,
}

impl Default for Policy {
    fn default() -> Self {
        Policy { max_lag: 1 << 20, term_key: None }
    }
}

/// When a Redis that dies again and again no longer draws the VIP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flap {
    /// So many failures.
    pub count: usize,
    /// Within this time.
    pub window: Duration,
    /// Not eligible for so long after the last of them.
    pub hold: Duration,
}

impl Default for Flap {
    fn default() -> Self {
        Flap { count: 3, window: Duration::from_secs(600), hold: Duration::from_secs(1800) }
    }
}

/// Files taken of data that is about to be dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    /// When one is taken.
    pub mode: RollbackMode,
    /// Where they are kept.
    pub dir: PathBuf,
    /// How many of the newest are kept; at least one.
    pub keep: usize,
}

impl Default for Rollback {
    fn default() -> Self {
        Rollback { mode: RollbackMode::Auto, dir: PathBuf::from("/var/lib/keepalived-redis/rollback"), keep: 3 }
    }
}

/// When a rollback file is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollbackMode {
    /// Unless the data is provably contained in what replaces it.
    Auto,
    /// Before every step that makes a Redis drop its data.
    Always,
    /// Not at all.
    Never,
}

/// What the process environment says; a value, so that it can be chosen without changing the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// `KEEPALIVED_REDIS_STATE`: the directory above `<instance>/config.last.toml`.
    pub state: PathBuf,
    /// `REDISCLI_AUTH`: the password, as redis-cli takes it; empty is as good as absent.
    pub password: Option<Secret>,
}

impl Environment {
    /// Reads the environment of this process.
    ///
    /// # Errors
    /// `REDISCLI_AUTH` is not UTF-8 text.
    pub fn of_process() -> Result<Environment, ConfigError> {
        let set = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
        let password = match set("REDISCLI_AUTH").map(OsString::into_string) {
            None => None,
            Some(Ok(password)) => Some(Secret::new(password)),
            Some(Err(_)) => {
                return Err(ConfigError::Environment { name: "REDISCLI_AUTH", reason: "not UTF-8 text" });
            }
        };
        let state = set("KEEPALIVED_REDIS_STATE").unwrap_or_else(|| STATE_DIR.into());
        Ok(Environment { state: state.into(), password })
    }
}

impl Config {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// The file or its password file can't be read or is refused, or a key or value is wrong.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        Self::load_in(path, &Environment::of_process()?)
    }

    /// [`Config::load`] with the environment given.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_in(path: &Path, environment: &Environment) -> Result<Config, ConfigError> {
        Self::read(path, environment).map(|(config, _)| config)
    }

    /// What check and notify programs use: a broken edit of the file must not take a serving pair
    /// down, so the last good copy stands in, and the error of the real file is an alarm.
    ///
    /// A good file refreshes the copy. With the copy, a password file that has become readable by
    /// others is used all the same, and one that can't be read at all leaves the password out
    /// (Redis then answers NOAUTH: alive, and an alarm of its own). It is the same with the files of TLS: without a
    /// `ca` no certificate is accepted, which is alive, and an alarm.
    ///
    /// # Errors
    /// The file is wrong and there is no good copy either; the error is that of the file.
    pub fn load_or_last(path: &Path) -> Result<(Config, Option<ConfigError>), ConfigError> {
        Self::load_or_last_in(path, &Environment::of_process()?)
    }

    /// [`Config::load_or_last`] with the environment given.
    ///
    /// # Errors
    /// As [`Config::load_or_last`].
    pub fn load_or_last_in(
        path: &Path,
        environment: &Environment,
    ) -> Result<(Config, Option<ConfigError>), ConfigError> {
        match Self::read(path, environment) {
            Ok((config, text)) => {
                last_good::keep(&environment.state, &config.instance, &text);
                Ok((config, None))
            }
            Err(alarm) => match Self::last_good(path, environment) {
                Ok(config) => Ok((config, Some(alarm))),
                Err(_) => Err(alarm),
            },
        }
    }

    /// The addresses that somebody has to have: each node's, and the VIP.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let mut all: Vec<IpAddr> = self.nodes.iter().map(SocketAddr::ip).chain([self.vip]).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Which node is this machine, given its own addresses: the one that `local` names, else the
    /// only one of `nodes` that has such an address.
    ///
    /// # Errors
    /// None of the nodes has an address of this machine, or several have.
    pub fn local_node(&self, addresses: &[IpAddr]) -> Result<SocketAddr, ConfigError> {
        if let Some(Endpoint::Tcp(local)) = &self.local {
            return Ok(*local);
        }
        let own = |node: &&SocketAddr| {
            let ip = node.ip().to_canonical();
            addresses.iter().any(|address| address.to_canonical() == ip)
        };
        let mine: Vec<SocketAddr> = self.nodes.iter().filter(own).copied().collect();
        match mine[..] {
            [node] => Ok(node),
            [] => Err(ConfigError::NoLocalNode {
                path: self.path.clone(),
                nodes: self.nodes.clone(),
                addresses: addresses.to_vec(),
            }),
            _ => Err(ConfigError::SeveralLocalNodes { path: self.path.clone(), nodes: mine }),
        }
    }

    fn read(path: &Path, environment: &Environment) -> Result<(Config, String), ConfigError> {
        let instance = schema::instance(path)?;
        let text = document::without_comments(document::read(path)?);
        let (mut config, files) = schema::config(path, instance, &text)?;
        config.auth.password = match (&environment.password, files.redis) {
            (Some(password), _) => Some(password.clone()),
            (None, Some(file)) => Some(secret::read(&file)?),
            (None, None) => None,
        };
        config.auth.tls = files.redis_tls.map(|files| tls::read("tls", files)).transpose()?;
        if let Some(sentinel) = &mut config.sentinel {
            sentinel.auth.password = files.sentinel.map(|file| secret::read(&file)).transpose()?;
            sentinel.auth.tls = files.sentinel_tls.map(|files| tls::read("sentinel.tls", files)).transpose()?;
        }
        schema::check_login(&config)?;
        Ok((config, text))
    }

    fn last_good(path: &Path, environment: &Environment) -> Result<Config, ConfigError> {
        let instance = schema::instance(path)?;
        let text = document::read(&last_good::path(&environment.state, &instance))?;
        let (mut config, files) = schema::config(path, instance, &text)?;
        let lenient = |file: Option<PathBuf>| file.and_then(|file| secret::read_leniently(&file).ok());
        config.auth.password = match &environment.password {
            Some(password) => Some(password.clone()),
            None => lenient(files.redis),
        };
        config.auth.tls = files.redis_tls.and_then(tls::read_leniently);
        if let Some(sentinel) = &mut config.sentinel {
            sentinel.auth.password = lenient(files.sentinel);
            sentinel.auth.tls = files.sentinel_tls.and_then(tls::read_leniently);
        }
        Ok(config)
    }
}
