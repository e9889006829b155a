//! Does what `lab` was told.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use clap::ValueEnum;
use lab::cluster::{self, Profile, Setup, Shape, report};
use lab::lab::Lab;
use lab::redis_server::Settings;
use lab::sentinel::server;
use lab::server::Server;
use lab::suite::Suite;
use lab::writer::Rate;
use lab::{bench, campaign, clients, compare, demo, matrix, run, scenario, soak, story};

use crate::orders::{Campaign, Cli, Sentinel};

pub(crate) fn play(cli: Cli) -> Result<()> {
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
    let mut rounds = match told.wide {
        true => campaign::wide_plan(told.seed, faults, settings),
        false => campaign::plan(told.seed, faults, settings),
    };
    rounds.retain(|round| told.only.is_empty() || told.only.contains(&round.number));
    if told.plan {
        rounds.iter().for_each(|round| println!("{round}"));
        return Ok(());
    }
    let orders = campaign::Orders {
        seed: told.seed,
        rounds,
        wide: told.wide,
        settings,
        suite: if told.fast { Suite::FAST } else { Suite::OURS },
        client: told.client.unwrap_or(clients::Kind::of_seed(told.seed)),
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
