//! Looking at this machine: its clock, directories, units, and the process of the local Redis.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::command::ask;
use super::modes::{Mode, is_read_only};
use super::units::{command_of, unit_of};
use crate::config::Config;

/// For systemctl and its like.
const QUICK: Duration = Duration::from_secs(2);
/// Where install.sh puts units, and where a package does.
const UNITS: [&str; 2] = ["/etc/systemd/system", "/usr/lib/systemd/system"];
/// The drop-in beside keepalived's unit.
const DROP_IN: &str = "keepalived.service.d/keepalived-redis.conf";
const TARGET: &str = "keepalived-redis.target";
/// What configures a node that has the package.
const SETUP: &str = "/usr/sbin/keepalived-redis-setup";
/// The service that watches Redis in the fast profile.
pub(crate) const WATCHER: &str = "keepalived-redis-watch.service";

/// A directory of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dir {
    pub key: &'static str,
    pub path: PathBuf,
    /// Its owner and mode; `None` where it will be made.
    pub mode: Option<Mode>,
    /// Why it can't be looked at.
    pub trouble: Option<String>,
    pub read_only: bool,
    /// Bytes that are free there.
    pub free: Option<u64>,
}

/// The local Redis, as the kernel and systemd know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LocalRedis {
    /// Its user; `None` where its process can't be looked at.
    pub uid: Option<u32>,
    pub gids: Vec<u32>,
    pub config_file: Option<PathBuf>,
    /// Of that file, and of the directory that it is in.
    pub modes: Option<(Result<Mode, String>, Result<Mode, String>)>,
    /// Either of them is on a file system that is read-only for Redis.
    pub read_only: bool,
    pub unit: Option<String>,
    /// The commands by which its unit starts it; and its own command line, where that can still be
    /// read.
    pub commands: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Machine {
    /// We may look at everything.
    pub is_root: bool,
    /// The clock is set by somebody who knows; `None` where nobody says.
    pub synchronized: Option<bool>,
    pub selinux: bool,
    /// The programs came as a package: it has `keepalived-redis-setup` in the place of
    /// `install.sh`.
    pub packaged: bool,
    /// `redis-check-rdb`, or Valkey's, is in the path.
    pub has_check_rdb: bool,
    pub dirs: Vec<Dir>,
    pub systemd: bool,
    /// The drop-in of keepalived; `None` where there is none.
    pub drop_in: Option<String>,
    /// The target between Redis and keepalived is there.
    pub target: bool,
    /// Of each unit that matters: `is-enabled`, `is-active`.
    pub units: BTreeMap<String, (String, String)>,
    pub redis: LocalRedis,
}

/// Looks. `redis` is the process of the local Redis and its configuration file, by its own word.
pub(crate) fn look(
    config: Option<&Config>,
    redis: Option<(u32, PathBuf)>,
    watched: bool,
) -> Machine {
    let local = local_redis(redis);
    let systemd = Path::new("/run/systemd/system").is_dir();
    let mut names = vec!["keepalived.service".to_owned()];
    names.extend(local.unit.as_ref().map(|unit| format!("{unit}.service")));
    names.extend(watched.then(|| WATCHER.to_owned()));
    let state = |name: String| {
        let word = |verb| {
            ask("systemctl", &[verb, &name], QUICK)
                .map(|said| first(&said.text))
                .unwrap_or_default()
        };
        let state = (word("is-enabled"), word("is-active"));
        (name, state)
    };
    Machine {
        is_root: fs::metadata("/proc/self")
            .is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0),
        synchronized: synchronized(systemd),
        selinux: fs::read_to_string("/sys/fs/selinux/enforce").is_ok_and(|text| text.trim() == "1"),
        packaged: Path::new(SETUP).exists(),
        has_check_rdb: in_path("redis-check-rdb") || in_path("valkey-check-rdb"),
        dirs: config.map(dirs).unwrap_or_default(),
        systemd,
        drop_in: UNITS
            .iter()
            .find_map(|dir| fs::read_to_string(Path::new(dir).join(DROP_IN)).ok()),
        target: UNITS.iter().any(|dir| Path::new(dir).join(TARGET).exists()),
        units: if systemd {
            names.into_iter().map(state).collect()
        } else {
            BTreeMap::new()
        },
        redis: local,
    }
}

