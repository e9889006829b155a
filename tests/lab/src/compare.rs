//! Both suites side by side: medians and spread of every scenario, as a table in Markdown.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::run::{self, Record};
use crate::scenario::Scenario;
use crate::suite::Suite;
use crate::writer::Rate;

/// The two columns.
const SUITES: [Suite; 2] = [Suite::Scripts, Suite::OURS];

/// The runs of one scenario with one suite.
struct Cell {
    records: Vec<Record>,
    failures: Vec<String>,
}

/// Plays every scenario `runs` times with both suites, in turns, each on a lab of its own; tells
/// `say` each result as it comes. The table is the result.
pub fn compare(scenarios: &[Scenario], runs: usize, rate: u32, mut say: impl FnMut(&str)) -> Result<String> {
    let mut table = heading(runs, rate);
    for scenario in scenarios {
        let mut cells = SUITES.map(|_| Cell { records: Vec::new(), failures: Vec::new() });
        for _ in 0..runs {
            for (suite, cell) in SUITES.iter().zip(&mut cells) {
                let played = run::usual_lab().and_then(|lab| scenario.run(&lab, *suite, Rate::PerSecond(rate)));
                match played {
                    Ok(record) => {
                        say(&record.to_string());
                        cell.records.push(record);
                    }
                    Err(e) => {
                        say(&format!("{} with {}: {e:#}", scenario.name, suite.name()));
                        cell.failures.push(format!("{e:#}"));
                    }
                }
            }
        }
        let [scripts, ours] = cells.map(|cell| cell.text());
        writeln!(table, "| {} | {scripts} | {ours} |", scenario.title)?;
    }
    Ok(table)
}

fn heading(runs: usize, rate: u32) -> String {
    let keepalived = version("keepalived", "--version");
    let redis = version("redis-server", "--version");
    format!(
        "{keepalived}, {redis}, {rate} writes/s, {runs} runs each: median (lowest-highest)\n\n\
         | event | shell scripts | keepalived-redis |\n|---|---|---|\n"
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
                let _ = write!(text, "{} {}; ", phase.name, spread(gaps, seconds));
            }
            let lost = self.records.iter().map(|r| r.fate.lost.len()).collect();
            let _ = write!(text, "lost {}", spread(lost, |n| n.to_string()));
            if self.records.iter().any(|r| !r.fate.in_files.is_empty()) {
                let files = self.records.iter().map(|r| r.fate.in_files.len()).collect();
                let _ = write!(text, ", in a file {}", spread(files, |n| n.to_string()));
            }
            let bad = self.records.iter().filter(|r| !r.agrees()).count();
            if bad > 0 {
                let _ = write!(text, "; **ended wrong in {bad} of {}**", self.records.len());
            }
        }
        if !self.failures.is_empty() {
            let _ = write!(text, " ({} runs came to nothing)", self.failures.len());
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
