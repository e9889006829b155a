//! Benchmarks: what ours costs and how long it takes, against what else there is, in one run and in
//! turns.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};

use crate::suite;

pub mod by_hand;
pub mod check;
pub mod crash;
pub mod figures;
pub mod flood;
pub mod handover;
pub mod load;
pub mod machine;
pub mod moves;
pub mod rig;
pub mod runner;
pub mod sentinels;
pub mod sync;

/// Where progress goes, a line at a time.
pub type Say<'a> = &'a (dyn Fn(&str) + Sync);

/// What is measured.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Names of benchmarks; all of them when there is none.
    pub names: Vec<String>,
    /// How often each side; `None` is the benchmark's own number.
    pub runs: Option<usize>,
}

struct Bench {
    name: &'static str,
    title: &'static str,
    runs: usize,
    run: fn(usize, Say<'_>) -> Result<String>,
}

const ALL: [Bench; 6] = [
    Bench {
        name: "check",
        title: "What a check costs",
        runs: 300,
        run: check::check,
    },
    Bench {
        name: "crash",
        title: "`kill -9` of the serving Redis",
        runs: 20,
        run: crash::crash,
    },
    Bench {
        name: "moves",
        title: "Planned stop, failback, and the handover alone",
        runs: 8,
        run: moves::moves,
    },
    Bench {
        name: "handover",
        title: "How long `redis_master` takes",
        runs: 100,
        run: handover::handover,
    },
    Bench {
        name: "load",
        title: "Handover under load",
        runs: 3,
        run: load::load,
    },
    Bench {
        name: "sync",
        title: "From in sync to serving",
        runs: 6,
        run: sync::sync,
    },
];

/// Measures, tells `say` how it goes, and gives back a page of Markdown.
pub fn bench(plan: &Plan, say: Say<'_>) -> Result<String> {
    let named = |name: &String| {
        let found = ALL.iter().find(|bench| bench.name == name);
        found.with_context(|| {
            format!(
                "no benchmark {name}; there are: {}",
                ALL.map(|bench| bench.name).join(" ")
            )
        })
    };
    let chosen: Vec<&Bench> = match plan.names.as_slice() {
        [] => ALL.iter().collect(),
        names => names.iter().map(named).collect::<Result<_>>()?,
    };
    let mut page = heading()?;
    let mut failed = Vec::new();
    for bench in chosen {
        let runs = plan.runs.unwrap_or(bench.runs).max(1);
        say(&format!("== {}: {runs} runs of each", bench.name));
        let clock = std::time::Instant::now();
        let _ = write!(page, "\n## {}\n\n", bench.title);
        match (bench.run)(runs, say) {
            Ok(text) => page.push_str(&text),
            Err(e) => {
                say(&format!("{}: {e:#}", bench.name));
                let _ = writeln!(page, "Came to nothing: {e:#}");
                failed.push(bench.name);
            }
        }
        let _ = write!(
            page,
            "\n`{}`, {runs} runs of each, {} s.\n",
            bench.name,
            clock.elapsed().as_secs()
        );
    }
    if failed.is_empty() {
        return Ok(page);
    }
    say(&page);
    bail!("these came to nothing: {}", failed.join(" "))
}

fn heading() -> Result<String> {
    let machine = machine::described(&suite::programs()?);
    Ok(format!(
        "# Benchmarks\n\n\
         Made by one command, which anybody can repeat (as root; a quiet machine, half an \
         hour):\n\n\
         ```sh\n{COMMAND}\n```\n\n\
         Measured on: {machine}\n\n\
         Hosts are namespaces of that machine, so a network of no length is between them; what is \
         compared shares it. \
         Each cell is a median, or a median with (95th percentile; lowest - highest).\n\n\
         A client gives up on an answer after {} ms, on all sides, and connects anew. That counts \
         where the VIP leaves a \
         host that lives, in a planned stop: a packet that reaches the host just after that is \
         dropped without a word, \
         and the client knows nothing until its own patience, or 200 ms later TCP's, is at an \
         end. With a patience of \
         100 ms a planned stop takes 110 ms.\n",
        rig::PATIENCE.as_millis(),
    ))
}

/// What makes the whole page.
const COMMAND: &str = "sudo cargo run --release -p lab -- bench --markdown docs/benchmarks.md";
