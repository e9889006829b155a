//! Writes over time: how many in each slice of it, and when there were none.

use std::time::Duration;

/// A time without an acknowledged write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The last write before it.
    pub from: Duration,
    /// The first one after it.
    pub to: Duration,
}

impl Outage {
    /// How long it was.
    pub fn length(self) -> Duration {
        self.to.saturating_sub(self.from)
    }
}

/// How many of `times` fall into each slice of `from..to`; the last slice may reach beyond `to`.
/// None when there is no such time.
pub fn per_slice(times: &[Duration], from: Duration, to: Duration, slice: Duration) -> Vec<usize> {
    let nanos = slice.as_nanos().max(1);
    let slices = to.saturating_sub(from).as_nanos().div_ceil(nanos);
    let mut counts = vec![0; usize::try_from(slices).unwrap_or_default()];
    for time in times.iter().filter(|time| (from..to).contains(*time)) {
        let slice = usize::try_from((*time - from).as_nanos() / nanos);
        if let Some(count) = slice.ok().and_then(|slice| counts.get_mut(slice)) {
            *count += 1;
        }
    }
    counts
}

/// The times of at least `least` in `from..to` without any of `times`, which are in order.
pub fn outages(times: &[Duration], from: Duration, to: Duration, least: Duration) -> Vec<Outage> {
    let inside = times
        .iter()
        .copied()
        .filter(|time| (from..to).contains(time));
    let ends: Vec<Duration> = [from].into_iter().chain(inside).chain([to]).collect();
    let gaps = ends.windows(2).map(|two| Outage {
        from: two[0],
        to: two[1],
    });
    gaps.filter(|gap| gap.length() >= least && gap.to > gap.from)
        .collect()
}

/// The longest of [`outages`], if there is any time at all.
pub fn longest(times: &[Duration], from: Duration, to: Duration) -> Option<Outage> {
    outages(times, from, to, Duration::ZERO)
        .into_iter()
        .max_by_key(|gap| gap.length())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn each_write_counts_in_its_slice_and_those_outside_do_not() {
        let times = [ms(99), ms(100), ms(149), ms(150), ms(299), ms(300)];
        assert_eq!(per_slice(&times, ms(100), ms(300), ms(50)), [2, 1, 0, 1]);
        assert_eq!(
            per_slice(&times, ms(100), ms(260), ms(50)),
            [2, 1, 0, 0],
            "the last slice is cut short"
        );
        assert_eq!(
            per_slice(&times, ms(300), ms(100), ms(50)),
            [0; 0],
            "no time"
        );
        assert_eq!(
            per_slice(&times, ms(0), ms(1), Duration::ZERO).len(),
            1_000_000,
            "nanoseconds"
        );
    }

    #[test]
    fn an_outage_is_found_with_its_ends() {
        let times: Vec<Duration> = (0..100)
            .map(|n| ms(5 * n))
            .filter(|t| !(ms(200)..ms(350)).contains(t))
            .collect();
        let outage = Outage {
            from: ms(195),
            to: ms(350),
        };
        assert_eq!(outages(&times, ms(0), ms(500), ms(100)), [outage]);
        assert_eq!(longest(&times, ms(0), ms(500)), Some(outage));
        assert_eq!(
            longest(&times, ms(0), ms(300)),
            Some(Outage {
                from: ms(195),
                to: ms(300)
            }),
            "not over yet"
        );
    }

    #[test]
    fn no_write_and_one_write_are_no_trouble() {
        assert_eq!(per_slice(&[], ms(0), ms(100), ms(50)), [0, 0]);
        assert_eq!(
            longest(&[], ms(0), ms(100)),
            Some(Outage {
                from: ms(0),
                to: ms(100)
            })
        );
        assert_eq!(longest(&[], ms(100), ms(100)), None);
        assert_eq!(per_slice(&[ms(60)], ms(0), ms(100), ms(50)), [0, 1]);
        assert_eq!(
            longest(&[ms(60)], ms(0), ms(100)).map(Outage::length),
            Some(ms(60))
        );
    }
}
