//! `lab`: try the two suites on hosts of their own.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use clap::{Parser, ValueEnum};
use lab::cluster::{self, Profile, Setup, Shape, report};
use lab::lab::Lab;
use lab::redis_server::{Boot, Persistence, Settings};
use lab::sentinel::server;
use lab::server::Server;
use lab::suite::Suite;
use lab::writer::Rate;
use lab::{bench, campaign, compare, demo, matrix, run, scenario, soak, story};
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
    /// Benchmarks, each against what else there is, in one run.
    Bench {
        /// `check`, `crash`, `moves`, `handover`, `load`, `sync`; all of them when none is named.
        names: Vec<String>,
        /// How often each side is measured; every benchmark has a number of its own.
        #[arg(long)]
        runs: Option<usize>,
        /// Put the tables into this file as well.
        #[arg(long)]
        markdown: Option<PathBuf>,
    },
    /// Random faults that overlap, on a pair under load, and a look for every acknowledged write.
    Campaign(Campaign),
    /// The table of what campaigns have recorded.
    CampaignTable {
        /// Files of `campaign --record`.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// The suites side by side, in a table, and one event as a picture.
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
        #[command(flatten)]
        redis: Redis,
        /// Put the table into this file as well.
        #[arg(long)]
        markdown: Option<PathBuf>,
        /// Put the timeline of every run into this directory.
        #[arg(long)]
        stories: Option<PathBuf>,
        /// Play the fast profile as well.
        #[arg(long)]
        with_fast: bool,
        /// Draw the first run of the first scenario into this file, writes a second over time.
        #[arg(long)]
        svg: Option<PathBuf>,
    },
    /// Two hosts, a failover and a failback, for a person to watch. About a minute.
    Demo,
    /// Failover, failback and handover on every server: Redis 5.0, 6.2, this machine's own, 8.2,
    /// Valkey 8.1.
    Matrix {
        /// Only this one; may be given again.
        #[arg(long, value_enum)]
        server: Vec<Server>,
        /// How often each.
        #[arg(long, default_value_t = 1)]
        runs: usize,
        /// Writes a second.
        #[arg(long, default_value_t = 200)]
        rate: u32,
        #[command(flatten)]
        redis: Redis,
        /// Put the table into this file as well.
        #[arg(long)]
        markdown: Option<PathBuf>,
        /// Put the timeline of every run into this directory.
        #[arg(long)]
        stories: Option<PathBuf>,
    },
    /// Play one scenario with one suite.
    Run {
        /// `scripts`, `ours`, `sticky` or `fast`.
        #[arg(long, value_parser = suite)]
        suite: Suite,
        /// Its name, as in the list that a wrong name gives.
        #[arg(long)]
        scenario: String,
        /// Writes a second; 0 is as fast as it can.
        #[arg(long, default_value_t = 200)]
        rate: u32,
        #[command(flatten)]
        redis: Redis,
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
    /// A pair to try things on by hand, until its standard input ends.
    Stand {
        /// `scripts`, `ours`, `sticky` or `fast`.
        #[arg(long, value_parser = suite, default_value = "ours")]
        suite: Suite,
    },
    /// Play clusters that Sentinel looks after: with keepalived and our programs, and with Sentinel
    /// alone.
    Sentinel(Sentinel),
    /// Keep a pair and all processors busy, and see that nothing moves.
    Soak {
        /// How long.
        #[arg(long, default_value_t = 60)]
        minutes: u64,
        /// `ours`, `sticky` or `fast`.
        #[arg(long, value_parser = suite, default_value = "fast")]
        suite: Suite,
    },
}

/// What `lab campaign` is told.
#[derive(clap::Args)]
struct Campaign {
    /// The same number, the same faults.
    #[arg(long)]
    seed: u64,
    /// How many.
    #[arg(long, default_value_t = 200)]
    faults: usize,
    /// In which role Redis starts.
    #[arg(long, value_enum, default_value_t = Boot::AsReplica)]
    boot: Boot,
    /// What outlives a restart of it.
    #[arg(long, value_enum, default_value_t)]
    persistence: Persistence,
    /// Writes a second.
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// Megabytes that are there before the first fault.
    #[arg(long, default_value_t = 0)]
    megabytes: usize,
    /// In the fast profile.
    #[arg(long)]
    fast: bool,
    /// Only say what would be done.
    #[arg(long)]
    plan: bool,
    /// Play this round alone, on a fresh pair; may be given again.
    #[arg(long)]
    only: Vec<usize>,
    /// End at the first failure.
    #[arg(long)]
    stop_at_first: bool,
    /// Keep the timeline of every round, not only of those that fail or take long.
    #[arg(long)]
    timelines: bool,
    /// Append a line a round to this file.
    #[arg(long)]
    record: Option<PathBuf>,
    /// Without rollback files: shows that the campaign can fail.
    #[arg(long, hide = true)]
    keep_nothing: bool,
}

