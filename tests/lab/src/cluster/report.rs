//! Scenarios with all profiles, side by side, as a table in Markdown.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};

use super::played::Played;
use super::scenario::{Scenario, Terms};
use super::{Cluster, Profile, Setup, Shape};
use crate::compare::{seconds, spread, version};
use crate::story;

/// What is played.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The rows.
    pub scenarios: Vec<Scenario>,
    /// A table each.
    pub shapes: Vec<Shape>,
    /// The columns.
    pub profiles: Vec<Profile>,
    /// How often each.
    pub runs: usize,
    /// Quiet times of so many runs may go by at once.
    pub at_once: usize,
    /// How each is played.
    pub terms: Terms,
    /// How the clusters are set up, but for shape and profile.
    pub setup: Setup,
    /// Where the timeline of every run goes, if anywhere.
    pub stories: Option<PathBuf>,
    /// Tell each timeline as well.
    pub timeline: bool,
}

/// The tables, and how many runs were not as they have to be.
pub struct Report {
    /// Markdown.
    pub text: String,
    /// Sentinel alone does not count: what it loses is what it is compared for.
    pub failed: usize,
}

/// One run of the plan.
#[derive(Clone, Copy)]
struct Job {
    scenario: Scenario,
    setup: Setup,
    number: usize,
}

struct Done {
    job: Job,
    outcome: Result<Played>,
}

