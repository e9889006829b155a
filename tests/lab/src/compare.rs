//! The suites side by side: medians and spread of every scenario, as a table in Markdown.

use std::fmt::Write as _;
use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::lab::Lab;
use crate::picture::{self, Panel};
use crate::record::Record;
use crate::redis_server::{Boot, Settings};
use crate::scenario::Scenario;
use crate::story::{self, Event};
use crate::suite::Suite;
use crate::writer::Rate;

/// Writes go on for so long before the first event of a run that is drawn.
const QUIET: Duration = Duration::from_secs(2);

/// The runs of one scenario with one suite.
struct Cell {
    records: Vec<Record>,
    failures: usize,
}

/// How much is played.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The rows.
    pub scenarios: Vec<Scenario>,
    /// The columns.
    pub suites: Vec<Suite>,
    /// How often each is played with each suite.
    pub runs: usize,
    /// Writes a second.
    pub rate: u32,
    /// How Redis is set up. In the scripts' pairs it boots as redis.conf says: their guide knows
    /// nothing else.
    pub settings: Settings,
    /// Where the timeline of every run goes, if anywhere.
    pub stories: Option<PathBuf>,
    /// Where a picture of the first run of the first scenario goes, if anywhere. Its suites are
    /// played in step: what is done to a pair is done at the same time to all.
    pub svg: Option<PathBuf>,
}

/// Plays every scenario with all suites, in turns, each run on a lab of its own; tells `say`
/// each result as it comes. The table is the result.
pub fn compare(plan: &Plan, mut say: impl FnMut(&str)) -> Result<String> {
    if let Some(file) = &plan.svg {
        // Not after minutes.
        let opened = File::options().create(true).append(true).open(file);
        opened.with_context(|| format!("writing {}", file.display()))?;
    }
    let mut table = heading(plan);
    let mut shown = Vec::new();
    for (row, scenario) in plan.scenarios.iter().enumerate() {
        let mut cells: Vec<Cell> = plan
            .suites
            .iter()
            .map(|_| Cell {
                records: Vec::new(),
                failures: 0,
            })
            .collect();
        for number in 1..=plan.runs {
            let drawn = plan.svg.is_some() && row == 0 && number == 1;
            let mut steps = if drawn { vec![QUIET] } else { Vec::new() };
            for (suite, cell) in plan.suites.iter().zip(&mut cells) {
                match play(plan, scenario, *suite, number, &steps) {
                    Ok((record, events)) => {
                        say(&record.to_string());
                        if drawn {
                            steps = record.steps();
                            let name = title(*suite).to_owned();
                            shown.push(Panel {
                                name,
                                record: record.clone(),
                                events,
                            });
                        }
                        cell.records.push(record);
                    }
                    Err(e) => {
                        say(&format!("{} with {}: {e:#}", scenario.name, suite.name()));
                        cell.failures += 1;
                    }
                }
            }
            if let Some(file) = plan.svg.as_ref().filter(|_| !shown.is_empty() && drawn) {
                let svg = picture::draw(
                    &scenario.title.replace('`', ""),
                    &circumstances(plan),
                    plan.rate,
                    &shown,
                )?;
                std::fs::write(file, svg).with_context(|| format!("writing {}", file.display()))?;
            }
        }
        let cells: Vec<String> = cells.iter().map(Cell::text).collect();
        writeln!(table, "| {} | {} |", scenario.title, cells.join(" | "))?;
    }
    Ok(table)
}

fn play(
    plan: &Plan,
    scenario: &Scenario,
    suite: Suite,
    number: usize,
    steps: &[Duration],
) -> Result<(Record, Vec<Event>)> {
    let boot = if suite == Suite::Scripts {
        Boot::AsConfigured
    } else {
        plan.settings.boot
    };
    let lab = Lab::new(Settings {
        boot,
        ..plan.settings
    })?;
    let record = scenario.run_in_step(&lab, suite, Rate::PerSecond(plan.rate), steps);
    let events = lab.told(false);
    if let Some(dir) = &plan.stories {
        std::fs::create_dir_all(dir)?;
        let suite = suite.name().replace(", ", "-");
        let file = dir.join(format!("{}-{suite}-{number}.txt", scenario.name));
        std::fs::write(&file, story::render(&events))
            .with_context(|| format!("writing {}", file.display()))?;
    }
    Ok((record?, events))
}