/// What `lab sentinel` is told.
#[derive(clap::Args)]
struct Sentinel {
    /// Only this one; may be given again. A wrong name gives the list.
    #[arg(long)]
    scenario: Vec<String>,
    /// Only on these hosts; may be given again.
    #[arg(long, value_enum)]
    shape: Vec<Shape>,
    /// Only with this; may be given again.
    #[arg(long, value_enum)]
    profile: Vec<Profile>,
    /// Seconds of a silence of the sentinels, and of the time at the end in which nothing may move.
    #[arg(long, default_value_t = 60)]
    quiet: u64,
    /// How often each.
    #[arg(long, default_value_t = 1)]
    runs: usize,
    /// Of the scenario "faults": the same ones again. Each further run has the next one.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes a second.
    #[arg(long, default_value_t = 1000)]
    rate: u32,
    /// Milliseconds until a sentinel finds a silent master down.
    #[arg(long, default_value_t = 5000)]
    down_after: u64,
    /// With Sentinel alone, let the client hear of a planned move from its errors only.
    #[arg(long)]
    deaf: bool,
    /// Let the quiet times of so many runs go by at once; what is measured is measured alone.
    #[arg(long, default_value_t = 4)]
    at_once: usize,
    /// Put the tables into this file as well.
    #[arg(long)]
    markdown: Option<PathBuf>,
    /// Print what happened in each run, from all sources.
    #[arg(long)]
    timeline: bool,
    /// Put the timeline of every run into this directory.
    #[arg(long)]
    stories: Option<PathBuf>,
}

/// How Redis is set up on both hosts.
#[derive(clap::Args)]
struct Redis {
    /// In which role it starts.
    #[arg(long, value_enum, default_value_t)]
    boot: Boot,
    /// What outlives a restart of it.
    #[arg(long, value_enum, default_value_t)]
    persistence: Persistence,
}

impl Redis {
    fn settings(&self) -> Settings {
        Settings {
            persistence: self.persistence,
            boot: self.boot,
            ..Settings::DEFAULT
        }
    }
}

fn suite(name: &str) -> Result<Suite, String> {
    match name {
        "scripts" => Ok(Suite::Scripts),
        "ours" => Ok(Suite::OURS),
        "sticky" => Ok(Suite::STICKY),
        "fast" => Ok(Suite::FAST),
        _ => Err("scripts, ours, sticky or fast".to_owned()),
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
            let _ = Command::new("sh")
                .args(["-c", script, "sh"])
                .arg(disks)
                .spawn();
            std::process::exit(130);
        }
    });
    Ok(())
}

fn play(cli: Cli) -> Result<()> {
    match cli {
        Cli::HostInit { .. } => Ok(()),
        Cli::Demo => demo::demo(),
        Cli::Bench {
            names,
            runs,
            markdown,
        } => {
            let text = bench::bench(&bench::Plan { names, runs }, &|line| eprintln!("{line}"))?;
            print!("{text}");
            if let Some(file) = markdown {
                std::fs::write(&file, text).context(file.display().to_string())?;
            }
            Ok(())
        }
        Cli::Campaign(told) => hurt(&told),
        Cli::CampaignTable { files } => {
            print!("{}", campaign::Tally::read(&files)?.summary());
            Ok(())
        }
        Cli::Compare {
            runs,
            scenario,
            rate,
            redis,
            markdown,
            stories,
            with_fast,
            svg,
        } => {
            let scenarios = match scenario.as_slice() {
                [] => scenario::ALL.to_vec(),
                names => names
                    .iter()
                    .map(|name| scenario::named(name))
                    .collect::<Result<_>>()?,
            };
            let mut suites = vec![Suite::Scripts, Suite::OURS];
            suites.extend(with_fast.then_some(Suite::FAST));
            let plan = compare::Plan {
                scenarios,
                suites,
                runs,
                rate,
                settings: redis.settings(),
                stories,
                svg,
            };
            let table = compare::compare(&plan, |line| eprintln!("{line}"))?;
            print!("{table}");
            if let Some(file) = markdown {
                std::fs::write(&file, table).context(file.display().to_string())?;
            }
            Ok(())
        }
        Cli::Matrix {
            server,
            runs,
            rate,
            redis,
            markdown,
            stories,
        } => {
            let servers = if server.is_empty() {
                Server::value_variants().to_vec()
            } else {
                server
            };
            let plan = matrix::Plan {
                servers,
                runs,
                rate,
                settings: redis.settings(),
                stories,
            };
            let matrix = matrix::matrix(&plan, |line| eprintln!("{line}"))?;
            print!("{}", matrix.text);
            if let Some(file) = markdown {
                std::fs::write(&file, &matrix.text).context(file.display().to_string())?;
            }
            ensure!(matrix.failed == 0, "{} runs failed", matrix.failed);
            Ok(())
        }
        Cli::Sentinel(told) => guarded(&told),
        Cli::Soak { minutes, suite } => {
            let soaked = soak::soak(suite, Duration::from_secs(60 * minutes))?;
            println!("{soaked}");
            ensure!(
                soaked.failures().is_empty(),
                "{} failures",
                soaked.failures().len()
            );
            Ok(())
        }
        Cli::Stand { suite } => {
            let lab = run::usual_lab()?;
            run::bring_up(&lab, suite)?;
            for host in &lab.hosts {
                println!("{}: {}", host.name, host.enter()?);
            }
            println!("the pair stands; it goes when this input ends (Ctrl-D)");
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
            Ok(())
        }
        Cli::Run {
            suite,
            scenario,
            rate,
            redis,
            timeline,
            full,
            keep,
        } => {
            let scenario = scenario::named(&scenario)?;
            let mut lab = Lab::new(redis.settings())?;
            let rate = if rate == 0 {
                Rate::Unlimited
            } else {
                Rate::PerSecond(rate)
            };
            let record = scenario.run(&lab, suite, rate);
            if timeline || record.is_err() {
                println!("{}", story::render(&lab.told(full)));
            }
            if keep {
                lab.keep();
                println!(
                    "disks, logs and timeline of this run: {}",
                    lab.dir().display()
                );
            }
            println!("{}", record?);
            Ok(())
        }
    }
}

