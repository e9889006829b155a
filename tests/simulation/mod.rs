//! The whole pair as a model, driven by the real decisions of `plan`.
//!
//! keepalived, Redis, the network and the machines are modelled as `docs/facts.md` describes them; the programs take
//! the steps of `serve`, `yielding`, `following`, `handover` and `check`, one action at a time, and may be killed,
//! frozen or overtaken between any two. What is acknowledged to a client is known here for certain, so that what the
//! programs conclude from ids and offsets is checked against the truth.
//!
//! A failure prints its seed and its story. `SIMULATION_SEED=n` replays that one; `SIMULATION_CASES=n` runs more.

mod check;
mod data;
mod faults;
mod following;
mod handover;
mod ledger;
mod processes;
mod program;
mod random;
mod replication;
mod run;
mod serve;
mod server;
mod vrrp;
mod world;
mod yielding;

use self::run::{Plan, report};

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The seeds to try: those of SIMULATION_SEED and SIMULATION_CASES, or the first `cases`.
fn seeds(cases: u64) -> std::ops::Range<u64> {
    match number("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIMULATION_CASES").unwrap_or(cases),
    }
}

fn holds_for(cases: u64, plan: impl Fn(u64) -> Plan) {
    let mut failed: Vec<(u64, Vec<String>)> = Vec::new();
    for seed in seeds(cases) {
        let found = plan(seed).run(false).violations;
        if !found.is_empty() {
            failed.push((seed, found));
        }
    }
    if let Some((seed, found)) = failed.first() {
        let kind = found[0].split(": ").nth(1).unwrap_or_default().to_string();
        let wrong = |plan: &Plan| plan.run(false).violations.iter().any(|found| found.contains(&kind));
        let story = report(&plan(*seed).shrunk(&wrong));
        let all: String = failed.iter().map(|(seed, found)| format!("\n  {seed}: {}", found.join("; "))).collect();
        panic!("{story}\nall seeds that failed: {}{all}\nreplay with SIMULATION_SEED={seed}", failed.len());
    }
}

#[test]
fn nothing_is_lost_and_the_pair_comes_to_rest_whatever_fails() {
    holds_for(100, Plan::random);
}

#[test]
fn planned_moves_need_no_rollback_file() {
    holds_for(30, Plan::planned);
    for seed in seeds(30) {
        let ledger = Plan::planned(seed).run(false);
        assert_eq!(ledger.only_in_files, 0, "a rollback file\n{}", report(&Plan::planned(seed)));
    }
}

#[test]
fn survey_of_rules() {
    for rule in crate::plan::rule::Rule::ALL {
        let (mut kinds, mut first) = (std::collections::BTreeMap::<String, u32>::new(), None);
        for seed in seeds(1000) {
            let found = crate::plan::rule::without(*rule, || Plan::random(seed).run(false)).violations;
            for kind in found.iter().filter_map(|found| found.split(": ").nth(1)) {
                *kinds.entry(kind.to_string()).or_default() += 1;
            }
            if first.is_none() && !found.is_empty() {
                first = Some(seed);
            }
        }
        println!("{rule:?}: {kinds:?} {first:?}");
    }
}
