//! Budgets of time. The only module that does arithmetic on [`Instant`].

use std::time::{Duration, Instant};

/// The moment at which a budget is used up. Copied down the calls, so that every wait spends the
/// same budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// The moment `budget` from now; budgets beyond ten years are cut to that.
    pub fn after(budget: Duration) -> Self {
        const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
        Deadline(Instant::now() + budget.min(LONGEST))
    }

    /// What is left; zero once it is over.
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    pub(crate) fn is_over(self) -> bool {
        self.left().is_zero()
    }

    /// The earlier of this deadline and `budget` from now: a step's own limit inside its caller's.
    pub(crate) fn at_most(self, budget: Duration) -> Self {
        self.min(Deadline::after(budget))
    }

    /// Half of what is left.
    pub(crate) fn half(self) -> Self {
        self.at_most(self.left() / 2)
    }

    /// Sleeps for `tick`, or for what is left if that is less; false once the deadline is over.
    pub fn pause(self, tick: Duration) -> bool {
        let left = self.left();
        std::thread::sleep(tick.min(left));
        !self.is_over()
    }
}

/// Measures how long something took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Stopwatch(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// A duration as milliseconds with one decimal, the way the journal and the terminal show it:
/// `1.3`.
pub(crate) fn ms(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_never_outlives_its_callers_budget() {
        let caller = Deadline::after(Duration::from_millis(50));
        assert_eq!(caller.at_most(Duration::from_secs(5)), caller);
        assert!(caller.at_most(Duration::from_millis(1)) < caller);
    }

    #[test]
    fn an_absurd_budget_is_no_panic() {
        assert!(!Deadline::after(Duration::MAX).is_over());
    }
}