fn guarded(told: &Sentinel) -> Result<()> {
    let all = |given: &[Profile]| match given {
        [] => vec![Profile::Alone, Profile::Plain, Profile::Fast],
        given => given.to_vec(),
    };
    let terms = server::Terms {
        down_after: Duration::from_millis(told.down_after),
        ..server::Terms::default()
    };
    let plan = report::Plan {
        scenarios: match told.scenario.as_slice() {
            [] => cluster::scenario::ALL.to_vec(),
            names => names
                .iter()
                .map(|name| cluster::scenario::named(name))
                .collect::<Result<_>>()?,
        },
        shapes: if told.shape.is_empty() {
            vec![Shape::Three, Shape::Witness]
        } else {
            told.shape.clone()
        },
        profiles: all(&told.profile),
        runs: told.runs,
        at_once: told.at_once,
        terms: cluster::scenario::Terms {
            rate: told.rate,
            long: Duration::from_secs(told.quiet),
            seed: told.seed,
        },
        setup: Setup {
            terms,
            deaf: told.deaf,
            ..Setup::default()
        },
        stories: told.stories.clone(),
        timeline: told.timeline,
    };
    let report = report::play(&plan, &|line| eprintln!("{line}"))?;
    print!("{}", report.text);
    if let Some(file) = &told.markdown {
        std::fs::write(file, &report.text).context(file.display().to_string())?;
    }
    ensure!(
        report.failed == 0,
        "{} runs were not as they have to be",
        report.failed
    );
    Ok(())
}

fn hurt(told: &Campaign) -> Result<()> {
    let settings = Settings {
        persistence: told.persistence,
        boot: told.boot,
        ..Settings::DEFAULT
    };
    // A round is the same in every plan of its seed.
    let faults = told
        .only
        .iter()
        .max()
        .map_or(told.faults, |round| 5 * round);
    let mut rounds = campaign::plan(told.seed, faults, settings);
    rounds.retain(|round| told.only.is_empty() || told.only.contains(&round.number));
    if told.plan {
        rounds.iter().for_each(|round| println!("{round}"));
        return Ok(());
    }
    let orders = campaign::Orders {
        seed: told.seed,
        rounds,
        settings,
        suite: if told.fast { Suite::FAST } else { Suite::OURS },
        rate: told.rate,
        megabytes: told.megabytes,
        stop_at_first: told.stop_at_first,
        timelines: told.timelines,
        record: told.record.clone(),
        keep_nothing: told.keep_nothing,
    };
    // Whoever reads may have gone; what was recorded counts all the same.
    let say = |line: &str| drop(writeln!(std::io::stdout(), "{line}"));
    let tally = campaign::campaign(&orders, &say)?;
    say(&tally.summary());
    match tally.failures() {
        0 => Ok(()),
        failed => Err(anyhow!("{failed} rounds failed")),
    }
}
