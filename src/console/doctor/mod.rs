//! `keepalived-redis doctor`: every known trap that can be seen from here, and the way out of it.
//!
//! `look` looks, `judge` judges. It changes nothing, on no machine; every wait has a budget.

pub(crate) mod finding;
pub(crate) mod judge;
pub(crate) mod look;
pub(crate) mod redis_cli;
pub(crate) mod report;
pub(crate) mod rights;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use self::finding::{Fact, Finding, Findings, Fix, Level, Subject};
use self::judge::Expected;
use self::look::keepalived::Keepalived;
use self::look::servers::Redises;
use self::redis_cli::RedisCli;
use crate::config::{Config, ConfigError};
use crate::exit::code;
use crate::node::addresses::{self, local_node};
use crate::terminal::Terminal;

/// What a person may want of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub json: bool,
    /// Only what is not well.
    pub quiet: bool,
    /// keepalived's configuration, where it is not found.
    pub keepalived_conf: Option<PathBuf>,
}

/// Runs it, with the configuration at `path`; answers with the exit code: 0 nothing fails, 1
/// something does, 3 cannot tell.
pub(crate) fn run(path: &Path, wanted: &Wanted, terminal: &Terminal) -> u8 {
    let (config, alarm) = match Config::look(path) {
        Ok((config, alarm)) => (Some(config), alarm),
        Err(error) => (None, Some(error)),
    };
    let (found, local) = examine(path, config.as_ref(), alarm.as_ref(), wanted);
    report::show(&found, wanted, terminal);
    if config.is_none() || local.is_none() {
        code::CANNOT_TELL
    } else if found.iter().any(|line| line.level == Level::Fail) {
        code::NO
    } else {
        code::YES
    }
}

fn examine(
    path: &Path,
    config: Option<&Config>,
    alarm: Option<&ConfigError>,
    wanted: &Wanted,
) -> (Vec<Finding>, Option<SocketAddr>) {
    let mut of_file = Findings::of(Subject::Configuration);
    let local = configuration(&mut of_file, path, config, alarm);
    let (keepalived, redises, sentinels) = std::thread::scope(|scope| {
        let keepalived = scope.spawn(|| look::keepalived::look(wanted.keepalived_conf.as_deref()));
        let sentinel = config.and_then(|config| Some((config, config.sentinel.as_ref()?)));
        let sentinels = sentinel
            .map(|(config, sentinel)| scope.spawn(|| look::sentinels::look(config, sentinel)));
        let redises = config
            .map(|config| look::servers::look(config, local))
            .unwrap_or_default();
        let sentinels = sentinels
            .and_then(|thread| thread.join().ok())
            .unwrap_or_default();
        (keepalived.join().ok(), redises, sentinels)
    });
    let expected = Expected::of(path, config, local);
    let mut found = of_file.list;
    if let Some(keepalived) = &keepalived {
        found.extend(judged_vrrp(keepalived, &expected, config));
    }
    if let Some(config) = config {
        let cli = RedisCli::of(config);
        found.extend(judged_redis(
            config,
            local,
            &redises,
            keepalived.as_ref(),
            &cli,
        ));
        if let Some(sentinel) = &config.sentinel {
            let mut lines = Findings::of(Subject::Sentinel);
            judge::sentinels::judge(
                &mut lines,
                &sentinels,
                &redises,
                config,
                sentinel,
                &cli,
                &RedisCli::of_sentinels(config),
            );
            found.extend(lines.list);
        }
    }
    if let Some(keepalived) = &keepalived {
        found.extend(judged_machine(config, local, &redises, keepalived));
    }
    found.sort_by_key(|line| {
        Subject::ALL
            .iter()
            .position(|subject| *subject == line.subject)
    });
    (found, local)
}

