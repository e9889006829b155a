//! A story that is told on purpose, and what it may cost at most. A rule that is missing costs
//! more.

use super::data::Millis;
use super::faults::Timed;
use super::ledger::Ledger;
use super::run::Plan;
use super::setup::Setup;
use crate::decide::rule::Rule;

/// What a story may cost after its first fault, beside the invariants.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest time without a write.
    pub outage: Millis,
    /// Writes that end in a rollback file alone.
    pub in_files: u64,
    pub files: u32,
    /// Of the VIP.
    pub moves: usize,
    /// Redis that become or cease to be master.
    pub roles: usize,
    /// Verdicts of --eligible that change.
    pub flips: usize,
}

pub const ANY: Limits = Limits {
    outage: Millis::MAX,
    in_files: u64::MAX,
    files: u32::MAX,
    moves: usize::MAX,
    roles: usize::MAX,
    flips: usize::MAX,
};

pub struct Scenario {
    pub name: &'static str,
    /// Those that it comes to grief without.
    pub shows: &'static [Rule],
    pub setup: Setup,
    pub faults: Vec<Timed>,
    pub limits: Limits,
}

impl Scenario {
    pub fn plan(&self, seed: u64) -> Plan {
        let faults = self.faults.clone();
        let last = faults.iter().map(|timed| timed.until).max();
        let repair = last.unwrap_or(0).clamp(75_000, 200_000);
        Plan {
            seed,
            setup: self.setup.clone(),
            faults,
            repair,
            end: repair + 90_000,
            files: None,
        }
    }

    /// What went wrong, the limits included.
    pub fn judge(&self, ledger: &Ledger) -> Vec<String> {
        let from = self
            .faults
            .iter()
            .map(|timed| timed.at)
            .find(|at| *at > 10_000)
            .unwrap_or(0);
        let mut found = ledger.violations.clone();
        let outage = ledger
            .outages
            .iter()
            .filter(|(_, to)| *to > from)
            .map(|(begin, to)| to - begin)
            .max()
            .unwrap_or(0);
        let moves = ledger.moves.iter().filter(|(at, _)| *at > from).count();
        let roles = ledger.roles.iter().filter(|at| **at > from).count();
        let limits = self.limits;
        if outage > limits.outage {
            found.push(format!("cost: {outage} ms without a write"));
        }
        if ledger.only_in_files > limits.in_files {
            found.push(format!(
                "cost: {} writes are in a file alone",
                ledger.only_in_files
            ));
        }
        if ledger.file_count > limits.files {
            found.push(format!("cost: {} rollback files", ledger.file_count));
        }
        if moves > limits.moves {
            found.push(format!("cost: {moves} moves of the VIP"));
        }
        if roles > limits.roles {
            found.push(format!("cost: {roles} changes of role"));
        }
        if ledger.flips > limits.flips {
            found.push(format!("cost: {} changes of eligibility", ledger.flips));
        }
        found
    }
}
