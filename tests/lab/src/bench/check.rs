//! What a check costs: `check_redis` against the line that everybody copies, `redis-cli`, and the
//! least there can be.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::Say;
use super::figures::{Figures, milliseconds, table};
use super::machine::linked;
use super::runner::{self, Cost, PLACE, Runner};
use crate::lab::Lab;
use crate::redis_server::{Boot, PASSWORD, PORT, Settings};
use crate::run;
use crate::suite::{self, Suite};

/// Not counted: the first ones read their files from the disk.
const WARM: usize = 5;

/// What the runs of one command cost.
#[derive(Clone, Debug)]
pub struct Side {
    /// For the table.
    pub name: String,
    /// Milliseconds.
    pub wall: Figures,
    /// Milliseconds, with all that it started.
    pub cpu: Figures,
    /// Kilobytes; the greatest of all runs.
    pub peak: u64,
    /// The same of what started it.
    pub parent: u64,
}

/// The benchmark.
pub fn check(runs: usize, say: Say<'_>) -> Result<String> {
    let built = runner::build().context("building the floor")?;
    let sides = measure(runs, &built, say)?;
    let [ours, eligible, shell, _, floor] = sides.as_slice() else {
        anyhow::bail!("sides are missing")
    };
    let row = |side: &Side| {
        vec![
            side.name.clone(),
            side.wall.cell(milliseconds),
            side.cpu.cell(milliseconds),
            format!("{} kB", side.peak),
            format!(
                "{} / {}",
                side.wall.times_of(&ours.wall),
                side.cpu.times_of(&ours.cpu)
            ),
            format!(
                "{} / {}",
                side.wall.times_of(&floor.wall),
                side.cpu.times_of(&floor.cpu)
            ),
        ]
    };
    let head = [
        "",
        "wall",
        "CPU",
        "peak memory",
        "÷ `check_redis` (wall / CPU)",
        "÷ floor (wall / CPU)",
    ];
    let rows: Vec<Vec<String>> = sides.iter().map(row).collect();
    let eighth = |side: &Side| {
        let (wall, cpu) = (
            side.wall.median() / shell.wall.median(),
            side.cpu.median() / shell.cpu.median(),
        );
        format!(
            "1/{:.1} of its wall time, 1/{:.1} of its CPU time",
            1.0 / wall,
            1.0 / cpu
        )
    };
    Ok(format!(
        "Each was started in turns, on the host that holds the VIP of a pair in sync, by a small \
         parent that lives in \
         that host (no shell, no nsenter; stdin and stdout on /dev/null, as under keepalived). \
         CPU is user and system \
         time of the program and of all that it started. Peak memory is the kernel's `ru_maxrss`, \
         the highest of all \
         runs and of all its processes; it counts the parent's pages from before exec too, and \
         the parent has {} kB, \
         so no figure is below that. The floor opens one TCP connection, sends PING and reads the \
         answer; it is \
         built like the programs ({}). `check_redis` with what it has to know: the configuration, \
         the password, the \
         role of this node.\n\n{}\n\
         Against the shell script: `check_redis` {}, `--eligible` {}.\n",
        ours.parent,
        linked(&built.join("floor")),
        table(&head, &rows),
        eighth(ours),
        eighth(eligible),
    ))
}

/// Runs all of them so many times, in turns. `built` has `floor` and `runner`. In order:
/// `check_redis`, `--eligible`, the shell, `redis-cli`, the floor.
pub fn measure(runs: usize, built: &Path, say: Say<'_>) -> Result<Vec<Side>> {
    Suite::OURS.prepare()?;
    let lab = Lab::new(Settings {
        boot: Boot::AsReplica,
        ..Settings::default()
    })?;
    run::bring_up(&lab, Suite::OURS)?;
    let host = lab.a();
    runner::install(host, built)?;
    let listens = format!("ss -tnlp | grep {PORT}");
    let pings = format!("REDISCLI_AUTH=\"{PASSWORD}\" redis-cli ping | grep PONG");
    let (floor, address) = (format!("{PLACE}/floor"), format!("{}:{PORT}", host.address));
    let check = "/usr/libexec/keepalived/check_redis";
    let commands: [(String, Vec<&str>); 5] = [
        (
            format!(
                "`check_redis` ({})",
                linked(&suite::programs()?.join("check_redis"))
            ),
            vec![check],
        ),
        (
            "`check_redis --eligible`".to_owned(),
            vec![check, "--eligible"],
        ),
        (
            format!("`bash -c '{}'`", listens.replace('|', "\\|")),
            vec!["/bin/bash", "-c", &listens],
        ),
        (
            "`bash -c 'redis-cli ping \\| grep PONG'`".to_owned(),
            vec!["/bin/bash", "-c", &pings],
        ),
        ("the floor".to_owned(), vec![&floor, &address]),
    ];
    let mut runners = Vec::new();
    for (name, words) in commands {
        runners.push((name, Runner::new(host, &words)?, Vec::<Cost>::new()));
    }
    let sides = runners.len();
    for number in 0..runs + WARM {
        // Nobody is always the one after the same other.
        for step in 0..sides {
            let index = (step + number) % sides;
            let Some((name, runner, costs)) = runners.get_mut(index) else {
                continue;
            };
            let cost = runner.run()?;
            ensure!(cost.code == 0, "{name} ended with {}", cost.code);
            costs.push(cost);
        }
        if number % 50 == 49 {
            say(&format!("check: {} of {}", number + 1, runs + WARM));
        }
    }
    Ok(runners
        .into_iter()
        .map(|(name, _, costs)| side(name, &costs))
        .collect())
}

fn side(name: String, costs: &[Cost]) -> Side {
    let counted = costs.get(WARM..).unwrap_or_default();
    Side {
        name,
        wall: Figures::times(counted.iter().map(|cost| cost.wall)),
        cpu: Figures::times(counted.iter().map(|cost| cost.cpu)),
        peak: costs.iter().map(|cost| cost.peak).max().unwrap_or_default(),
        parent: costs.iter().map(|cost| cost.own).max().unwrap_or_default(),
    }
}