/// The file itself; which node this is.
fn configuration(
    found: &mut Findings,
    path: &Path,
    config: Option<&Config>,
    alarm: Option<&ConfigError>,
) -> Option<SocketAddr> {
    match alarm {
        None => found.ok(
            "configuration",
            Fact::NONE,
            format!("{} is good", path.display()),
        ),
        Some(error) => {
            let said = error.to_string();
            let going_on = if config.is_some() {
                "; the programs go on with what was last read"
            } else {
                ""
            };
            if said.contains("denied") {
                found.unseen(
                    "configuration",
                    Fact::NONE,
                    format!("{said}; run this as root"),
                );
            } else {
                // Some of them end with what to run.
                let (says, fix) = match said
                    .split_once("; run: ")
                    .or_else(|| said.split_once("run: "))
                {
                    Some((says, command)) => (says.to_owned(), Fix::Run(command.to_owned())),
                    None if !path.exists() => (
                        said.clone(),
                        Fix::Do("install.sh writes it; --config names another".to_owned()),
                    ),
                    None => (
                        said.clone(),
                        Fix::Do(format!(
                            "correct it; redis-ha.toml.example says what {} may hold",
                            path.display()
                        )),
                    ),
                };
                found.fail(
                    "configuration",
                    Fact::NONE,
                    format!("{says}{going_on}"),
                    fix,
                );
            }
        }
    }
    let config = config?;
    match local_node(config) {
        Ok(local) => {
            found.ok("local-node", Fact::NONE, format!("this machine is {local}"));
            Some(local)
        }
        Err(error) => {
            let fix = Fix::Do("run this on one of the nodes, or set local".to_owned());
            found.fail("local-node", Fact::NONE, format!("{error:#}"), fix);
            None
        }
    }
}

fn judged_vrrp(
    keepalived: &Keepalived,
    expected: &Expected,
    config: Option<&Config>,
) -> Vec<Finding> {
    let mut found = Findings::of(Subject::Keepalived);
    let nodes: Vec<_> = config.map(Config::addresses).unwrap_or_default();
    let own = addresses::among(&nodes).unwrap_or_default();
    judge::keepalived::instance::judge(&mut found, keepalived, expected, &own);
    judge::keepalived::tracking::judge(&mut found, keepalived, expected);
    judge::keepalived::notify::judge(&mut found, keepalived, expected);
    judge::keepalived::programs::judge(&mut found, keepalived, expected);
    found.list
}

fn judged_redis(
    config: &Config,
    local: Option<SocketAddr>,
    redises: &Redises,
    keepalived: Option<&Keepalived>,
    cli: &RedisCli,
) -> Vec<Finding> {
    let mut found = Findings::of(Subject::Redis);
    let watched = keepalived.is_some_and(|keepalived| !keepalived.here.files.is_empty());
    for node in &redises.nodes {
        judge::servers::node::judge(&mut found, node, config, cli);
        if let Ok(seen) = &node.seen {
            judge::servers::rights::judge(&mut found, node, seen, cli);
            if watched {
                judge::servers::node::fork(&mut found, node, seen, config.timing.hang);
            }
        }
    }
    let Some(local) = local else {
        return found.list;
    };
    match look::checks::verdicts(config, local) {
        Ok((vip, health, eligible)) => {
            judge::servers::pair::judge(&mut found, redises, config, vip, cli);
            judge::checks::verdicts(&mut found, &health, &eligible, config.sentinel.is_some());
        }
        Err(why) => {
            judge::servers::pair::judge(
                &mut found,
                redises,
                config,
                look::checks::vip_alone(config, local),
                cli,
            );
            found.unseen(
                "check-redis",
                Fact("K12"),
                format!("check_redis can't be tried: {why}; run this as root"),
            );
        }
    }
    found.list
}

fn judged_machine(
    config: Option<&Config>,
    local: Option<SocketAddr>,
    redises: &Redises,
    keepalived: &Keepalived,
) -> Vec<Finding> {
    let mut found = Findings::of(Subject::Machine);
    let node = redises
        .nodes
        .iter()
        .find(|node| Some(node.address) == local);
    let seen = node.and_then(|node| node.seen.as_ref().ok());
    let process = seen.and_then(|seen| {
        let pid = seen.info.get("process_id")?.parse().ok()?;
        Some((
            pid,
            PathBuf::from(seen.info.get("config_file").cloned().unwrap_or_default()),
        ))
    });
    let machine = look::machine::look(config, process, !keepalived.here.files.is_empty());
    let data = seen.and_then(|seen| seen.number("used_memory"));
    let addresses = config.map(Config::addresses).unwrap_or_default();
    let own = addresses::among(&addresses).unwrap_or_default();
    let holds_vip = config.is_some_and(|config| own.contains(&config.vip));
    judge::machine::judge(&mut found, &machine, keepalived, config, data, holds_vip);
    if let Some(config) = config {
        judge::machine::redis_service::judge(
            &mut found,
            &machine,
            seen.map(|seen| seen.observation.version),
            config,
        );
    }
    found.list
}
