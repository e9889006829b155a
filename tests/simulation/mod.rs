//! The whole pair as a model, driven by the real decisions of `decide`.
//!
//! keepalived, Redis, the network and the machines are modelled as `docs/facts.md` describes them;
//! the programs take the steps of `programs` and `act`, one action at a time, and may be killed,
//! frozen or overtaken between any two. What is acknowledged to a client is known here for certain,
//! so that what the programs conclude from ids and offsets is checked against the truth.
//!
//! A failure prints its seed and its story. `SIMULATION_SEED=n` replays that one;
//! `SIMULATION_CASES=n` runs more.

mod bring_along;
mod check_redis;
mod data;
mod faults;
mod follow;
mod handover;
mod host;
mod ledger;
mod processes;
mod program;
mod random;
mod redis_backup;
mod redis_master;
mod replication;
mod run;
mod scenario;
mod server;
mod setup;
mod stories;
mod vrrp;
mod world;

use self::run::{Plan, report};
use crate::decide::rule::{Rule, without};

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The seeds to try: the first `cases`, or SIMULATION_CASES many, or the one of SIMULATION_SEED, or
/// so many from that on.
fn seeds(cases: u64) -> std::ops::Range<u64> {
    let (first, count) = (number("SIMULATION_SEED"), number("SIMULATION_CASES"));
    let from = first.unwrap_or(0);
    from..from + count.unwrap_or(if first.is_some() { 1 } else { cases })
}

/// Runs the plans of all seeds; of the first that goes wrong the smallest form is told.
fn holds_for(cases: u64, plan: impl Fn(u64) -> Plan) {
    let failed: Vec<(u64, Vec<String>)> = seeds(cases)
        .map(|seed| (seed, plan(seed).run(false).violations))
        .filter(|(_, found)| !found.is_empty())
        .collect();
    let Some((seed, found)) = failed.first() else {
        return;
    };
    let kind = found[0].split(": ").nth(1).unwrap_or_default().to_string();
    let wrong = |plan: &Plan| {
        plan.run(false)
            .violations
            .iter()
            .any(|found| found.contains(&kind))
    };
    let story = report(&plan(*seed).shrunk(&wrong));
    let all: String = failed
        .iter()
        .map(|(seed, found)| format!("\n  {seed}: {}", found.join("; ")))
        .collect();
    panic!(
        "{story}\nall seeds that failed: {}{all}\nreplay with SIMULATION_SEED={seed}",
        failed.len()
    );
}

#[test]
fn nothing_is_lost_and_the_pair_comes_to_rest_whatever_fails() {
    holds_for(400, Plan::random);
}

#[test]
fn three_nodes_lose_nothing_and_come_to_rest_whatever_fails() {
    holds_for(60, Plan::three);
}

#[test]
fn planned_moves_need_no_rollback_file() {
    holds_for(40, |seed| Plan {
        files: Some(0),
        ..Plan::planned(seed)
    });
}

#[test]
fn each_story_stays_within_its_limits() {
    for scenario in stories::all() {
        for seed in seeds(4) {
            let found = scenario.judge(&scenario.plan(seed).run(false));
            let name = scenario.name;
            assert!(
                found.is_empty(),
                "{}\n{name}: {}\nseed {seed}",
                report(&scenario.plan(seed)),
                found.join("; ")
            );
        }
    }
}

#[test]
fn each_rule_is_missed_when_it_is_taken_out() {
    let stories = stories::all();
    let unnoticed: Vec<String> = Rule::ALL
        .iter()
        .filter(|rule| {
            let goes_wrong = |story: &scenario::Scenario, seed| {
                let found = || story.judge(&story.plan(seed).run(false));
                !without(**rule, found).is_empty() && found().is_empty()
            };
            !stories
                .iter()
                .filter(|story| story.shows.contains(rule))
                .any(|story| (0..20).any(|seed| goes_wrong(story, seed)))
        })
        .map(|rule| format!("{rule:?}"))
        .collect();
    assert!(
        unnoticed.is_empty(),
        "the pair does as well without {}",
        unnoticed.join(", ")
    );
}

/// Also for a person: SIMULATION_STORY is a part of a story's name, SIMULATION_WITHOUT a rule to
/// take out; what happens is printed.
#[test]
fn the_same_seed_tells_the_same_story() {
    let name = std::env::var("SIMULATION_STORY").unwrap_or_else(|_| "FAULT".to_owned());
    let rule = std::env::var("SIMULATION_WITHOUT").ok();
    let rule = Rule::ALL
        .iter()
        .find(|known| Some(format!("{known:?}")) == rule);
    let stories: Vec<_> = stories::all()
        .into_iter()
        .filter(|scenario| scenario.name.contains(&name))
        .collect();
    assert!(!stories.is_empty(), "no story with {name} in its name");
    for scenario in stories {
        for seed in seeds(1) {
            let tell = || {
                (
                    report(&scenario.plan(seed)),
                    scenario.judge(&scenario.plan(seed).run(false)),
                )
            };
            let told = || rule.map_or_else(tell, |rule| without(*rule, tell));
            let (story, found) = told();
            println!("{story}\n{}: {}", scenario.name, found.join("; "));
            assert_eq!(told(), (story, found), "told again it is another");
        }
    }
}

/// Why Redis starts as a replica of nobody: as a replica of the other node it drops by itself what
/// only it has.
#[test]
fn a_pair_that_starts_as_replicas_of_each_other_loses_writes() {
    let plan = |seed| {
        let mut plan = Plan::random(seed);
        plan.setup.boot = setup::Boot::ReplicaOfOther;
        plan
    };
    let lost = |seed: &u64| {
        plan(*seed)
            .run(false)
            .violations
            .iter()
            .any(|found| found.contains("lost: "))
    };
    assert!(
        (0..200).any(|seed| lost(&seed)),
        "then nothing was wrong with it"
    );
}
