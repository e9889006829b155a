//! Each line on the Redis of a pair: what has to be wrong for it.

use std::time::Duration;

use super::redis_case::*;
use crate::console::doctor::finding::Level;
use crate::decide::view::Vip;
use crate::server::failure::Failure;
use crate::server::info::{Role, Version};

pub(crate) type Change = fn(&mut Case);

/// The check, how bad, what is wrong, and what a person does where no command is advised.
pub(crate) type Row = (&'static str, Level, Change, Option<Change>);

pub(crate) const PAIR: &[Row] = &[
    (
        "redis-answers",
        Level::Fail,
        |case| case.b().seen = Err(Failure::Refused),
        Some(revive),
    ),
    (
        "redis-answers",
        Level::Fail,
        |case| case.b().seen = Err(Failure::NoConnection),
        Some(revive),
    ),
    (
        "redis-answers",
        Level::Fail,
        |case| case.b().seen = Err(Failure::TimedOut),
        Some(revive),
    ),
    (
        "redis-answers",
        Level::Fail,
        |case| case.b().seen = Err(denied("WRONGPASS", "no")),
        Some(revive),
    ),
    (
        "redis-answers",
        Level::Fail,
        |case| case.b().seen = Err(denied("DENIED", "protected")),
        Some(revive),
    ),
    (
        "redis-answers",
        Level::Fail,
        |case| case.b().seen = Err(Failure::Tls("no".to_owned())),
        Some(revive),
    ),
    (
        "redis-answers",
        Level::Warn,
        |case| case.b().seen = Err(denied("LOADING", "")),
        Some(revive),
    ),
    (
        "redis-answers",
        Level::Fail,
        |case| case.a().at_address = Some(Err(Failure::Refused)),
        Some(|case| case.a().at_address = None),
    ),
    (
        "redis-loading",
        Level::Warn,
        |case| up(case.b()).observation.loading = true,
        Some(revive),
    ),
    (
        "redis-version",
        Level::Fail,
        |case| up(case.b()).observation.version = Version(3, 2, 0),
        Some(revive),
    ),
    (
        "redis-version",
        Level::Warn,
        |case| up(case.b()).observation.version = Version(6, 2, 0),
        Some(revive),
    ),
    (
        "redis-versions",
        Level::Warn,
        |case| up(case.b()).observation.version = Version(8, 2, 0),
        Some(revive),
    ),
    (
        "redis-versions",
        Level::Fail,
        |case| up(case.a()).observation.version = Version(7, 2, 0),
        Some(revive),
    ),
    (
        "replica-read-only",
        Level::Fail,
        |case| set(case.b(), "replica-read-only", "no"),
        None,
    ),
    (
        "min-replicas",
        Level::Warn,
        |case| set(case.a(), "min-replicas-to-write", "1"),
        None,
    ),
    (
        "min-replicas",
        Level::Fail,
        |case| set(case.a(), "min-replicas-to-write", "2"),
        None,
    ),
    (
        "min-replicas",
        Level::Warn,
        |case| set(case.a(), "min-replicas-to-write", "1000000"),
        None,
    ),
    (
        "bind",
        Level::Fail,
        |case| set(case.a(), "bind", "127.0.0.1 192.168.158.11"),
        None,
    ),
    (
        "backlog",
        Level::Warn,
        |case| set(case.a(), "repl-backlog-size", "16384"),
        None,
    ),
    (
        "backlog",
        Level::Warn,
        |case| up(case.a()).rate = Some(10_000_000.0),
        None,
    ),
    (
        "diskless-delay",
        Level::Warn,
        |case| set(case.a(), "repl-diskless-sync-delay", "5"),
        None,
    ),
    (
        "persistence",
        Level::Warn,
        |case| set(case.a(), "appendonly", "no"),
        None,
    ),
    (
        "repl-timeout",
        Level::Warn,
        |case| set(case.a(), "repl-timeout", "5"),
        None,
    ),
    (
        "config-rewrite",
        Level::Warn,
        |case| {
            drop(
                up(case.a())
                    .info
                    .insert("config_file".to_owned(), String::new()),
            )
        },
        Some(revive),
    ),
    (
        "rights",
        Level::Fail,
        |case| refuse(case.a(), "+slaveof"),
        None,
    ),
    (
        "rights",
        Level::Warn,
        |case| refuse(case.a(), "+config|rewrite"),
        None,
    ),
    (
        "commands",
        Level::Fail,
        |case| rename(case.a(), "+slaveof"),
        Some(revive),
    ),
    (
        "fork",
        Level::Warn,
        |case| {
            drop(
                up(case.a())
                    .info
                    .insert("latest_fork_usec".to_owned(), "900000".to_owned()),
            )
        },
        Some(|case| case.config.timing.hang = Duration::from_millis(1800)),
    ),
    (
        "roles",
        Level::Fail,
        |case| case.role(B, Role::Master),
        Some(revive),
    ),
    (
        "roles",
        Level::Fail,
        |case| case.role(A, following(B)),
        Some(revive),
    ),
    (
        "roles",
        Level::Fail,
        |case| case.role(A, following(A)),
        Some(revive),
    ),
    (
        "roles",
        Level::Fail,
        |case| case.role(B, following("192.168.158.13:6379")),
        Some(revive),
    ),
    (
        "roles",
        Level::Fail,
        |case| case.role(B, following("192.168.158.77:6379")),
        Some(revive),
    ),
    (
        "roles",
        Level::Fail,
        |case| {
            case.role(A, following("127.0.0.1:1"));
            case.role(B, following("127.0.0.1:1"));
        },
        Some(revive),
    ),
    (
        "link",
        Level::Fail,
        |case| {
            if let Role::Replica(following) = &mut up(case.b()).observation.replication.role {
                following.link_up = false
            }
        },
        Some(revive),
    ),
    (
        "link",
        Level::Warn,
        |case| {
            if let Role::Replica(following) = &mut up(case.b()).observation.replication.role {
                following.syncing = true
            }
        },
        Some(revive),
    ),
    (
        "vip-holder",
        Level::Fail,
        |case| case.vip = Vip::At(address(B)),
        Some(|case| case.vip = Vip::Here),
    ),
    (
        "vip-holder",
        Level::Fail,
        |case| case.vip = Vip::Unknown,
        Some(|case| case.vip = Vip::Here),
    ),
    (
        "masterauth",
        Level::Fail,
        |case| case.redises.logins[0].outcome = Err(denied("WRONGPASS", "invalid")),
        None,
    ),
    (
        "masterauth",
        Level::Fail,
        |case| {
            case.redises.logins[1].outcome = Err(denied("NOAUTH", "needed"));
            case.redises.logins[1].has_password = false;
        },
        None,
    ),
    (
        "masterauth",
        Level::Fail,
        |case| case.redises.logins[0].outcome = Err(denied("NOPERM", "no psync")),
        None,
    ),
    (
        "clocks",
        Level::Warn,
        |case| up(case.b()).clock = Some(-7.0),
        Some(revive),
    ),
    (
        "term",
        Level::Warn,
        |case| up(case.a()).observation.term = None,
        Some(revive),
    ),
];

/// Whatever a person did: it is as it was.
pub(crate) fn revive(case: &mut Case) {
    let good = Case::good(if case.config.sentinel.is_some() {
        SENTINEL
    } else {
        ""
    });
    (case.redises, case.sentinels) = (good.redises, good.sentinels);
}
