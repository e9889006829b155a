//! `lab`: try the two suites on hosts of their own.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use lab::suite::Suite;
use lab::writer::Rate;
use lab::{compare, demo, scenario, story};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

#[derive(Parser)]
#[command(version, about)]
enum Cli {
    /// pid 1 of a host. The lab calls it.
    #[command(hide = true)]
    HostInit {
        #[arg(long)]
        name: String,
        #[arg(long)]
        dir: PathBuf,
        #[arg(long)]
        tree: PathBuf,
    },
    /// Both suites side by side, in a table.
    Compare {
        /// How often each scenario is played with each suite.
        #[arg(long, default_value_t = 5)]
        runs: usize,
        /// Only this one; may be given again.
        #[arg(long)]
        scenario: Vec<String>,
        /// Writes a second.
        #[arg(long, default_value_t = 200)]
        rate: u32,
        /// Put the table into this file as well.
        #[arg(long)]
        markdown: Option<PathBuf>,
        /// Put the timeline of every run into this directory.
        #[arg(long)]
        stories: Option<PathBuf>,
    },
    /// Two hosts, a failover and a failback, for a person to watch. About a minute.
    Demo,
    /// Play one scenario with one suite.
    Run {
        /// `scripts`, `ours` or `sticky`.
        #[arg(long, value_parser = suite)]
        suite: Suite,
        /// Its name, as in the list that a wrong name gives.
        #[arg(long)]
        scenario: String,
        /// Writes a second; 0 is as fast as it can.
        #[arg(long, default_value_t = 200)]
        rate: u32,
        /// Print what happened, from all sources.
        #[arg(long)]
        timeline: bool,
        /// With every line that keepalived logged.
        #[arg(long)]
        full: bool,
        /// Leave disks and logs of the hosts, and say where.
        #[arg(long)]
        keep: bool,
    },
}

fn suite(name: &str) -> Result<Suite, String> {
    match name {
        "scripts" => Ok(Suite::Scripts),
        "ours" => Ok(Suite::OURS),
        "sticky" => Ok(Suite::Ours { sticky: true }),
        _ => Err("scripts, ours or sticky".to_owned()),
    }
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("lab: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    if let Cli::HostInit { name, dir, tree } = cli {
        return lab::boot::run(&name, &dir, &tree);
    }
    let mut disks = tempfile::Builder::new().prefix("lab-").tempdir()?;
    tempfile::env::override_temp_dir(disks.path())
        .map_err(|other| anyhow!("disks go to {} already", other.display()))?;
    clear_when_interrupted(disks.path())?;
    disks.disable_cleanup(matches!(cli, Cli::Run { keep: true, .. }));
    play(cli)
}

/// The hosts die with this process whatever happens; their disks must not be left either.
fn clear_when_interrupted(disks: &Path) -> Result<()> {
    let disks = disks.to_owned();
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            let script = "sleep 1; exec rm -rf -- \"$1\"";
            let _ = Command::new("sh").args(["-c", script, "sh"]).arg(disks).spawn();
            std::process::exit(130);
        }
    });
    Ok(())
}

fn play(cli: Cli) -> Result<()> {
    match cli {
        Cli::HostInit { .. } => Ok(()),
        Cli::Demo => demo::demo(),
        Cli::Compare { runs, scenario, rate, markdown, stories } => {
            let scenarios = match scenario.as_slice() {
                [] => scenario::ALL.to_vec(),
                names => names.iter().map(|name| scenario::named(name)).collect::<Result<_>>()?,
            };
            let plan = compare::Plan { scenarios, runs, rate, stories };
            let table = compare::compare(&plan, |line| eprintln!("{line}"))?;
            print!("{table}");
            if let Some(file) = markdown {
                std::fs::write(&file, table).context(file.display().to_string())?;
            }
            Ok(())
        }
        Cli::Run { suite, scenario, rate, timeline, full, keep } => {
            let scenario = scenario::named(&scenario)?;
            let mut lab = lab::run::usual_lab()?;
            let rate = if rate == 0 { Rate::Unlimited } else { Rate::PerSecond(rate) };
            let record = scenario.run(&lab, suite, rate);
            if timeline || record.is_err() {
                println!("{}", story::render(&lab.told(full)));
            }
            if keep {
                lab.keep();
                println!("disks, logs and timeline of this run: {}", lab.dir().display());
            }
            println!("{}", record?);
            Ok(())
        }
    }
}
