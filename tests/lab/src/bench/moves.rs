//! Planned moves: keepalived is stopped, and comes back; and the handover alone, against Redis's
//! own `FAILOVER`.

use std::sync::Mutex;

use anyhow::{Result, anyhow};

use super::by_hand::{ByHand, Mover};
use super::crash::fates;
use super::figures::{Figures, milliseconds, shown, table};
use super::rig::{LIMIT, Outcome, PATIENCE, RATE, Rig, until_more};
use super::{Say, runner};
use crate::keepalived;
use crate::readback;
use crate::run::tell_of;
use crate::suite::Suite;
use crate::wait;

const SCRIPTS_AT_ONCE: usize = 4;

/// A stop and the way back.
struct Round {
    stop: Outcome,
    failback: Outcome,
}

/// One round: keepalived of the first host is stopped, and started again.
fn round(rig: &mut Rig) -> Result<Round> {
    rig.settle()?;
    let writer = rig.writer()?;
    let (a, b) = (rig.lab.a().clone(), rig.lab.b().clone());
    let from = rig.lab.story.now();
    keepalived::stop(&a)?;
    // The scripts leave two masters: the old one is not asked.
    let promoted = || rig.lab.holders() == [b.name.as_str()] && rig.lab.masters().contains(&b.name);
    wait::until("the second host serves", LIMIT, promoted)?;
    if rig.suite != Suite::Scripts {
        wait::until("the first host follows", LIMIT, || rig.lab.follows(&a))?;
    }
    until_more(&writer, 100)?;
    let between = rig.lab.story.now();
    rig.suite.start_keepalived(&a)?;
    // Not before the VIP is back: until then the second host serves.
    wait::until("the VIP is back", LIMIT, || {
        rig.lab.holders() == [a.name.as_str()]
    })?;
    rig.settle()?;
    until_more(&writer, 100)?;
    let to = rig.lab.story.now();
    let written = rig.end(writer)?;
    let fate = readback::read_back(&rig.lab, &written)?;
    tell_of(&rig.lab.story, &fate.lost, "lost");
    let outcome = |from, to| Outcome {
        gap: written.longest_gap(from, to).0,
        acknowledged: written.count(from, to),
        lost: fate
            .lost
            .iter()
            .filter(|ack| (from..to).contains(&ack.at))
            .count(),
        in_files: fate
            .in_files
            .iter()
            .filter(|ack| (from..to).contains(&ack.at))
            .count(),
    };
    Ok(Round {
        stop: outcome(from, between),
        failback: outcome(between, to),
    })
}

#[derive(Default)]
struct Side {
    rounds: Vec<Round>,
    failures: usize,
}

impl Side {
    fn once_more(&mut self, rig: &mut Option<Rig>, suite: Suite, say: Say<'_>) {
        if self.failures >= 3 {
            return;
        }
        let ready = rig.take().map_or_else(|| Rig::new(suite), Ok);
        let played = ready.and_then(|mut ready| Ok((round(&mut ready)?, ready)));
        match played {
            Ok((round, ready)) => {
                let (stop, failback) = (&round.stop, &round.failback);
                say(&format!(
                    "moves, {}: stop {}, failback {}; {} + {} lost",
                    suite.name(),
                    shown(stop.gap),
                    shown(failback.gap),
                    stop.lost,
                    failback.lost
                ));
                self.rounds.push(round);
                *rig = Some(ready);
            }
            Err(e) => {
                say(&format!("moves, {}: {e:#}", suite.name()));
                self.failures += 1;
            }
        }
    }
}

/// The benchmark.
pub fn moves(runs: usize, say: Say<'_>) -> Result<String> {
    let scripts = scripts(runs, say)?;
    let mut ours = [
        (Suite::OURS, None, Side::default()),
        (Suite::FAST, None, Side::default()),
    ];
    for _ in 0..runs {
        for (suite, rig, side) in &mut ours {
            side.once_more(rig, *suite, say);
        }
    }
    let [(_, plain_rig, plain), (_, fast_rig, fast)] = ours;
    drop((plain_rig, fast_rig));
    let sides = [
        ("shell scripts", &scripts),
        ("plain profile", &plain),
        ("fast profile", &fast),
    ];
    let mut text = format!(
        "The longest time without an acknowledged write through the VIP, at {RATE} writes a \
         second (each given up \
         after {} ms: a gap of about that is one packet that was on its way to a host that had \
         just lost the VIP). \
         *Stop*: keepalived of the serving host is stopped. *Failback*: it is started again, and \
         takes the VIP back. \
         *Lost*: read back after each failback.\n\n",
        PATIENCE.as_millis()
    );
    text.push_str(&events("planned stop", &sides, |round| &round.stop));
    text.push('\n');
    text.push_str(&events("failback", &sides, |round| &round.failback));
    text.push_str(&alone(runs, say)?);
    Ok(text)
}

