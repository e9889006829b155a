//! Who writes through the virtual IP: a client that only adds keys, one that lives like an
//! application, or both beside each other.

use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;

use crate::lab::Lab;
use crate::workload::Workload;
use crate::writer::{Rate, Writer, Written};

/// Which clients there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Numbered keys, which are never touched again.
    #[default]
    Adding,
    /// Keys that are deleted, jobs that are popped, counters, streams, flushes.
    Workload,
    /// One of each.
    Both,
}

impl Kind {
    /// Half of the seeds have the one, half the other.
    pub fn of_seed(seed: u64) -> Kind {
        match seed % 2 {
            0 => Kind::Workload,
            _ => Kind::Adding,
        }
    }
}

/// The clients of a lab, at work.
pub struct Clients {
    /// The one that adds.
    pub adding: Option<Writer>,
    /// The one that lives like an application.
    pub workload: Option<Workload>,
}

impl Clients {
    /// Starts those of `kind`, each with the whole `rate`.
    pub fn start(lab: &Lab, kind: Kind, rate: Rate) -> Clients {
        Clients {
            adding: (kind != Kind::Workload).then(|| lab.write(rate)),
            workload: (kind != Kind::Adding).then(|| lab.work(rate)),
        }
    }

    /// Acknowledged so far, by all; and the moment of the last, of the client that has waited for
    /// longest.
    pub fn acknowledged(&self) -> (usize, Duration) {
        let adding = self.adding.iter().map(Writer::acknowledged);
        let workload = self.workload.iter().map(Workload::acknowledged);
        let all: Vec<(usize, Duration)> = adding.chain(workload).collect();
        let last = all.iter().map(|(_, last)| *last).min();
        (
            all.iter().map(|(count, _)| count).sum(),
            last.unwrap_or_default(),
        )
    }

    /// The longest time without an acknowledged write of one client, in `from..to`.
    pub fn longest_gap(&self, from: Duration, to: Duration) -> Duration {
        let adding = self
            .adding
            .iter()
            .map(|writer| writer.written().longest_gap(from, to).0);
        let workload = self.workload.iter().map(|work| work.longest_gap(from, to));
        adding.chain(workload).max().unwrap_or_default()
    }

    /// Ends them; what was written can still be looked at in the workload, and is returned of the
    /// client that adds.
    pub fn stop(&mut self) -> Result<Option<Written>> {
        if let Some(workload) = &mut self.workload {
            workload.stop()?;
        }
        self.adding.take().map(Writer::stop).transpose()
    }
}
