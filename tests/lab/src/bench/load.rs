//! Planned moves while several clients write as much as leaves the machine some air, on data that
//! takes a while to copy.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Say;
use super::crash::fates;
use super::figures::{Figures, milliseconds, shown, table};
use super::flood::{BATCH, CLIENTS, Flood};
use super::rig::{LIMIT, Outcome, Rig};
use crate::keepalived;
use crate::readback::{bulk_missing, read_back};
use crate::redis_server;
use crate::suite::Suite;
use crate::wait;

/// Writes a second that are tried.
const RATE: u64 = 25_000;
/// What is there before.
const MEGABYTES: usize = 500;
/// How long the rate is looked at before anything is moved.
const CALM: Duration = Duration::from_secs(2);

struct Round {
    rate: f64,
    idle: f64,
    stop: Outcome,
    failback: Outcome,
}

/// The benchmark.
pub fn load(runs: usize, say: Say<'_>) -> Result<String> {
    load_of(runs, MEGABYTES, RATE, say)
}

/// The same with another amount of data, and writes a second.
pub fn load_of(runs: usize, megabytes: usize, rate: u64, say: Say<'_>) -> Result<String> {
    let mut rows = Vec::new();
    // One after the other: two pairs with so much data would be in each other's way.
    for (name, suite) in [("plain", Suite::OURS), ("fast", Suite::FAST)] {
        match rounds(suite, runs, megabytes, rate, say) {
            Ok(rounds) => {
                rows.push(row(&format!("{name}, planned stop"), &rounds, |round| {
                    &round.stop
                }));
                rows.push(row(&format!("{name}, failback"), &rounds, |round| {
                    &round.failback
                }));
            }
            Err(e) => {
                say(&format!("load, {name}: {e:#}"));
                rows.push(vec![format!("{name}: {e:#}")]);
            }
        }
    }
    let head = [
        "",
        "runs",
        "writes/s before",
        "CPU idle before",
        "median",
        "95 %",
        "lowest - highest",
        "acknowledged",
        "lost",
        "in files",
    ];
    Ok(format!(
        "The longest time in which none of {CLIENTS} clients had a write acknowledged that send \
         {BATCH} writes at a time, \
         {rate} a second in all, to a pair with {megabytes} MB of data, while keepalived of the \
         serving host is stopped, \
         and when it is back. The clients run on the same machine as both Redis. Every \
         acknowledged write is read back.\n\n{}",
        table(&head, &rows)
    ))
}

fn row(name: &str, rounds: &[Round], of: fn(&Round) -> &Outcome) -> Vec<String> {
    let rate = Figures::new(rounds.iter().map(|round| round.rate).collect());
    let idle = Figures::new(rounds.iter().map(|round| round.idle).collect());
    let gap = Figures::times(rounds.iter().map(|round| of(round).gap));
    let outcomes: Vec<Outcome> = rounds.iter().map(|round| of(round).clone()).collect();
    let mut row = vec![name.to_owned(), rounds.len().to_string()];
    row.extend([
        format!("{:.0}", rate.median()),
        format!("{:.0} %", idle.median() * 100.0),
    ]);
    row.extend(gap.cells(milliseconds));
    row.extend(fates(&outcomes));
    row
}

fn rounds(
    suite: Suite,
    runs: usize,
    megabytes: usize,
    rate: u64,
    say: Say<'_>,
) -> Result<Vec<Round>> {
    let rig = Rig::new(suite)?;
    redis_server::fill(rig.lab.a(), megabytes)?;
    let mut rounds = Vec::new();
    for number in 0..runs {
        let first = u64::try_from(number).unwrap_or_default() * 10_000_000;
        let round = round(&rig, rate, first)?;
        let missing = bulk_missing(&rig.lab, megabytes)?;
        say(&format!(
            "load, {}: {:.0} writes/s, {:.0} % idle, stop {}, failback {}; {} + {} lost, \
             {missing} MB lost",
            suite.name(),
            round.rate,
            round.idle * 100.0,
            shown(round.stop.gap),
            shown(round.failback.gap),
            round.stop.lost,
            round.failback.lost
        ));
        anyhow::ensure!(missing == 0, "{missing} of {megabytes} MB are lost");
        rounds.push(round);
    }
    Ok(rounds)
}

fn round(rig: &Rig, rate: u64, first: u64) -> Result<Round> {
    rig.settle()?;
    let lab = &rig.lab;
    let (a, b) = (lab.a(), lab.b());
    let flood = Flood::start(lab, rate, first);
    let more = |count: usize| {
        let before = flood.acknowledged();
        wait::until(&format!("{count} more writes"), LIMIT, || {
            flood.acknowledged() >= before + count
        })
    };
    more(1000)?;
    let (clock, before, cpu) = (Instant::now(), flood.acknowledged(), Cpu::now()?);
    wait::until("writes go on", LIMIT, || clock.elapsed() >= CALM)?;
    let rate = (flood.acknowledged() - before) as f64 / clock.elapsed().as_secs_f64();
    let idle = Cpu::now()?.idle_since(&cpu);
    let from = lab.story.now();
    keepalived::stop(a)?;
    wait::until("the roles are swapped", LIMIT, || {
        lab.serves(b) && lab.follows(a)
    })?;
    more(1000)?;
    let between = lab.story.now();
    rig.suite.start_keepalived(a)?;
    wait::until("the roles are back", LIMIT, || {
        lab.serves(a) && lab.follows(b)
    })?;
    more(1000)?;
    let to = lab.story.now();
    let written = flood.stop()?;
    let fate = read_back(lab, &written)?;
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
        rate,
        idle,
        stop: outcome(from, between),
        failback: outcome(between, to),
    })
}

/// Ticks of all processors since boot.
struct Cpu {
    idle: u64,
    all: u64,
}

impl Cpu {
    fn now() -> Result<Cpu> {
        let text = std::fs::read_to_string("/proc/stat")?;
        let line = text.lines().next().context("an empty /proc/stat")?;
        let ticks: Vec<u64> = line
            .split_whitespace()
            .skip(1)
            .filter_map(|word| word.parse().ok())
            .collect();
        let idle =
            ticks.get(3).copied().unwrap_or_default() + ticks.get(4).copied().unwrap_or_default();
        // The two last are counted in the first two.
        Ok(Cpu {
            idle,
            all: ticks.iter().take(8).sum(),
        })
    }

    fn idle_since(&self, before: &Cpu) -> f64 {
        (self.idle - before.idle) as f64 / (self.all - before.all).max(1) as f64
    }
}
