//! What came out of a run, for judging and for reading.

use std::time::Duration;

use crate::readback::Fate;
use crate::redis_server::Settings;
use crate::suite::Suite;
use crate::writer::Ack;

/// The gap of one phase.
#[derive(Clone, Debug)]
pub struct Phase {
    /// `failover`, `failback`...
    pub name: &'static str,
    /// The event, a moment of the story.
    pub from: Duration,
    /// The longest time without an acknowledged write.
    pub gap: Duration,
    /// Acknowledged writes.
    pub acknowledged: usize,
    /// From the event to the goal, the steady time included.
    pub took: Duration,
    /// The goal was reached.
    pub reached: bool,
}

/// What came out of a run.
#[derive(Clone, Debug)]
pub struct Record {
    /// The scenario's name.
    pub scenario: &'static str,
    /// The suite.
    pub suite: Suite,
    /// How Redis was set up.
    pub settings: Settings,
    /// When the writer began, a moment of the story.
    pub began: Duration,
    /// In order.
    pub phases: Vec<Phase>,
    /// Every acknowledged write, in the order of time.
    pub acks: Vec<Ack>,
    /// What became of the acknowledged writes.
    pub fate: Fate,
    /// Megabytes that were written in bulk, and how many of them are gone.
    pub bulk: (usize, usize),
    /// Failed writes by kind.
    pub errors: Vec<(String, u64)>,
    /// Hosts whose Redis was a master at the end.
    pub masters: Vec<String>,
    /// Hosts that held the VIP at the end.
    pub holders: Vec<String>,
}

impl Record {
    /// One master, and it is where the VIP is.
    pub fn agrees(&self) -> bool {
        self.masters.len() == 1 && self.masters == self.holders
    }

    /// When the first event was, a moment of the story.
    pub fn zero(&self) -> Duration {
        self.phases.first().map_or(self.began, |phase| phase.from)
    }

    /// When the last phase and the last write were over, a moment of the story.
    pub fn ended(&self) -> Duration {
        let phases = self.phases.iter().map(|phase| phase.from + phase.took);
        phases
            .chain(self.acks.last().map(|ack| ack.at))
            .max()
            .unwrap_or(self.began)
    }

    /// When each phase began, and when all was over, counted from the first write: what
    /// [`crate::run::Run::in_step`] takes.
    pub fn steps(&self) -> Vec<Duration> {
        let moments = self
            .phases
            .iter()
            .map(|phase| phase.from)
            .chain([self.ended()]);
        moments
            .map(|moment| moment.saturating_sub(self.began))
            .collect()
    }

    /// The gap of the phase with that name; of all when there is none.
    pub fn gap(&self, phase: &str) -> Duration {
        let named = self
            .phases
            .iter()
            .filter(|p| p.name == phase)
            .map(|p| p.gap);
        named.max().unwrap_or_else(|| self.longest_gap())
    }

    /// The longest gap of all phases.
    pub fn longest_gap(&self) -> Duration {
        self.phases
            .iter()
            .map(|phase| phase.gap)
            .max()
            .unwrap_or_default()
    }
}

impl std::fmt::Display for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} with {}, {}:",
            self.scenario,
            self.suite.name(),
            self.settings
        )?;
        for phase in &self.phases {
            let (gap, took) = (phase.gap.as_millis(), phase.took.as_secs_f32());
            let goal = if phase.reached {
                ""
            } else {
                ", goal not reached"
            };
            write!(f, " {} gap {gap} ms (took {took:.1} s{goal});", phase.name)?;
        }
        write!(
            f,
            " {} acknowledged, {} lost, {} in files (read from {}); master {}, VIP {};",
            self.fate.acknowledged,
            self.fate.lost.len(),
            self.fate.in_files.len(),
            self.fate.asked,
            self.masters.join("+"),
            self.holders.join("+"),
        )?;
        if self.bulk.0 > 0 {
            write!(
                f,
                " of {} MB in bulk {} are lost;",
                self.bulk.0, self.bulk.1
            )?;
        }
        write!(f, " errors")?;
        self.errors
            .iter()
            .try_for_each(|(kind, count)| write!(f, " {kind} {count}"))
    }
}
