//! Both suites side by side: medians and spread of every scenario, as a table in Markdown.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::lab::Lab;
use crate::record::Record;
use crate::redis_server::{Boot, Settings};
use crate::scenario::Scenario;
use crate::story;
use crate::suite::Suite;
use crate::writer::Rate;

/// The two columns.
const SUITES: [Suite; 2] = [Suite::Scripts, Suite::OURS];

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
    /// How often each is played with each suite.
    pub runs: usize,
    /// Writes a second.
    pub rate: u32,
    /// How Redis is set up. In the scripts' pairs it boots as redis.conf says: their guide knows nothing else.
    pub settings: Settings,
    /// Where the timeline of every run goes, if anywhere.
    pub stories: Option<PathBuf>,
}

/// Plays every scenario with both suites, in turns, each run on a lab of its own; tells `say`
/// each result as it comes. The table is the result.
pub fn compare(plan: &Plan, mut say: impl FnMut(&str)) -> Result<String> {
    let mut table = heading(plan);
    for scenario in &plan.scenarios {
        let mut cells = SUITES.map(|_| Cell { records: Vec::new(), failures: 0 });
        for number in 1..=plan.runs {
            for (suite, cell) in SUITES.into_iter().zip(&mut cells) {
                match play(plan, scenario, suite, number) {
                    Ok(record) => {
                        say(&record.to_string());
                        cell.records.push(record);
                    }
                    Err(e) => {
                        say(&format!("{} with {}: {e:#}", scenario.name, suite.name()));
                        cell.failures += 1;
                    }
                }
            }
        }
        let [scripts, ours] = cells.map(|cell| cell.text());
        writeln!(table, "| {} | {scripts} | {ours} |", scenario.title)?;
    }
    Ok(table)
}

fn play(plan: &Plan, scenario: &Scenario, suite: Suite, number: usize) -> Result<Record> {
    let boot = if suite == Suite::Scripts { Boot::AsConfigured } else { plan.settings.boot };
    let lab = Lab::new(Settings { boot, ..plan.settings })?;
    let record = scenario.run(&lab, suite, Rate::PerSecond(plan.rate));
    if let Some(dir) = &plan.stories {
        std::fs::create_dir_all(dir)?;
        let file = dir.join(format!("{}-{}-{number}.txt", scenario.name, suite.name()));
        std::fs::write(&file, story::render(&lab.told(false)))
            .with_context(|| format!("writing {}", file.display()))?;
    }
    record
}

fn heading(plan: &Plan) -> String {
    let keepalived = version("keepalived", "--version");
    let redis = version("redis-server", "--version");
    format!(
        "{keepalived}, {redis} ({}), {} writes/s, {} runs each: median (lowest-highest)\n\n\
         | event | shell scripts | keepalived-redis |\n|---|---|---|\n",
        plan.settings, plan.rate, plan.runs
    )
}

fn version(program: &str, flag: &str) -> String {
    let Ok(out) = Command::new(program).arg(flag).output() else { return program.to_owned() };
    // keepalived speaks on stderr.
    let said = [out.stdout, out.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let number = said.split_whitespace().find(|word| {
        let word = word.trim_start_matches("v=").trim_start_matches('v');
        word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit())
    });
    let number = number.unwrap_or("").trim_start_matches("v=").trim_start_matches('v');
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
                    let _ = write!(text, " (**never done** in {missed} of {})", self.records.len());
                }
                text.push_str("; ");
            }
            let count = |what: fn(&Record) -> usize| spread(self.records.iter().map(what).collect(), |n| n.to_string());
            let acknowledged = count(|r| r.fate.acknowledged);
            let (lost, in_files) = (count(|r| r.fate.lost.len()), count(|r| r.fate.in_files.len()));
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

fn seconds(gap: Duration) -> String {
    if gap < Duration::from_secs(1) { format!("{} ms", gap.as_millis()) } else { format!("{:.1} s", gap.as_secs_f64()) }
}

/// Median, and the lowest and the highest where they differ.
fn spread<T: Copy + Ord>(mut values: Vec<T>, text: impl Fn(T) -> String) -> String {
    values.sort_unstable();
    let (Some(low), Some(high)) = (values.first(), values.last()) else { return String::new() };
    let (low, high, median) = (text(*low), text(*high), text(values[values.len() / 2]));
    if low == high { median } else { format!("{median} ({low}-{high})") }
}

/// The middle one.
pub fn median(mut gaps: Vec<Duration>) -> Duration {
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).copied().unwrap_or_default()
}
