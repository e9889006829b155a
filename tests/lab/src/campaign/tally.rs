//! What came out, a line a round and a summary.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use super::kind::Kind;

/// What came out of a round.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its number.
    pub number: usize,
    /// Its faults.
    pub kinds: Vec<Kind>,
    /// The longest time without an acknowledged write.
    pub gap: Duration,
    /// Writes that were acknowledged.
    pub acknowledged: usize,
    /// Missing since, but in a rollback file.
    pub in_files: usize,
    /// Missing since, and nowhere.
    pub lost: usize,
    /// From the moment when all was healed until the pair had settled; nothing where it did not.
    pub settled: Option<Duration>,
    /// For how long the round was played, the looks for the writes included.
    pub took: Duration,
    /// What else is wrong.
    pub wrong: Option<String>,
    /// What a workload misses, in sentences; no part of a record.
    pub told: Vec<String>,
}

impl Outcome {
    /// Nothing lost, and settled.
    pub fn is_good(&self) -> bool {
        self.lost == 0 && self.settled.is_some() && self.wrong.is_none()
    }

    /// As a line of a record; times in milliseconds.
    pub fn line(&self) -> String {
        let kinds: Vec<&str> = self.kinds.iter().map(|kind| kind.name()).collect();
        let settled = self
            .settled
            .map_or("-".to_owned(), |took| took.as_millis().to_string());
        let (gap, took) = (self.gap.as_millis(), self.took.as_millis());
        let (written, kept, lost) = (self.acknowledged, self.in_files, self.lost);
        let wrong = self.wrong.as_deref().unwrap_or("-");
        format!(
            "{}\t{}\t{gap}\t{settled}\t{took}\t{written}\t{kept}\t{lost}\t{wrong}\n",
            self.number,
            kinds.join(";")
        )
    }

    fn read(line: &str) -> Option<Outcome> {
        let [
            number,
            kinds,
            gap,
            settled,
            took,
            written,
            kept,
            lost,
            wrong,
        ] = line.split('\t').collect::<Vec<_>>().try_into().ok()?;
        let named = |name: &str| {
            Kind::wide()
                .into_iter()
                .map(|(kind, _)| kind)
                .find(|kind| kind.name() == name)
        };
        let ms = |text: &str| text.parse().ok().map(Duration::from_millis);
        Some(Outcome {
            number: number.parse().ok()?,
            kinds: kinds.split(';').map(named).collect::<Option<_>>()?,
            gap: ms(gap)?,
            settled: ms(settled),
            took: ms(took)?,
            acknowledged: written.parse().ok()?,
            in_files: kept.parse().ok()?,
            lost: lost.parse().ok()?,
            wrong: (wrong != "-").then(|| wrong.to_owned()),
            told: Vec::new(),
        })
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let settled = self.settled.map_or("NOT SETTLED".to_owned(), |took| {
            format!("settled {:.1} s", took.as_secs_f32())
        });
        let lost = if self.lost == 0 {
            "lost 0".to_owned()
        } else {
            format!("LOST {}", self.lost)
        };
        let (gap, written, kept) = (seconds(self.gap), self.acknowledged, self.in_files);
        write!(
            f,
            "gap {gap}, {settled}, acknowledged {written}, in files {kept}, {lost}"
        )?;
        self.wrong
            .iter()
            .try_for_each(|wrong| write!(f, ", WRONG: {wrong}"))
    }
}

/// All rounds so far.
#[derive(Clone, Debug, Default)]
pub struct Tally(pub Vec<Outcome>);

impl Tally {
    /// Rounds in which something was lost or did not settle.
    pub fn failures(&self) -> usize {
        self.0.iter().filter(|outcome| !outcome.is_good()).count()
    }

    fn sum(&self, of: impl Fn(&Outcome) -> usize) -> usize {
        self.0.iter().map(of).sum()
    }