fn events(event: &str, sides: &[(&str, &Side)], of: fn(&Round) -> &Outcome) -> String {
    let gaps = |side: &Side| Figures::times(side.rounds.iter().map(|round| of(round).gap));
    let fast = sides.last().map(|(_, side)| gaps(side)).unwrap_or_default();
    let rows = sides.iter().map(|(name, side)| {
        let gap = gaps(side);
        let outcomes: Vec<Outcome> = side.rounds.iter().map(|round| of(round).clone()).collect();
        let mut row = vec![(*name).to_owned(), gap.count().to_string()];
        row.extend(gap.cells(milliseconds));
        row.push(gap.times_of(&fast));
        row.extend(fates(&outcomes));
        row.push(side.failures.to_string());
        row
    });
    let head = [
        event,
        "runs",
        "median",
        "95 %",
        "lowest - highest",
        "÷ fast",
        "acknowledged",
        "lost",
        "in files",
        "failed runs",
    ];
    table(&head, &rows.collect::<Vec<_>>())
}

fn scripts(runs: usize, say: Say<'_>) -> Result<Side> {
    let all = Mutex::new(Side::default());
    std::thread::scope(|scope| {
        let at_once = SCRIPTS_AT_ONCE.min(runs);
        for number in 0..at_once {
            let all = &all;
            scope.spawn(move || {
                let (mut rig, mut own) = (None, Side::default());
                // Shares that differ by one at most.
                for _ in (number..runs).step_by(at_once) {
                    own.once_more(&mut rig, Suite::Scripts, say);
                }
                drop(rig);
                if let Ok(mut all) = all.lock() {
                    all.rounds.append(&mut own.rounds);
                    all.failures += own.failures;
                }
            });
        }
    });
    all.into_inner().map_err(|_| anyhow!("a thread died"))
}

fn alone(runs: usize, say: Say<'_>) -> Result<String> {
    let mut pair = ByHand::new(&runner::build()?)?;
    let mut sides = [
        (Mover::RedisMaster, Vec::new()),
        (Mover::Failover, Vec::new()),
    ];
    let mut to = 1;
    for _ in 0..runs {
        for (mover, outcomes) in &mut sides {
            // There and back, so that neither of the two is always moving the same way.
            for _ in 0..2 {
                let outcome = pair.swap(to, *mover)?;
                say(&format!(
                    "moves, {mover:?}: {}, {} lost",
                    shown(outcome.gap),
                    outcome.lost
                ));
                outcomes.push(outcome);
                to = 1 - to;
            }
        }
    }
    let gaps = sides
        .each_ref()
        .map(|(_, outcomes)| Figures::times(outcomes.iter().map(|outcome| outcome.gap)));
    let [ours, _] = &gaps;
    let names = ["`redis_master`", "`FAILOVER TO` (Redis's own)"];
    let rows = names
        .iter()
        .zip(&gaps)
        .zip(&sides)
        .map(|((name, gap), (_, outcomes))| {
            let mut row = vec![(*name).to_owned(), gap.count().to_string()];
            row.extend(gap.cells(milliseconds));
            row.push(gap.times_of(ours));
            row.extend(fates(outcomes).into_iter().take(2));
            row
        });
    let head = [
        "handover alone",
        "runs",
        "median",
        "95 %",
        "lowest - highest",
        "÷ ours",
        "acknowledged",
        "lost",
    ];
    Ok(format!(
        "\nThe handover alone, without keepalived: the client's packets for the VIP are sent to \
         the other host, at that \
         very moment `redis_master` is started there, or the old master is told `FAILOVER TO` it; \
         from the last write \
         that the old one acknowledged to the first that the new one did.\n\n{}",
        table(&head, &rows.collect::<Vec<_>>())
    ))
}
