//! `measure ROUNDS PROGRAM [ARG...] [-- PROGRAM [ARG...]]...`: runs the programs in turns and says
//! of each, as `key=value`: wall time in microseconds (median, 10 %, 90 %), CPU time (mean), page
//! faults (mean), the exit codes; and the greatest memory in kB that any of them ever had, which is
//! not less than what this program itself has: the kernel counts the memory from before exec in.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::io::{Error, Result, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// Before any run counts: files come into the page cache.
const WARM_UP: usize = 20;

#[derive(Default)]
struct Found {
    walls: Vec<f64>,
    cpu: f64,
    faults: f64,
    codes: BTreeSet<i32>,
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let usage = || Error::other("usage: measure ROUNDS PROGRAM [ARG...] [-- PROGRAM [ARG...]]...");
    let (rounds, words) = words.split_first().ok_or_else(usage)?;
    let rounds: usize = rounds.parse().map_err(|_| usage())?;
    let sides: Vec<&[String]> = words.split(|word| word == "--").collect();
    let mut found: Vec<Found> = sides.iter().map(|_| Found::default()).collect();
    for round in 0..rounds + WARM_UP {
        for (words, found) in sides.iter().zip(&mut found) {
            let mut side = run(words)?;
            if round < WARM_UP {
                continue;
            }
            found.walls.append(&mut side.walls);
            found.codes.append(&mut side.codes);
            found.cpu += side.cpu;
            found.faults += side.faults;
        }
    }
    let runs = rounds as f64;
    for mut side in found {
        side.walls.sort_by(f64::total_cmp);
        let at = |part: f64| side.walls.get((runs * part) as usize).copied().unwrap_or_default();
        writeln!(
            std::io::stdout(),
            "wall={:.0} low={:.0} high={:.0} cpu={:.0} faults={:.0} peak={} codes={:?}",
            at(0.5),
            at(0.1),
            at(0.9),
            side.cpu / runs,
            side.faults / runs,
            getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss(),
            side.codes,
        )?;
    }
    Ok(())
}

fn run(words: &[String]) -> Result<Found> {
    let (program, args) = words.split_first().ok_or_else(|| Error::other("a program is missing"))?;
    let before = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let clock = Instant::now();
    let quiet = || Stdio::null();
    let status = Command::new(program).args(args).stdin(quiet()).stdout(quiet()).stderr(quiet()).status()?;
    let wall = clock.elapsed().as_secs_f64() * 1e6;
    let after = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let spent = |of: fn(&Usage) -> f64| of(&after) - of(&before);
    Ok(Found {
        walls: vec![wall],
        cpu: spent(|usage| (usage.user_time() + usage.system_time()).num_microseconds() as f64),
        faults: spent(|usage| usage.minor_page_faults() as f64),
        codes: BTreeSet::from([status.code().unwrap_or(-1)]),
    })
}
