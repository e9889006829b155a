//! What is made of what was seen. Pure: tables test every line of it, and that its advice cures it.

pub(crate) mod checks;
pub(crate) mod keepalived;
pub(crate) mod machine;
pub(crate) mod sentinels;
pub(crate) mod servers;
#[cfg(test)]
pub(crate) mod tests;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{Config, DEFAULT_PATH};
use crate::keepalived_conf::vrrp::{Command, Instance, Vrrp};

/// What redis-ha.toml says, as far as keepalived.conf has to agree with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub path: PathBuf,
    /// `vip`; `None` where the file can't be read.
    pub vip: Option<IpAddr>,
    /// `nodes`; none where the file can't be read.
    pub nodes: Vec<SocketAddr>,
    /// Which of them this is.
    pub local: Option<SocketAddr>,
    /// There is a `[sentinel]`.
    pub sentinel: bool,
    /// `timing.check`.
    pub check: Duration,
}

impl Expected {
    /// Of the file at `path`.
    pub(crate) fn of(path: &Path, config: Option<&Config>, local: Option<SocketAddr>) -> Expected {
        Expected {
            path: path.to_owned(),
            vip: config.map(|config| config.vip),
            nodes: config
                .map(|config| config.nodes.clone())
                .unwrap_or_default(),
            local,
            sentinel: config.is_some_and(|config| config.sentinel.is_some()),
            check: config.map_or(Duration::from_millis(400), |config| config.timing.check),
        }
    }
}

/// It is one of the programs `names` of this suite.
pub(crate) fn calls(command: &Command, names: &[&str]) -> bool {
    names.contains(&command.name())
}

/// The check of life, not the one of the data, nor the watcher.
pub(crate) fn is_check(command: &Command) -> bool {
    calls(command, &["check_redis"]) && !command.has("--eligible") && !command.has("--watch")
}

/// The check of the data.
pub(crate) fn is_eligible(command: &Command) -> bool {
    calls(command, &["check_redis"]) && command.has("--eligible")
}

/// Which of the instances is that of the pair: the one whose programs read its file, else the one
/// with its VIP.
pub(crate) fn ours<'v>(vrrp: &'v Vrrp, expected: &Expected) -> Option<&'v Instance> {
    let reads = |command: &Command| {
        super::look::keepalived::is_ours(command.program())
            && Path::new(command.value("--config").unwrap_or(DEFAULT_PATH)) == expected.path
    };
    let has_vip =
        |instance: &&Instance| expected.vip.is_some_and(|vip| instance.vips.contains(&vip));
    let by_file: Vec<&Instance> = vrrp
        .instances
        .iter()
        .filter(|instance| {
            instance.notify.values().any(reads)
                || vrrp
                    .tracked_scripts(instance)
                    .any(|(script, _)| reads(&script.command))
        })
        .collect();
    by_file
        .iter()
        .copied()
        .find(has_vip)
        .or_else(|| by_file.first().copied())
        .or_else(|| vrrp.instances.iter().find(has_vip))
}