/// Plays all of it, and tells `say` each result as it comes.
pub fn play(plan: &Plan, say: &(dyn Fn(&str) + Sync)) -> Result<Report> {
    let mut jobs = Vec::new();
    for number in 1..=plan.runs {
        for scenario in &plan.scenarios {
            for shape in plan
                .shapes
                .iter()
                .filter(|shape| scenario.shapes.contains(shape))
            {
                for profile in plan
                    .profiles
                    .iter()
                    .filter(|profile| scenario.alone || **profile != Profile::Alone)
                {
                    let setup = Setup {
                        shape: *shape,
                        profile: *profile,
                        ..plan.setup
                    };
                    jobs.push(Job {
                        scenario: *scenario,
                        setup: scenario.setup(setup),
                        number,
                    });
                }
            }
        }
    }
    jobs.reverse();
    let (jobs, done, alone) = (Mutex::new(jobs), Mutex::new(Vec::new()), Mutex::new(()));
    std::thread::scope(|scope| {
        for _ in 0..plan.at_once.max(1) {
            scope.spawn(|| {
                let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).pop();
                while let Some(job) = next() {
                    let outcome = job.play(plan, &alone, say);
                    match &outcome {
                        Ok(played) => say(&played.to_string()),
                        Err(e) => say(&format!("{} ({}): {e:#}", job.scenario.name, job.setup)),
                    }
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(Done { job, outcome });
                }
            });
        }
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let ours = done
        .iter()
        .filter(|done| done.job.setup.profile != Profile::Alone);
    let failed = |done: &&Done| {
        done.outcome
            .as_ref()
            .map_or(true, |played| !played.failures().is_empty())
    };
    let failed = ours.filter(failed).count();
    Ok(Report {
        text: tables(plan, &done)?,
        failed,
    })
}

impl Job {
    fn play(&self, plan: &Plan, alone: &Mutex<()>, say: &(dyn Fn(&str) + Sync)) -> Result<Played> {
        let cluster = Cluster::boot(self.setup)?;
        let terms = Terms {
            seed: plan
                .terms
                .seed
                .wrapping_add(u64::try_from(self.number - 1)?),
            ..plan.terms
        };
        let outcome = self.scenario.run(&cluster, terms, alone);
        let told = story::render(&cluster.lab.told(false));
        if plan.timeline {
            say(&told);
        }
        if let Some(dir) = &plan.stories {
            std::fs::create_dir_all(dir)?;
            let (shape, profile) = (self.setup.shape, self.setup.profile);
            let name = format!(
                "{}-{shape:?}-{profile:?}-{}.txt",
                self.scenario.name, self.number
            )
            .to_lowercase();
            std::fs::write(dir.join(&name), told).with_context(|| format!("writing {name}"))?;
        }
        outcome
    }
}

fn tables(plan: &Plan, done: &[Done]) -> Result<String> {
    let mut text = String::new();
    writeln!(
        text,
        "{}, {}; {} writes/s, quorum {}, down-after {} ms, failover-timeout {} ms, quiet time {} \
         s, {} runs each: longest \
         time without an acknowledged write, median (lowest-highest)",
        version("keepalived", "--version"),
        version("redis-server", "--version"),
        plan.terms.rate,
        plan.setup.terms.quorum,
        plan.setup.terms.down_after.as_millis(),
        plan.setup.terms.failover_timeout.as_millis(),
        plan.terms.long.as_secs(),
        plan.runs
    )?;
    for shape in &plan.shapes {
        let title = match shape {
            Shape::Three => "three hosts",
            Shape::Witness => "two hosts and a witness",
        };
        let heads = plan.profiles.iter().map(|profile| match profile {
            Profile::Alone => "Sentinel alone",
            Profile::Plain => "plain profile",
            Profile::Fast => "fast profile",
        });
        let heads: Vec<&str> = heads.collect();
        writeln!(
            text,
            "\n| {title} | {} |\n|---|{}",
            heads.join(" | "),
            "---|".repeat(heads.len())
        )?;
        for scenario in plan
            .scenarios
            .iter()
            .filter(|scenario| scenario.shapes.contains(shape))
        {
            let cells = plan.profiles.iter().map(|profile| {
                let own = |done: &&Done| {
                    let Job {
                        scenario: other,
                        setup,
                        ..
                    } = &done.job;
                    other.name == scenario.name
                        && setup.shape == *shape
                        && setup.profile == *profile
                };
                cell(done.iter().filter(own))
            });
            writeln!(
                text,
                "| {} | {} |",
                scenario.title,
                cells.collect::<Vec<_>>().join(" | ")
            )?;
        }
    }
    Ok(text)
}

fn cell<'a>(done: impl Iterator<Item = &'a Done>) -> String {
    let all: Vec<&Done> = done.collect();
    let played: Vec<&Played> = all
        .iter()
        .filter_map(|done| done.outcome.as_ref().ok())
        .collect();
    let mut parts = Vec::new();
    if let Some(first) = played.first() {
        // Faults at random have the same name again and again.
        let mut phases: Vec<_> = first.phases.iter().collect();
        phases.dedup_by_key(|phase| phase.name);
        for phase in phases {
            let gaps: Vec<Duration> = played.iter().map(|played| played.gap(phase.name)).collect();
            parts.push(format!("{} {}", phase.name, spread(gaps, seconds)));
        }
        for side in &first.sides {
            let fates: Vec<_> = played
                .iter()
                .filter_map(|played| played.side(&side.name))
                .collect();
            let acknowledged = spread(fates.iter().map(|fate| fate.acknowledged).collect(), |n| {
                n.to_string()
            });
            let lost = spread(fates.iter().map(|fate| fate.lost.len()).collect(), |n| {
                n.to_string()
            });
            let in_files = spread(
                fates.iter().map(|fate| fate.in_files.len()).collect(),
                |n| n.to_string(),
            );
            parts.push(format!(
                "{}: {acknowledged} acknowledged, {lost} lost, {in_files} in a file",
                side.name
            ));
        }
        let bad = played
            .iter()
            .filter(|played| !played.failures().is_empty())
            .count();
        if bad > 0 {
            parts.push(format!(
                "**not as it has to be in {bad} of {}**",
                played.len()
            ));
        }
    }
    if all.len() > played.len() {
        parts.push(format!(
            "**{} runs came to nothing**",
            all.len() - played.len()
        ));
    }
    if parts.is_empty() {
        "-".to_owned()
    } else {
        parts.join("; ")
    }
}
