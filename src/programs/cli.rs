//! The command lines of the programs, and how each one is run.
//!
//! Exit codes, one meaning everywhere: see [`crate::exit::code`].

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use nix::sys::stat::{Mode, umask};

use super::check_redis::answer::{self, Question};
use super::{notification, watcher};
use crate::config::DEFAULT_PATH;
use crate::deadline::Stopwatch;
use crate::exit::{code, say};
use crate::node::vrrp_state::VrrpState;

pub(crate) const EXITS: &str = "Exit codes: 0 yes or done, 1 no (the reason is said in one line), \
    2 wrong usage, \
    3 cannot tell (configuration unreadable, or none of its nodes is this machine).";

/// The flags that every program has.
#[derive(Debug, clap::Args)]
struct Common {
    /// The configuration file, the same on every node [default: $KEEPALIVED_REDIS_CONFIG, else
    /// /etc/keepalived/redis-ha.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say more: a check also says what it found when all is well
    #[arg(short, long)]
    verbose: bool,
}

/// Is the local Redis alive, and in the role that this node's VRRP state demands?
///
/// keepalived runs it as a vrrp_script: without options with weight 0, with --eligible with a
/// negative weight. It is silent when all is well, unless it is run on a terminal or with -v; a
/// change of verdict is one line in check-redis-status.log. It changes nothing in Redis and may run
/// twice at the same time.
#[derive(Debug, Parser)]
#[command(name = "check_redis", version, after_help = EXITS)]
struct Check {
    #[command(flatten)]
    common: Common,
    /// Ask instead whether this node may take the VIP, or is its data behind?
    #[arg(long)]
    eligible: bool,
    /// The whole run's deadline, as 400ms [default: timing.check of the configuration]
    #[arg(long, value_name = "TIME", value_parser = deadline_of)]
    timeout: Option<Duration>,
    /// When the local Redis is dead also run `systemctl stop keepalived`: the node stays out until
    /// a person brings it back
    #[arg(long)]
    stop_keepalived: bool,
    /// Forget how often the local Redis died ([flap] of the configuration): it is mended, and may
    /// take the VIP again
    #[arg(long, conflicts_with_all = ["eligible", "stop_keepalived", "timeout"])]
    forget_failures: bool,
    /// Go on running: keep a connection to the local Redis open, and write 0 (alive) or 1 (dead, or
    /// silent for timing.hang) into FILE, for a vrrp_track_file beside the check
    ///
    /// Its systemd unit is keepalived-redis-watch.service. On SIGTERM it writes 0 and ends: the
    /// check beside it goes on. On SIGHUP it reads the configuration again.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["eligible", "stop_keepalived", "timeout", "forget_failures"])]
    watch: Option<PathBuf>,
}

/// Makes the local Redis master, because this node has been given the VIP.
///
/// keepalived runs it as notify_master and notify_master_rx_lower_pri. In sync with a serving peer
/// it takes the role over without losing a write; where the peer is gone it promotes; where the
/// local data is behind it catches up first. Safe to run twice, and to be killed at any step and
/// run again.
#[derive(Parser)]
#[command(name = "redis_master", version, after_help = EXITS)]
struct Master {
    #[command(flatten)]
    common: Common,
}

/// Makes the local Redis a replica of the peer that serves, once it serves.
///
/// keepalived runs it as notify_backup. It persists until that is done or a newer notification
/// comes. Local data that is not contained in the peer's is kept in a rollback file first. Safe to
/// run twice.
#[derive(Parser)]
#[command(name = "redis_backup", version, after_help = EXITS)]
struct Backup {
    #[command(flatten)]
    common: Common,
}

/// Journals what failed, then does as redis_backup does once the local Redis lives.
///
/// keepalived runs it as notify_fault. Safe to run twice.
#[derive(Parser)]
#[command(name = "redis_fault", version, after_help = EXITS)]
struct Fault {
    #[command(flatten)]
    common: Common,
}

/// Journals that keepalived stops, and to whom the role went.
///
/// keepalived runs it as notify_stop and kills it after a second; it is done in 0.8 s. The peer's
/// redis_master moves the role. Safe to run twice.
#[derive(Parser)]
#[command(name = "redis_stop", version, after_help = EXITS)]
struct Stop {
    #[command(flatten)]
    common: Common,
}

