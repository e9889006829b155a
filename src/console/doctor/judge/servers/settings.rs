//! How one Redis is set, each setting by itself.

use std::net::IpAddr;

use crate::config::Config;
use crate::console::doctor::finding::{Fact, Findings, Fix};
use crate::console::doctor::look::servers::{AskedNode, Seen};
use crate::console::doctor::redis_cli::RedisCli;
use crate::server::info::Version;

/// A node that is away for so many seconds shall go on where it was.
const AWAY: f64 = 60.0;
/// What is advised holds so many.
const ADVISED: f64 = 600.0;
/// The least that is advised.
const BACKLOG: u64 = 64 << 20;
/// Less than the default is worth a line even where nothing is written.
const DEFAULT_BACKLOG: u64 = 1 << 20;
/// The number by which a handover's fence can be told (`fence`).
const FENCE: u64 = 1_000_000;

pub(crate) fn judge(
    found: &mut Findings,
    node: &AskedNode,
    seen: &Seen,
    config: &Config,
    cli: &RedisCli,
) {
    read_only(found, node, seen, cli);
    min_replicas(found, node, seen, config, cli);
    bind(found, node, seen, config.vip, cli);
    backlog(found, node, seen, cli);
    diskless(found, node, seen, cli);
    persistence(found, node, seen, cli);
    timeout(found, node, seen, cli);
}

fn read_only(found: &mut Findings, node: &AskedNode, seen: &Seen, cli: &RedisCli) {
    let address = node.address;
    if seen.setting("replica-read-only") == Some("no") {
        let says = format!(
            "{address}: a replica takes writes there (replica-read-only no), and drops them with \
             its next copy"
        );
        return found.fail(
            "replica-read-only",
            Fact("R9"),
            says,
            Fix::Run(cli.set(address, "replica-read-only", "yes")),
        );
    }
    found.ok(
        "replica-read-only",
        Fact("R9"),
        format!("{address}: a replica takes no writes"),
    );
}

fn min_replicas(
    found: &mut Findings,
    node: &AskedNode,
    seen: &Seen,
    config: &Config,
    cli: &RedisCli,
) {
    let address = node.address;
    let check = "min-replicas";
    let wanted: u64 = seen
        .setting("min-replicas-to-write")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let others = config.nodes.len().saturating_sub(1) as u64;
    let fix = Fix::Run(cli.set(address, "min-replicas-to-write", "0"));
    match wanted {
        0 => found.ok(
            check,
            Fact("R13"),
            format!("{address}: the last one that lives takes writes"),
        ),
        FENCE.. => {
            let fix = Fix::Run(cli.set(
                address,
                "min-replicas-to-write",
                &(wanted - FENCE).to_string(),
            ));
            found.warn(
                check,
                Fact("R13"),
                format!(
                    "{address}: the fence of a handover is up: it takes no writes until the \
                    next program lifts it"
                ),
                fix,
            );
        }
        wanted if wanted > others => {
            let says = format!(
                "{address}: min-replicas-to-write {wanted}, and there are {others} others: it \
                 never takes a write"
            );
            found.fail(check, Fact("R13"), says, fix);
        }
        wanted => {
            let says = format!(
                "{address}: min-replicas-to-write {wanted}: with fewer replicas it takes no \
                 writes, so the last one that \
                 lives takes none"
            );
            found.warn(check, Fact("R13"), says, fix);
        }
    }
}

