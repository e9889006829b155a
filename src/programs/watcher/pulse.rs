//! The watcher's verdict over time. Pure.

use std::time::Duration;

/// What has died, or kept us waiting, is well again after answers in time for so long: one slow
/// answer moves the VIP once, and not to and fro.
const STEADY: Duration = Duration::from_secs(1);

/// The verdict so far; `heard` is told of each answer or silence, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pulse {
    /// `None` before the first answer or silence.
    pub well: Option<bool>,
    /// Since when every answer came in time.
    since: Option<Duration>,
}

impl Pulse {
    /// `now` runs since the start of the watcher.
    #[must_use]
    pub(crate) fn heard(self, alive: bool, now: Duration) -> Pulse {
        if !alive {
            return Pulse {
                well: Some(false),
                since: None,
            };
        }
        let since = self.since.unwrap_or(now);
        let well = self.well != Some(false) || now.saturating_sub(since) >= STEADY;
        Pulse {
            well: Some(well),
            since: Some(since),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(time: u64) -> Duration {
        Duration::from_millis(time)
    }

    #[test]
    fn the_first_answer_counts_at_once_and_a_failed_one_is_well_again_after_a_steady_second() {
        let mut pulse = Pulse::default();
        for (at, alive, well) in [
            (0, true, true),
            (150, true, true),
            (600, false, false),
            (700, true, false),
            (1600, true, false),
            (1650, false, false),
            (1700, true, false),
            (2690, true, false),
            (2700, true, true),
            (2800, false, false),
        ] {
            pulse = pulse.heard(alive, ms(at));
            assert_eq!(pulse.well, Some(well), "at {at} ms");
        }
        assert_eq!(Pulse::default().heard(false, ms(0)).well, Some(false));
    }

    proptest! {
        #[test]
        fn after_a_failure_it_is_never_well_within_a_second(
            beats in prop::collection::vec((any::<bool>(), 0u64..400), 1..60),
        ) {
            let (mut pulse, mut now, mut failed) = (Pulse::default(), 0, None);
            for (alive, pause) in beats {
                now += pause;
                pulse = pulse.heard(alive, ms(now));
                failed = if alive { failed } else { Some(now) };
                let expected = alive && failed.is_none_or(|at| now > at);
                let steady = failed.is_none_or(|at| now >= at + 1000);
                prop_assert!(pulse.well != Some(true) || expected && steady);
            }
        }
    }
}
