//! Each line on Redis and the sentinels, provoked, and cured by its own advice.

use std::path::Path;

use super::ability_rows::ABLE;
use super::pair_rows::PAIR;
use super::redis_case::*;
use super::sentinel_rows::BESIDE_SENTINEL;
use crate::console::doctor::finding::tests::level;
use crate::console::doctor::finding::{Fix, Level};
use crate::console::doctor::rights::wanted;
use crate::server::failure::Failure;
use crate::server::info::Version;

#[test]
fn each_line_on_redis_and_on_sentinel_is_provoked_and_cured_by_its_own_advice() {
    for (more, rows) in [("", PAIR), ("", ABLE), (SENTINEL, BESIDE_SENTINEL)] {
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
