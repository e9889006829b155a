//! Each line on Redis and the sentinels, provoked, and cured by its own advice.

use std::path::Path;
use std::time::Duration;

use super::redis_case::*;
use crate::console::doctor::finding::tests::level;
use crate::console::doctor::finding::{Fix, Level};
use crate::console::doctor::look::sentinels::Said;
use crate::console::doctor::rights::wanted;
use crate::decide::view::Vip;
use crate::server::failure::Failure;
use crate::server::info::{Role, Version};

type Change = fn(&mut Case);

/// The check, how bad, what is wrong, and what a person does where no command is advised.
type Row = (&'static str, Level, Change, Option<Change>);

const PAIR: &[Row] = &[
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
fn revive(case: &mut Case) {
    let good = Case::good(if case.config.sentinel.is_some() {
        SENTINEL
    } else {
        ""
    });
    (case.redises, case.sentinels) = (good.redises, good.sentinels);
}

const BESIDE_SENTINEL: &[Row] = &[
    (
        "sentinel-answers",
        Level::Fail,
        |case| case.sentinels[2].said = Err(Failure::Refused),
        Some(revive),
    ),
    (
        "sentinel-answers",
        Level::Fail,
        |case| case.sentinels[2].said = Err(denied("NOAUTH", "")),
        Some(revive),
    ),
    (
        "sentinel-count",
        Level::Fail,
        |case| {
            case.sentinels
                .iter_mut()
                .skip(1)
                .for_each(|node| node.said = Err(Failure::TimedOut))
        },
        Some(revive),
    ),
    (
        "sentinel-count",
        Level::Warn,
        |case| case.config.sentinel.as_mut().expect("one").quorum = 1,
        Some(|case| case.config.sentinel.as_mut().expect("one").quorum = 2),
    ),
    (
        "sentinel-master",
        Level::Fail,
        |case| said(case).master = None,
        Some(revive),
    ),
    (
        "sentinel-master",
        Level::Fail,
        |case| said(case).master = Some(("192.168.158.13".to_owned(), "6379".to_owned())),
        Some(revive),
    ),
    (
        "sentinel-master",
        Level::Fail,
        |case| said(case).master = Some(("192.168.158.12".to_owned(), "6379".to_owned())),
        Some(revive),
    ),
    (
        "sentinel-quorum",
        Level::Fail,
        |case| said(case).no_quorum = Some("1 usable".to_owned()),
        Some(revive),
    ),
    (
        "down-after",
        Level::Fail,
        |case| {
            drop(
                said(case)
                    .fields
                    .insert("down-after-milliseconds".to_owned(), "500".to_owned()),
            )
        },
        None,
    ),
    (
        "tilt",
        Level::Warn,
        |case| said(case).tilt = true,
        Some(revive),
    ),
    (
        "sentinel-rights",
        Level::Fail,
        |case| said(case).refused = vec![("PSUBSCRIBE *", "allchannels")],
        None,
    ),
    (
        "sentinel-others",
        Level::Warn,
        |case| {
            drop(
                said(case)
                    .fields
                    .insert("num-other-sentinels".to_owned(), "4".to_owned()),
            )
        },
        None,
    ),
    (
        "replica-priority",
        Level::Warn,
        |case| set(case.b(), "replica-priority", "5"),
        None,
    ),
    (
        "replica-priority",
        Level::Fail,
        |case| set(case.b(), "replica-priority", "0"),
        None,
    ),
    (
        "announce-ip",
        Level::Fail,
        |case| set(case.b(), "replica-announce-ip", "10.0.0.1"),
        None,
    ),
    (
        "rights",
        Level::Fail,
        |case| refuse(case.a(), "+client|pause"),
        None,
    ),
];

fn said(case: &mut Case) -> &mut Said {
    case.sentinels[0].said.as_mut().expect("it answers")
}

#[test]
fn each_line_on_redis_and_on_sentinel_is_provoked_and_cured_by_its_own_advice() {
    for (more, rows) in [("", PAIR), (SENTINEL, BESIDE_SENTINEL)] {
        let bad = |case: &Case| {
            case.judged()
                .into_iter()
                .filter(|line| line.level > Level::Unseen)
                .collect::<Vec<_>>()
        };
        assert_eq!(bad(&Case::good(more)), [], "{more}");
        for (number, (check, how, make, by_hand)) in rows.iter().enumerate() {
            let mut case = Case::good(more);
            make(&mut case);
            assert_eq!(
                level(&case.judged(), check),
                *how,
                "row {number}, {check}: {:#?}",
                bad(&case)
            );
            for _ in 0..4 {
                let lines = bad(&case);
                let Some(line) = lines.first() else { break };
                match (line.fix.first(), by_hand) {
                    (_, Some(by_hand)) => by_hand(&mut case),
                    (Some(Fix::Run(command)), None) => case.follow(command),
                    (fix, None) => panic!("row {number}, {check}: no command: {fix:?}"),
                }
            }
            assert_eq!(bad(&case), [], "row {number}, {check}");
        }
    }
}

#[test]
fn what_cannot_be_asked_is_said() {
    let mut case = Case::good("");
    up(case.a()).settings = None;
    up(case.b()).rights = Err("user ha has no right to ACL DRYRUN".to_owned());
    case.redises.logins[0].outcome = Err(Failure::TimedOut);
    let found = case.judged();
    for check in ["redis-settings", "rights", "masterauth"] {
        assert_eq!(level(&found, check), Level::Unseen, "{check}");
    }
    assert!(
        found.iter().all(|line| line.level <= Level::Unseen),
        "{found:#?}"
    );
    assert_eq!(Path::new("/etc/keepalived/redis-ha.toml"), case.config.path);
}

#[test]
fn the_rights_that_are_asked_for_are_those_that_the_configuration_needs() {
    let rules = |more: &str, version| -> Vec<&str> {
        let mut rules: Vec<&str> = wanted(&config(more), version)
            .into_iter()
            .map(|right| right.rule)
            .collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    };
    let pair = rules("", Version(7, 0, 0));
    for rule in [
        "+slaveof",
        "+client|pause",
        "+client|kill",
        "+config|rewrite",
        "+function|load",
        "+sync",
    ] {
        assert!(pair.contains(&rule), "{rule} in {pair:?}");
    }
    assert!(
        !rules(SENTINEL, Version(7, 0, 0)).contains(&"+slaveof"),
        "Sentinel gives out the roles"
    );
    assert!(!rules("[rollback]\nmode = \"never\"\n", Version(7, 0, 0)).contains(&"+sync"));
}
