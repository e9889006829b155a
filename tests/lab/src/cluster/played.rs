//! What came out of one run.

use std::time::Duration;

use super::Setup;
use crate::readback::Fate;
use crate::record::Phase;

/// What became of the writes of one application.
#[derive(Clone, Debug)]
pub struct Side {
    /// Where it was.
    pub name: String,
    /// Its writes.
    pub fate: Fate,
}

/// What came out of a run.
#[derive(Clone, Debug)]
pub struct Played {
    /// The scenario's name.
    pub scenario: &'static str,
    /// The cluster.
    pub setup: Setup,
    /// In order.
    pub phases: Vec<Phase>,
    /// The client first.
    pub sides: Vec<Side>,
    /// Failed writes of the client by kind.
    pub errors: Vec<(String, u64)>,
    /// What has moved while nothing should.
    pub moved: Vec<String>,
    /// What was not as it should be in the end.
    pub wrong: Option<String>,
}

impl Played {
    /// What became of the writes of the application with that name.
    pub fn side(&self, name: &str) -> Option<&Fate> {
        self.sides
            .iter()
            .find(|side| side.name == name)
            .map(|side| &side.fate)
    }

    /// The gap of the phase with that name.
    pub fn gap(&self, phase: &str) -> Duration {
        self.phases
            .iter()
            .filter(|p| p.name == phase)
            .map(|p| p.gap)
            .max()
            .unwrap_or_default()
    }

    /// What is not as it has to be after every scenario, but for the writes: a line each.
    pub fn failures(&self) -> Vec<String> {
        let missed = self.phases.iter().filter(|phase| !phase.reached);
        let missed = missed.map(|phase| format!("{}: its goal was not reached", phase.name));
        let moved = self
            .moved
            .iter()
            .map(|what| format!("moved while nothing should: {what}"));
        let wrong = self
            .wrong
            .iter()
            .map(|what| format!("wrong in the end: {what}"));
        missed.chain(moved).chain(wrong).collect()
    }
}

impl std::fmt::Display for Played {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}):", self.scenario, self.setup)?;
        for phase in &self.phases {
            let (gap, took) = (phase.gap.as_millis(), phase.took.as_secs_f32());
            let goal = if phase.reached {
                ""
            } else {
                ", goal not reached"
            };
            write!(f, " {} gap {gap} ms (took {took:.1} s{goal});", phase.name)?;
        }
        for Side { name, fate } in &self.sides {
            let (lost, in_files) = (fate.lost.len(), fate.in_files.len());
            write!(
                f,
                " {name}: {} acknowledged, {lost} lost, {in_files} in files;",
                fate.acknowledged
            )?;
        }
        write!(f, " errors")?;
        self.errors
            .iter()
            .try_for_each(|(kind, count)| write!(f, " {kind} {count}"))?;
        self.failures()
            .iter()
            .try_for_each(|line| write!(f, "\n  {line}"))
    }
}
