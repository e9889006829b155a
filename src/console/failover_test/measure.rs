//! Phases of a test, and what a client noticed of each. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use super::written::{Write, Written};
use crate::console::columns::{Column, Table};

/// A part of the test; times are since the writer was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Phase {
    /// What a person calls it.
    pub name: &'static str,
    pub from: Duration,
    pub to: Option<Duration>,
    /// The change that it waits for was seen.
    pub reached: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Measured {
    name: &'static str,
    took: Duration,
    /// The longest time between two acknowledged writes, of which one may be of another phase.
    pub gap: Duration,
    acknowledged: usize,
    lost: usize,
    reached: bool,
}

impl Phase {
    /// Of what was `written`, of which `lost` is not there any more.
    pub(crate) fn measured(&self, written: &Written, lost: &[Write]) -> Measured {
        let to = self.to.unwrap_or(self.from);
        let within = |write: &&Write| write.at >= self.from && write.at < to;
        let gone: BTreeSet<u64> = lost.iter().map(|write| write.number).collect();
        let acknowledged: Vec<&Write> = written.acknowledged.iter().filter(within).collect();
        Measured {
            name: self.name,
            took: to.saturating_sub(self.from),
            gap: longest_gap(&written.acknowledged, self.from, to),
            acknowledged: acknowledged.len(),
            lost: acknowledged
                .iter()
                .filter(|write| gone.contains(&write.number))
                .count(),
            reached: self.reached,
        }
    }
}

/// Between two writes that enclose a moment of the time `from` to `to`; after the last one, until
/// `to`.
fn longest_gap(writes: &[Write], from: Duration, to: Duration) -> Duration {
    let ends = writes.iter().map(|write| write.at).chain([to]);
    let gaps = std::iter::once(Duration::ZERO)
        .chain(writes.iter().map(|write| write.at))
        .zip(ends);
    let touching = gaps.filter(|(begin, end)| *begin < to && *end > from);
    touching
        .map(|(begin, end)| end.saturating_sub(begin))
        .max()
        .unwrap_or_default()
}

/// Its lines: a heading, and a line for each phase.
pub(crate) fn table(phases: &[Measured]) -> Vec<String> {
    let time = |time: Duration| match time.as_millis() {
        ms @ 0..=9999 => format!("{ms} ms"),
        _ => format!("{:.1} s", time.as_secs_f64()),
    };
    let number = |heading, width| Column {
        heading,
        width,
        is_flush_right: true,
    };
    let columns = [
        Column {
            width: 7,
            ..Column::of_texts("phase")
        },
        number("took", 8),
        number("longest gap", 12),
        number("acknowledged", 13),
        number("lost", 5),
    ];
    let mut table = Table::new(columns.to_vec(), 1);
    for one in phases {
        table.push(vec![
            one.name.to_owned(),
            time(one.took),
            time(one.gap),
            one.acknowledged.to_string(),
            one.lost.to_string(),
        ]);
    }
    let rows = phases.iter().zip(table.lines()).map(|(one, line)| {
        if one.reached {
            line
        } else {
            format!("{line}  not reached")
        }
    });
    std::iter::once(table.heading()).chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(at: &[u64]) -> Written {
        let write = |(number, at): (u64, &u64)| Write {
            number,
            at: Duration::from_millis(*at),
        };
        Written::of((0..).zip(at).map(write).collect())
    }

    fn phase(from: u64, to: u64) -> Phase {
        Phase {
            name: "there",
            from: Duration::from_millis(from),
            to: Some(Duration::from_millis(to)),
            reached: true,
        }
    }

    #[test]
    fn a_gap_counts_in_each_phase_that_it_touches() {
        let written = written(&[5, 10, 15, 95, 100, 105, 110]);
        for ((from, to), gap, acknowledged) in [
            ((0, 15), 5, 2),
            ((0, 50), 80, 3),
            ((50, 60), 80, 0),
            ((50, 112), 80, 4),
            ((100, 112), 5, 3),
            ((100, 150), 40, 3),
        ] {
            let measured = phase(from, to).measured(&written, &[]);
            assert_eq!(
                (measured.gap.as_millis(), measured.acknowledged),
                (gap, acknowledged),
                "{from} {to}"
            );
        }
    }

    #[test]
    fn what_was_lost_is_told_in_its_phase() {
        let written = written(&[5, 10, 15]);
        let lost = [Write {
            number: 1,
            at: Duration::from_millis(10),
        }];
        assert_eq!(phase(0, 10).measured(&written, &lost).lost, 0);
        assert_eq!(phase(10, 20).measured(&written, &lost).lost, 1);
    }

    #[test]
    fn the_table_says_what_was_not_reached() {
        let written = written(&[5, 12_000]);
        let mut broken = phase(0, 12_500);
        broken.reached = false;
        let lines = table(&[
            phase(0, 1000).measured(&written, &[]),
            broken.measured(&written, &[]),
        ]);
        let expected = [
            "phase       took  longest gap  acknowledged  lost",
            "there    1000 ms      12.0 s             1     0",
            "there     12.5 s      12.0 s             2     0  not reached",
        ];
        assert_eq!(
            lines
                .iter()
                .map(|line| line.split_whitespace().collect())
                .collect::<Vec<Vec<_>>>(),
            expected.map(|line| line.split_whitespace().collect::<Vec<_>>())
        );
    }
}
