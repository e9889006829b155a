//! One round: its faults, the healing, and what came out.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::field::{self, Field};
use super::kind::{Class, Kind};
use super::ledger::Ledger;
use super::plan::{Fault, Round, Victim};
use super::tally::Outcome;
use crate::clients::Clients;
use crate::lab::Lab;
use crate::redis_client::Reply;
use crate::redis_server;
use crate::suite::Suite;
use crate::wait;

/// Healed, a pair has this long to settle.
const SETTLE: Duration = Duration::from_secs(60);
/// For so long it must stay so.
const STEADY: Duration = Duration::from_secs(1);
/// After its keepalived the network of a host comes this much later, where it is late.
const LATE: Duration = Duration::from_secs(3);
/// A master that was lost in the middle of a copy is away for so long.
const LONG: Duration = Duration::from_secs(26);

#[derive(Clone, Copy)]
enum Act {
    Begin,
    End,
    Later,
}

/// What is done in a round, in the order of time.
fn acts(round: &Round) -> Vec<(Duration, Act, &Fault)> {
    let mut acts = Vec::new();
    for fault in &round.faults {
        acts.push((fault.after, Act::Begin, fault));
        if fault.kind.lasts() {
            acts.push((fault.end(), Act::End, fault));
        }
        match fault.kind {
            Kind::LateNetwork => acts.push((fault.end() + LATE, Act::Later, fault)),
            Kind::ColdStart => {
                let apart = Duration::from_millis(fault.salt % 6000);
                acts.push((fault.end() + apart, Act::Later, fault));
            }
            // Half of the time longer than a node waits for one that is silent.
            Kind::LostInCopy => {
                let away = if fault.salt % 2 == 0 { LATE } else { LONG };
                acts.push((fault.end() + away, Act::Later, fault));
            }
            _ => {}
        }
    }
    acts.sort_by_key(|(at, ..)| *at);
    acts
}

/// Plays one round on a settled pair, and looks for every write that was acknowledged.
///
/// # Errors
/// Where the lab itself fails.
pub fn play(
    lab: &Lab,
    suite: Suite,
    clients: &Clients,
    ledger: &mut Ledger,
    round: &Round,
) -> Result<Outcome> {
    let mut field = Field::new(lab, suite, clients)?;
    if round
        .faults
        .iter()
        .any(|fault| fault.kind.class() == Class::Hand)
    {
        field::until_at_rest(lab);
    }
    let serving = usize::from(lab.holders().contains(&lab.b().name));
    lab.story.add(
        "lab",
        "does",
        format!("round {round}; {} serves", lab.hosts[serving].name),
    );
    let (before, _) = clients.acknowledged();
    let (from, start) = (lab.story.now(), Instant::now());
    for (at, act, fault) in acts(round) {
        std::thread::sleep(at.saturating_sub(start.elapsed()));
        let victims = match fault.victim {
            Victim::Serving => vec![serving],
            Victim::Other => vec![1 - serving],
            // Once is enough for what is between the two.
            Victim::Both if fault.kind == Kind::Partition => vec![serving],
            Victim::Both => vec![serving, 1 - serving],
        };
        for index in victims {
            let done = match act {
                Act::Begin => field.begin(fault, index),
                Act::End => field.end(fault, index),
                Act::Later => field.later(fault, index),
            };
            if let Err(e) = done {
                lab.story.add(
                    "lab",
                    "does",
                    format!("{} in vain: {e:#}", fault.kind.name()),
                );
            }
        }
    }
    field.heal();
    let healed = lab.story.now();
    lab.story.add("lab", "does", "all is healed");
    let settled = until_settled(lab, clients, &mut field, healed);
    let to = lab.story.now();
    let mut outcome = Outcome {
        number: round.number,
        kinds: round.faults.iter().map(|fault| fault.kind).collect(),
        gap: clients.longest_gap(from, to),
        acknowledged: clients.acknowledged().0.saturating_sub(before),
        in_files: 0,
        lost: 0,
        settled: settled.then(|| to.saturating_sub(healed + STEADY)),
        took: Duration::ZERO,
        wrong: None,
        told: Vec::new(),
    };
    match ledger.check(lab, clients) {
        Ok(found) if settled => {
            (outcome.in_files, outcome.lost) = (found.in_files, found.lost);
            outcome.told = found.told;
        }
        // No verdict on a pair that is not at rest: its files may be under way.
        Ok(found) => outcome.wrong = Some(format!("{} are missing for now", found.lost)),
        Err(e) => outcome.wrong = Some(format!("{e:#}")),
    }
    if settled {
        outcome.wrong = outcome.wrong.or_else(|| left_behind(lab));
    }
    outcome.took = lab.story.now().saturating_sub(from);
    Ok(outcome)
}

fn until_settled(lab: &Lab, clients: &Clients, field: &mut Field<'_>, healed: Duration) -> bool {
    let mut looked = Instant::now();
    let settled = wait::until_steady("settled", STEADY, SETTLE + STEADY, || {
        if looked.elapsed() > Duration::from_secs(1) {
            looked = Instant::now();
            if let Err(e) = field.revive() {
                lab.story.add("lab", "does", format!("in vain: {e:#}"));
            }
        }
        let (_, last) = clients.acknowledged();
        let now = lab.story.now();
        last > healed
            && now.saturating_sub(last) < Duration::from_millis(500)
            && field::is_settled(lab)
    });
    if settled.is_err() {
        lab.story.add("lab", "does", "not settled");
    }
    settled.is_ok()
}

/// What the programs change for a moment and must put back.
fn left_behind(lab: &Lab) -> Option<String> {
    for host in &lab.hosts {
        for (setting, wanted) in [
            ("min-replicas-to-write", "0"),
            ("repl-diskless-sync-delay", "1"),
        ] {
            let reply = redis_server::call(host, &["CONFIG", "GET", setting]);
            let pair = reply.ok().and_then(Reply::texts);
            if let Some(value) = pair.and_then(|pair| pair.into_iter().nth(1))
                && value != wanted
            {
                return Some(format!("{setting} is {value} on {}", host.name));
            }
        }
    }
    None
}