fn bind(found: &mut Findings, node: &AskedNode, seen: &Seen, vip: IpAddr, cli: &RedisCli) {
    let Some(bind) = seen.setting("bind") else {
        return;
    };
    let words: Vec<&str> = bind
        .split_whitespace()
        .map(|word| word.trim_start_matches('-'))
        .collect();
    let all: &[&str] = if vip.is_ipv4() {
        &["*", "0.0.0.0"]
    } else {
        &["::*", "::"]
    };
    let listens = words.is_empty()
        || words
            .iter()
            .any(|word| all.contains(word) || word.parse() == Ok(vip));
    let address = node.address;
    if listens {
        return found.ok(
            "bind",
            Fact::NONE,
            format!("{address}: it listens on the VIP too"),
        );
    }
    let fix = if seen.observation.version >= Version(7, 0, 0) {
        Fix::Run(cli.set(address, "bind", "'* -::*'"))
    } else {
        Fix::Do("write in redis.conf: bind 0.0.0.0, and restart Redis".to_owned())
    };
    found.fail(
        "bind",
        Fact::NONE,
        format!("{address}: bind {bind}: nobody answers on the VIP"),
        fix,
    );
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
fn backlog(found: &mut Findings, node: &AskedNode, seen: &Seen, cli: &RedisCli) {
    let Some(size) = seen
        .setting("repl-backlog-size")
        .and_then(|text| text.parse::<u64>().ok())
    else {
        return;
    };
    let (address, rate) = (node.address, seen.rate.unwrap_or(0.0));
    let held = if rate > 0.0 {
        size as f64 / rate
    } else {
        f64::INFINITY
    };
    let shown = bytesize::ByteSize::b(size);
    // A ping to each replica moves it too (R5).
    let says = match held {
        held if held < 24.0 * 3600.0 => {
            format!("{address}: repl-backlog-size {shown} holds {held:.0} s of what is written now")
        }
        _ => format!("{address}: repl-backlog-size {shown}, and hardly anything is written now"),
    };
    if held >= AWAY && size >= DEFAULT_BACKLOG {
        return found.ok("backlog", Fact("R11"), says);
    }
    let mib = ((rate * ADVISED) as u64).max(BACKLOG).div_ceil(1 << 20);
    let says = format!("{says}: a node that was away for longer copies everything");
    found.warn(
        "backlog",
        Fact("R11"),
        says,
        Fix::Run(cli.set(address, "repl-backlog-size", &format!("{mib}mb"))),
    );
}

fn diskless(found: &mut Findings, node: &AskedNode, seen: &Seen, cli: &RedisCli) {
    let address = node.address;
    let delay: u64 = seen
        .setting("repl-diskless-sync-delay")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    if delay > 0 && seen.setting("repl-diskless-sync") == Some("yes") {
        let says = format!(
            "{address}: repl-diskless-sync-delay {delay}: each full copy begins {delay} s late"
        );
        return found.warn(
            "diskless-delay",
            Fact("R4"),
            says,
            Fix::Run(cli.set(address, "repl-diskless-sync-delay", "0")),
        );
    }
    found.ok(
        "diskless-delay",
        Fact("R4"),
        format!("{address}: a full copy begins at once"),
    );
}

fn persistence(found: &mut Findings, node: &AskedNode, seen: &Seen, cli: &RedisCli) {
    let address = node.address;
    if seen.setting("appendonly") == Some("yes") {
        return found.ok(
            "persistence",
            Fact("R7"),
            format!("{address}: appendonly yes"),
        );
    }
    let says = match seen.setting("save") {
        Some("") => format!("{address}: no AOF and no RDB: it comes back with nothing"),
        _ => {
            format!("{address}: no AOF: it comes back without what was written since its last RDB")
        }
    };
    found.warn(
        "persistence",
        Fact("R7"),
        says,
        Fix::Run(cli.set(address, "appendonly", "yes")),
    );
}

fn timeout(found: &mut Findings, node: &AskedNode, seen: &Seen, cli: &RedisCli) {
    let address = node.address;
    let Some(seconds) = seen
        .setting("repl-timeout")
        .and_then(|text| text.parse::<u64>().ok())
    else {
        return;
    };
    if seconds < 11 {
        let says = format!(
            "{address}: repl-timeout {seconds}, and a master pings its replicas every 10 s: the \
             link breaks by itself"
        );
        return found.warn(
            "repl-timeout",
            Fact("R3"),
            says,
            Fix::Run(cli.set(address, "repl-timeout", "60")),
        );
    }
    found.ok(
        "repl-timeout",
        Fact("R3"),
        format!("{address}: repl-timeout {seconds} s"),
    );
}
