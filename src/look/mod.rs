//! Looking at every node, at the virtual IP, and at the sentinels.

mod ability;
pub mod sentinels;
pub mod survey;

use std::time::Duration;

use crate::config::Timing;

/// For one connection and for one answer.
#[derive(Clone, Copy)]
struct Budgets {
    connect: Duration,
    command: Duration,
}

impl Budgets {
    fn of(timing: &Timing) -> Budgets {
        Budgets {
            connect: timing.connect,
            command: timing.command,
        }
    }
}