fn first(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}

fn in_path(program: &str) -> bool {
    // keepalived's own PATH is the system's, whatever ours is.
    let path = std::env::var("PATH").unwrap_or_default();
    let dirs = path.split(':').chain([
        "/usr/local/bin",
        "/usr/bin",
        "/bin",
        "/usr/local/sbin",
        "/usr/sbin",
        "/sbin",
    ]);
    dirs.map(|dir| Path::new(dir).join(program))
        .any(|file| Mode::of(&file).is_ok_and(|mode| mode.bits & 0o111 != 0))
}

fn synchronized(systemd: bool) -> Option<bool> {
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Some(true);
    }
    if systemd {
        let said = ask(
            "timedatectl",
            &["show", "--property=NTPSynchronized", "--value"],
            QUICK,
        )
        .ok()?;
        return match first(&said.text).as_str() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        };
    }
    let said = ask("chronyc", &["-n", "tracking"], QUICK)
        .ok()
        .filter(|said| said.code == Some(0))?;
    Some(!said.text.contains("Not synchronised"))
}

fn dirs(config: &Config) -> Vec<Dir> {
    let dir = |(key, path): (&'static str, &Path)| {
        let existing = path
            .ancestors()
            .find(|dir| dir.is_dir())
            .unwrap_or(Path::new("/"));
        let mode = Mode::of(path);
        let trouble = mode
            .as_ref()
            .err()
            .filter(|why| why.contains("denied"))
            .cloned();
        Dir {
            key,
            path: path.to_owned(),
            trouble,
            mode: mode.ok(),
            read_only: is_read_only(existing).unwrap_or(false),
            free: fs2::available_space(existing).ok(),
        }
    };
    [
        ("memory.dir", config.memory_dir.as_path()),
        ("log.dir", config.log_dir.as_path()),
        ("rollback.dir", config.rollback.dir.as_path()),
    ]
    .map(dir)
    .into()
}

fn local_redis(said: Option<(u32, PathBuf)>) -> LocalRedis {
    let (pid, config_file) = said.map_or((None, None), |(pid, file)| (Some(pid), Some(file)));
    let config_file = config_file.filter(|file| !file.as_os_str().is_empty());
    // A Redis in a container of its own has another number here.
    let process = pid
        .map(|pid| PathBuf::from(format!("/proc/{pid}")))
        .filter(|process| {
            let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
            ["redis-", "valkey-", "keydb-"]
                .iter()
                .any(|known| name.starts_with(known))
        });
    let mut found = LocalRedis {
        config_file,
        ..LocalRedis::default()
    };
    let Some(process) = process else {
        found.unit = unit_of("");
        found
            .commands
            .extend(found.unit.as_deref().and_then(command_of));
        return found;
    };
    let status = fs::read_to_string(process.join("status")).unwrap_or_default();
    let numbers = |name: &str| -> Vec<u32> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default()
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect()
    };
    // Real, effective, saved, of the file system.
    found.uid = numbers("Uid:").get(1).copied();
    found.gids = [numbers("Gid:"), numbers("Groups:")].concat();
    if let Some(file) = &found.config_file {
        // As Redis sees it: its unit may make directories read-only for it alone.
        let root = process.join("root");
        let within = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
        let seen = if fs::metadata(&root).is_ok() {
            within(file)
        } else {
            file.clone()
        };
        let dir = seen.parent().unwrap_or(Path::new("/")).to_owned();
        found.read_only = [&seen, &dir]
            .iter()
            .any(|path| is_read_only(path) == Some(true));
        found.modes = Some((Mode::of(&seen), Mode::of(&dir)));
    }
    found.unit = unit_of(&fs::read_to_string(process.join("cgroup")).unwrap_or_default());
    found
        .commands
        .extend(found.unit.as_deref().and_then(command_of));
    let own = fs::read(process.join("cmdline")).unwrap_or_default();
    found.commands.push(
        String::from_utf8_lossy(&own)
            .replace('\0', " ")
            .trim()
            .to_owned(),
    );
    found
}
