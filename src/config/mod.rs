//! The configuration file: one TOML file, the same on every node.
//!
//! Precedence: flag, then environment, then file, then default. The programs apply their own flags
//! on top of what is returned here; the environment knows `REDISCLI_AUTH` (the password) and
//! `KEEPALIVED_REDIS_STATE` (where the last good copy is kept).

pub(crate) mod document;
pub(crate) mod error;
pub(crate) mod file;
pub(crate) mod keys;
pub(crate) mod last_good;
pub(crate) mod password_file;
pub(crate) mod schema;
pub(crate) mod settings;
pub(crate) mod tls_files;

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

pub use self::error::ConfigError;
pub use self::keys::SECTIONS;
pub use self::settings::{
    Config, Flap, Hooks, Policy, Rollback, RollbackMode, Sentinel, SilentSentinels, Timing,
};
use crate::server::access::Secret;
use crate::server::endpoint::Endpoint;

/// Where the file stands unless a flag or the environment names another.
pub const DEFAULT_PATH: &str = "/etc/keepalived/redis-ha.toml";
/// Where memory and last good copies are kept unless told otherwise.
pub const STATE_DIR: &str = "/var/lib/keepalived-redis";
/// Where the journals are kept unless told otherwise.
pub const LOG_DIR: &str = "/var/log/keepalived-redis";

/// What the process environment says; a value, so that it can be chosen without changing the
/// process.
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
                return Err(ConfigError::Environment {
                    name: "REDISCLI_AUTH",
                    reason: "not UTF-8 text",
                });
            }
        };
        let state = set("KEEPALIVED_REDIS_STATE").unwrap_or_else(|| STATE_DIR.into());
        Ok(Environment {
            state: state.into(),
            password,
        })
    }
}

impl Config {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// The file or its password file can't be read or is refused, or a key or value is wrong.
    pub(crate) fn load(path: &Path) -> Result<Config, ConfigError> {
        Self::load_in(path, &Environment::of_process()?)
    }

    /// [`Config::load`] with the environment given.
    pub fn load_in(path: &Path, environment: &Environment) -> Result<Config, ConfigError> {
        Self::read(path, environment).map(|(config, _)| config)
    }

    /// What check and notify programs use: a broken edit of the file must not take a serving pair
    /// down, so the last good copy stands in, and the error of the real file is an alarm.
    ///
    /// A good file refreshes the copy. With the copy, a password file that has become readable by
    /// others is used all the same, and one that can't be read at all leaves the password out
    /// (Redis then answers NOAUTH: alive, and an alarm of its own). It is the same with the files
    /// of TLS: without a `ca` no certificate is accepted, which is alive, and an alarm.
    ///
    /// # Errors
    /// The file is wrong and there is no good copy either; the error is that of the file.
    pub(crate) fn load_or_last(path: &Path) -> Result<(Config, Option<ConfigError>), ConfigError> {
        Self::load_or_last_in(path, &Environment::of_process()?)
    }

    /// [`Config::load_or_last`] for who only looks: a good file does not refresh the copy.
    pub(crate) fn look(path: &Path) -> Result<(Config, Option<ConfigError>), ConfigError> {
        let environment = Environment::of_process()?;
        match Self::read(path, &environment) {
            Ok((config, _)) => Ok((config, None)),
            Err(alarm) => match Self::last_good(path, &environment) {
                Ok(config) => Ok((config, Some(alarm))),
                Err(_) => Err(alarm),
            },
        }
    }

    /// [`Config::load_or_last`] with the environment given.
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

    /// What a person is shown who only looks: as [`Config::load_or_last`], and where a password or
    /// a key can't be read (by somebody who is not root) the file without them. The second value is
    /// what to know of it.
    pub(crate) fn load_for_people(path: &Path) -> Result<(Config, Vec<String>), ConfigError> {
        let environment = Environment::of_process()?;
        match Self::load_in(path, &environment) {
            Ok(config) => Ok((config, Vec::new())),
            Err(alarm) => {
                let without = document::read(path)
                    .and_then(|text| Self::without_secrets(path, &text, &environment));
                let (config, instead) = match without {
                    Ok(config) => (config, "going on without it"),
                    Err(_) => match Self::last_good(path, &environment) {
                        Ok(config) => (
                            config,
                            "ALARM: what stands below is by the last good configuration",
                        ),
                        Err(_) => return Err(alarm),
                    },
                };
                Ok((config, vec![format!("{alarm}; {instead}")]))
            }
        }
    }

    /// The addresses that somebody has to have: each node's, and the VIP.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        let mut all: Vec<IpAddr> = self
            .nodes
            .iter()
            .map(SocketAddr::ip)
            .chain([self.vip])
            .collect();
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
            _ => Err(ConfigError::SeveralLocalNodes {
                path: self.path.clone(),
                nodes: mine,
            }),
        }
    }

    fn read(path: &Path, environment: &Environment) -> Result<(Config, String), ConfigError> {
        let instance = schema::instance(path)?;
        let text = document::without_comments(document::read(path)?);
        let (mut config, files) = schema::config(path, instance, &text)?;
        config.auth.password = match (&environment.password, &config.auth.password_file) {
            (Some(password), _) => Some(password.clone()),
            (None, Some(file)) => Some(password_file::read(file)?),
            (None, None) => None,
        };
        config.auth.tls = files
            .redis_tls
            .map(|files| tls_files::read("tls", files))
            .transpose()?;
        if let Some(sentinel) = &mut config.sentinel {
            let file = sentinel.auth.password_file.as_ref();
            sentinel.auth.password = file.map(|file| password_file::read(file)).transpose()?;
            sentinel.auth.tls = files
                .sentinel_tls
                .map(|files| tls_files::read("sentinel.tls", files))
                .transpose()?;
        }
        schema::check_login(&config)?;
        Ok((config, text))
    }

    fn last_good(path: &Path, environment: &Environment) -> Result<Config, ConfigError> {
        let instance = schema::instance(path)?;
        let text = document::read(&last_good::path(&environment.state, &instance))?;
        Self::without_secrets(path, &text, environment)
    }

    /// Passwords and files of TLS as far as they can be read.
    fn without_secrets(
        path: &Path,
        text: &str,
        environment: &Environment,
    ) -> Result<Config, ConfigError> {
        let (mut config, files) = schema::config(path, schema::instance(path)?, text)?;
        let lenient = |file: &Option<PathBuf>| {
            file.as_ref()
                .and_then(|file| password_file::read_leniently(file).ok())
        };
        config.auth.password = match &environment.password {
            Some(password) => Some(password.clone()),
            None => lenient(&config.auth.password_file),
        };
        config.auth.tls = files.redis_tls.and_then(tls_files::read_leniently);
        if let Some(sentinel) = &mut config.sentinel {
            sentinel.auth.password = lenient(&sentinel.auth.password_file);
            sentinel.auth.tls = files.sentinel_tls.and_then(tls_files::read_leniently);
        }
        Ok(config)
    }
}