    /// What campaigns have recorded, one after the other.
    ///
    /// # Errors
    /// A file that can't be read, or a line in it.
    pub fn read(files: &[PathBuf]) -> Result<Tally> {
        let mut tally = Tally::default();
        for file in files {
            let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
            for line in text.lines() {
                let outcome = Outcome::read(line)
                    .with_context(|| format!("{}: no round: {line}", file.display()))?;
                tally.0.push(outcome);
            }
        }
        Ok(tally)
    }

    /// A table, in Markdown, and the totals.
    pub fn summary(&self) -> String {
        let mut by_kind: BTreeMap<Kind, Vec<&Outcome>> = BTreeMap::new();
        for outcome in &self.0 {
            for kind in &outcome.kinds {
                by_kind.entry(*kind).or_default().push(outcome);
            }
        }
        let mut text = String::from(
            "| fault | times | longest gap of the round: median | 95 % | highest | alone: times | median | highest |\n\
             |---|---|---|---|---|---|---|---|\n",
        );
        for (kind, outcomes) in by_kind {
            let of = |outcomes: &[&Outcome]| {
                Gaps::of(outcomes.iter().map(|outcome| outcome.gap).collect())
            };
            let (all, name) = (of(&outcomes), kind.name());
            let lone: Vec<&Outcome> = outcomes
                .iter()
                .copied()
                .filter(|outcome| outcome.kinds.len() == 1)
                .collect();
            let alone = of(&lone);
            let _ = writeln!(
                text,
                "| {name} | {} | {} | {} | {} | {} | {} | {} |",
                outcomes.len(),
                all.median,
                all.high,
                all.highest,
                lone.len(),
                alone.median,
                alone.highest,
            );
        }
        text + "\n" + &self.totals()
    }

    fn totals(&self) -> String {
        let settled = Gaps::of(
            self.0
                .iter()
                .filter_map(|outcome| outcome.settled)
                .collect(),
        );
        let minutes = self
            .0
            .iter()
            .map(|outcome| outcome.took.as_secs_f64())
            .sum::<f64>()
            / 60.0;
        format!(
            "{} faults in {} rounds, {minutes:.0} minutes of them; healed, the pair had settled \
             after {} (median), {} \
             (95 %), {} at most; {} rounds did not settle.\n{} writes were acknowledged: {} of \
             them are only in rollback \
             files, {} lost.\n",
            self.sum(|o| o.kinds.len()),
            self.0.len(),
            settled.median,
            settled.high,
            settled.highest,
            self.sum(|o| usize::from(o.settled.is_none())),
            self.sum(|o| o.acknowledged),
            self.sum(|o| o.in_files),
            self.sum(|o| o.lost),
        )
    }
}

struct Gaps {
    median: String,
    /// The 95th percentile.
    high: String,
    highest: String,
}

impl Gaps {
    fn of(mut all: Vec<Duration>) -> Gaps {
        all.sort_unstable();
        let at = |percent: usize| {
            let index = (all.len() * percent / 100).min(all.len().saturating_sub(1));
            all.get(index).map_or("-".to_owned(), |gap| seconds(*gap))
        };
        Gaps {
            median: at(50),
            high: at(95),
            highest: at(100),
        }
    }
}

fn seconds(gap: Duration) -> String {
    if gap < Duration::from_secs(1) {
        format!("{} ms", gap.as_millis())
    } else {
        format!("{:.1} s", gap.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_round_is_read_as_it_was() {
        let kinds = vec![Kind::Partition, Kind::HandNoOne];
        let (gap, took) = (Duration::from_millis(20), Duration::from_secs(9));
        let wrong = Some("something: else".to_owned());
        let bad = Outcome {
            number: 3,
            kinds,
            gap,
            took,
            acknowledged: 7,
            in_files: 2,
            lost: 1,
            settled: None,
            wrong,
            told: Vec::new(),
        };
        let good = Outcome {
            settled: Some(took),
            lost: 0,
            wrong: None,
            ..bad.clone()
        };
        for outcome in [bad, good] {
            let line = outcome.line();
            let read = Outcome::read(line.trim_end()).expect("a line that was just written");
            assert_eq!((read.line(), read.is_good()), (line, outcome.is_good()));
        }
    }
}