/// `check_redis`.
pub fn check_redis() -> ExitCode {
    let check = Check::everyday(std::env::args_os().skip(1)).unwrap_or_else(Check::parse);
    let Check {
        common,
        eligible,
        timeout,
        stop_keepalived,
        forget_failures,
        watch,
    } = check;
    prepare();
    if let Some(file) = watch {
        let verbose = common.verbose || std::io::stdout().is_terminal();
        return ExitCode::from(watcher::run(&common.path(), &file, verbose));
    }
    let question = if eligible {
        Question::Eligible
    } else {
        Question::Health
    };
    let answer = match forget_failures {
        true => answer::forget_failures(&common.path()),
        false => answer::answer(&common.path(), question, timeout, stop_keepalived),
    };
    if forget_failures
        || answer.code != code::YES
        || common.verbose
        || std::io::stdout().is_terminal()
    {
        say(
            &mut std::io::stdout(),
            &format!("check_redis: {}", answer.sentence),
        );
    }
    ExitCode::from(answer.code)
}

/// `redis_master`.
pub fn redis_master() -> ExitCode {
    notify("redis_master", VrrpState::Master, &Master::parse().common)
}

/// `redis_backup`.
pub fn redis_backup() -> ExitCode {
    notify("redis_backup", VrrpState::Backup, &Backup::parse().common)
}

/// `redis_fault`.
pub fn redis_fault() -> ExitCode {
    notify("redis_fault", VrrpState::Fault, &Fault::parse().common)
}

/// `redis_stop`.
pub fn redis_stop() -> ExitCode {
    notify("redis_stop", VrrpState::Stop, &Stop::parse().common)
}

fn notify(program: &'static str, state: VrrpState, common: &Common) -> ExitCode {
    let clock = Stopwatch::start();
    prepare();
    ExitCode::from(notification::run(program, state, &common.path(), clock))
}

/// Before any file is made: keepalived hands down a umask of 0177, with which a new directory can't
/// be entered (K2).
pub(crate) fn prepare() {
    umask(Mode::S_IWGRP | Mode::S_IRWXO);
}

impl Check {
    /// The two command lines that keepalived runs every second, told without a parser: it costs
    /// more than Redis does.
    fn everyday(mut words: impl Iterator<Item = OsString>) -> Option<Check> {
        let eligible = match (words.next(), words.next()) {
            (None, _) => false,
            (Some(word), None) if word == "--eligible" => true,
            _ => return None,
        };
        let common = Common {
            config: None,
            verbose: false,
        };
        Some(Check {
            common,
            eligible,
            timeout: None,
            stop_keepalived: false,
            forget_failures: false,
            watch: None,
        })
    }
}

impl Common {
    /// Flag, environment, default.
    fn path(&self) -> PathBuf {
        config_path(self.config.as_deref())
    }
}

/// The configuration file: flag, environment, default.
pub(crate) fn config_path(flag: Option<&Path>) -> PathBuf {
    let named = flag
        .map(Path::to_path_buf)
        .or_else(|| std::env::var_os("KEEPALIVED_REDIS_CONFIG").map(PathBuf::from));
    named.unwrap_or_else(|| PathBuf::from(DEFAULT_PATH))
}

/// The command lines of the five programs that keepalived runs: manual pages and completions are
/// made from them.
pub fn commands() -> [clap::Command; 5] {
    [
        Check::command(),
        Master::command(),
        Backup::command(),
        Fault::command(),
        Stop::command(),
    ]
}

fn deadline_of(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time >= Duration::from_millis(1) && time <= Duration::from_secs(60) => Ok(time),
        Ok(_) => Err("allowed are 1ms to 60s".to_string()),
        Err(_) => Err("write a time as 400ms or 1s".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_everyday_command_lines_mean_what_the_parser_says() {
        for (words, everyday) in [
            (vec![], true),
            (vec!["--eligible"], true),
            (vec!["--eligible", "-v"], false),
            (vec!["-v"], false),
            (vec![""], false),
            (vec!["--elig"], false),
        ] {
            let found = Check::everyday(words.iter().map(OsString::from));
            assert_eq!(found.is_some(), everyday, "{words:?}");
            let Some(found) = found else { continue };
            let parsed =
                Check::parse_from(["check_redis"].into_iter().chain(words.iter().copied()));
            assert_eq!(format!("{found:?}"), format!("{parsed:?}"));
        }
    }
}
