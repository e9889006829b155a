//! Figures of many runs: the middle one, the spread, ratios, and tables in Markdown.

use std::fmt::Write as _;
use std::time::Duration;

/// What was measured, in order of size.
#[derive(Clone, Debug, Default)]
pub struct Figures(Vec<f64>);

impl Figures {
    /// Durations, in milliseconds.
    pub fn times(times: impl IntoIterator<Item = Duration>) -> Figures {
        Figures::new(
            times
                .into_iter()
                .map(|time| time.as_secs_f64() * 1e3)
                .collect(),
        )
    }

    /// Numbers of any kind.
    pub fn new(mut values: Vec<f64>) -> Figures {
        values.sort_by(f64::total_cmp);
        Figures(values)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The smallest below which, or at which, that share of them is; 0 where there are none.
    pub fn share(&self, share: f64) -> f64 {
        let rank = (self.0.len() as f64 * share).ceil() as usize;
        self.0
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        self.share(0.5)
    }

    /// Median, 95th percentile, lowest and highest, as cells of a table.
    pub fn cells(&self, text: fn(f64) -> String) -> Vec<String> {
        let (Some(low), Some(high)) = (self.0.first(), self.0.last()) else {
            return vec!["-".to_owned(); 3];
        };
        vec![
            text(self.median()),
            text(self.share(0.95)),
            format!("{} - {}", text(*low), text(*high)),
        ]
    }

    /// The three as one cell.
    pub fn cell(&self, text: fn(f64) -> String) -> String {
        let cells = self.cells(text);
        match cells.as_slice() {
            [median, most, range] => format!("{median} ({most}; {range})"),
            _ => String::new(),
        }
    }

    /// How many times the median of `other` this median is.
    pub fn times_of(&self, other: &Figures) -> String {
        let (own, other) = (self.median(), other.median());
        if self.0.is_empty() || other == 0.0 {
            return "-".to_owned();
        }
        let ratio = own / other;
        if ratio < 10.0 {
            format!("{ratio:.2}")
        } else {
            format!("{ratio:.0}")
        }
    }
}

/// Milliseconds, as people write them.
pub fn milliseconds(value: f64) -> String {
    match value {
        v if v < 10.0 => format!("{v:.2} ms"),
        v if v < 100.0 => format!("{v:.1} ms"),
        v if v < 1000.0 => format!("{v:.0} ms"),
        v => format!("{:.2} s", v / 1e3),
    }
}

/// The same of a duration.
pub fn shown(time: Duration) -> String {
    milliseconds(time.as_secs_f64() * 1e3)
}

/// A table in Markdown, its columns named `head`.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "| {} |", head.join(" | "));
    let _ = writeln!(text, "|{}", "---|".repeat(head.len()));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::Figures;

    #[test]
    fn the_95th_percentile_of_twenty_is_the_nineteenth() {
        let figures = Figures::new((1..=20).map(f64::from).rev().collect());
        assert_eq!(
            (figures.median(), figures.share(0.95), figures.share(1.0)),
            (10.0, 19.0, 20.0)
        );
    }

    #[test]
    fn nothing_measured_is_no_figure() {
        assert_eq!(Figures::default().cells(|v| v.to_string()), ["-", "-", "-"]);
    }
}