/// What a reader calls the suite.
fn title(suite: Suite) -> &'static str {
    match suite {
        Suite::Scripts => "shell scripts",
        Suite::OURS => "keepalived-redis",
        Suite::FAST => "keepalived-redis, fast profile",
        other => other.name(),
    }
}

fn circumstances(plan: &Plan) -> String {
    let keepalived = version("keepalived", "--version");
    let redis = version("redis-server", "--version");
    // The scripts' Redis boots in its own way.
    let settings = Settings {
        boot: Boot::AsConfigured,
        ..plan.settings
    };
    format!(
        "writes acknowledged per second through the virtual IP, of {} that a client sends; \
         {keepalived}, {redis} \
         ({settings})",
        plan.rate
    )
}

fn heading(plan: &Plan) -> String {
    let keepalived = version("keepalived", "--version");
    let redis = version("redis-server", "--version");
    let titles: Vec<&str> = plan.suites.iter().map(|suite| title(*suite)).collect();
    format!(
        "{keepalived}, {redis} ({}), {} writes/s, {} runs each: median (lowest-highest)\n\n\
         | event | {} |\n|---|{}\n",
        plan.settings,
        plan.rate,
        plan.runs,
        titles.join(" | "),
        "---|".repeat(titles.len())
    )
}

pub(crate) fn version(program: &str, flag: &str) -> String {
    let Ok(out) = Command::new(program).arg(flag).output() else {
        return program.to_owned();
    };
    // keepalived speaks on stderr.
    let said = [out.stdout, out.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let number = said.split_whitespace().find(|word| {
        let word = word.trim_start_matches("v=").trim_start_matches('v');
        word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit())
    });
    let number = number
        .unwrap_or("")
        .trim_start_matches("v=")
        .trim_start_matches('v');
    format!("{program} {number}")
}

impl Cell {
    fn text(&self) -> String {
        let mut text = String::new();
        if let Some(first) = self.records.first() {
            for phase in &first.phases {
                let gaps: Vec<Duration> = self.records.iter().map(|r| r.gap(phase.name)).collect();
                let _ = write!(text, "{} {}", phase.name, spread(gaps, seconds));
                let named = self.records.iter().flat_map(|r| &r.phases);
                let missed = named.filter(|p| p.name == phase.name && !p.reached).count();
                if missed > 0 {
                    let _ = write!(
                        text,
                        " (**never done** in {missed} of {})",
                        self.records.len()
                    );
                }
                text.push_str("; ");
            }
            let count = |what: fn(&Record) -> usize| {
                spread(self.records.iter().map(what).collect(), |n| n.to_string())
            };
            let acknowledged = count(|r| r.fate.acknowledged);
            let (lost, in_files) = (
                count(|r| r.fate.lost.len()),
                count(|r| r.fate.in_files.len()),
            );
            let _ = write!(text, "acknowledged {acknowledged}, lost {lost}");
            if self.records.iter().any(|r| r.bulk.0 > 0) {
                let _ = write!(text, " and {} MB", count(|r| r.bulk.1));
            }
            let _ = write!(text, ", in a file {in_files}");
            let bad = self.records.iter().filter(|r| !r.agrees()).count();
            if bad > 0 {
                let _ = write!(text, "; **ended wrong in {bad} of {}**", self.records.len());
            }
        }
        if self.failures > 0 {
            let _ = write!(text, " ({} runs came to nothing)", self.failures);
        }
        text
    }
}

/// A length of time in one or two words.
pub fn seconds(gap: Duration) -> String {
    if gap < Duration::from_secs(1) {
        format!("{} ms", gap.as_millis())
    } else {
        format!("{:.1} s", gap.as_secs_f64())
    }
}

/// Median, and the lowest and the highest where they differ.
pub(crate) fn spread<T: Copy + Ord>(mut values: Vec<T>, text: impl Fn(T) -> String) -> String {
    values.sort_unstable();
    let (Some(low), Some(high)) = (values.first(), values.last()) else {
        return String::new();
    };
    let (low, high, median) = (text(*low), text(*high), text(values[values.len() / 2]));
    if low == high {
        median
    } else {
        format!("{median} ({low}-{high})")
    }
}

/// The middle one.
pub fn median(mut gaps: Vec<Duration>) -> Duration {
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).copied().unwrap_or_default()
}
