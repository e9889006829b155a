//! The compatibility matrix: the same failover, failback and handover on every server, as a table
//! in Markdown.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::compare::{seconds, spread, version};
use crate::lab::Lab;
use crate::record::Record;
use crate::redis_server::Settings;
use crate::scenario::{self, TOUR};
use crate::server::Server;
use crate::story;
use crate::suite::Suite;
use crate::writer::Rate;

/// How much is played.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The rows.
    pub servers: Vec<Server>,
    /// How often each is played.
    pub runs: usize,
    /// Writes a second.
    pub rate: u32,
    /// How Redis is set up, but for the server.
    pub settings: Settings,
    /// Where the timeline of every run goes, if anywhere.
    pub stories: Option<PathBuf>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// The table.
    pub text: String,
    /// Runs that came to nothing, never got done, or lost a write.
    pub failed: usize,
}

/// Plays all of it, each run on a pair of its own, one after the other; tells `say` each result as
/// it comes.
///
/// # Errors
/// A timeline can't be written.
pub fn matrix(plan: &Plan, say: impl Fn(&str)) -> Result<Matrix> {
    let phases = TOUR;
    let mut matrix = Matrix {
        text: heading(plan, &phases),
        failed: 0,
    };
    for server in &plan.servers {
        let mut records = Vec::new();
        for number in 1..=plan.runs {
            match play(plan, *server, number) {
                Ok(record) => {
                    say(&record.to_string());
                    records.push(record);
                }
                Err(e) => say(&format!("{server}: {e:#}")),
            }
        }
        matrix.failed += plan.runs - records.iter().filter(|record| is_well(record)).count();
        writeln!(
            matrix.text,
            "{}",
            row(*server, &phases, &records, plan.runs)
        )?;
    }
    Ok(matrix)
}

fn play(plan: &Plan, server: Server, number: usize) -> Result<Record> {
    let lab = Lab::new(Settings {
        server,
        ..plan.settings
    })?;
    let record = scenario::named("tour")?.run(&lab, Suite::OURS, Rate::PerSecond(plan.rate));
    if let Some(dir) = &plan.stories {
        std::fs::create_dir_all(dir)?;
        let file = dir.join(format!("{}-{number}.txt", title(server).replace(' ', "-")));
        std::fs::write(&file, story::render(&lab.told(false)))
            .with_context(|| format!("writing {}", file.display()))?;
    }
    record
}

fn is_well(record: &Record) -> bool {
    record.agrees()
        && record.fate.lost.is_empty()
        && record.phases.iter().all(|phase| phase.reached)
}

fn heading(plan: &Plan, phases: &[&str]) -> String {
    format!(
        "{}, {} writes/s, {} runs each{}\n\n| server | {} | acknowledged | lost | in a file \
         |\n|---|{}---|---|---|\n",
        version("keepalived", "--version"),
        plan.rate,
        plan.runs,
        if plan.runs > 1 {
            ": median (lowest-highest)"
        } else {
            ""
        },
        phases.join(" | "),
        "---|".repeat(phases.len())
    )
}

fn row(server: Server, phases: &[&str], records: &[Record], runs: usize) -> String {
    let mut text = format!("| {} |", title(server));
    for phase in phases {
        let of_phase = |record: &Record| record.phases.iter().find(|p| p.name == *phase).cloned();
        let found: Vec<_> = records.iter().filter_map(of_phase).collect();
        let gaps: Vec<Duration> = found.iter().map(|phase| phase.gap).collect();
        let missed = runs - found.iter().filter(|phase| phase.reached).count();
        let _ = write!(text, " {}", spread(gaps, seconds));
        if missed > 0 {
            let _ = write!(text, " (**never done** in {missed} of {runs})");
        }
        text.push_str(" |");
    }
    let count =
        |what: fn(&Record) -> usize| spread(records.iter().map(what).collect(), |n| n.to_string());
    let (acknowledged, lost) = (count(|r| r.fate.acknowledged), count(|r| r.fate.lost.len()));
    let _ = write!(
        text,
        " {acknowledged} | {lost} | {} |",
        count(|r| r.fate.in_files.len())
    );
    text
}

/// With its version.
fn title(server: Server) -> String {
    match server {
        Server::Own => version("redis-server", "--version").replace("redis-server", "Redis"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_came_to_nothing_is_told_in_the_table() {
        let row = row(Server::Redis5, &TOUR, &[], 1);
        assert_eq!(row.matches("never done").count(), TOUR.len(), "{row}");
        assert!(row.starts_with("| Redis 5.0.6 |"), "{row}");
    }
}
