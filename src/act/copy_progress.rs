//! A copy of the master's data that is on its way: how it moves on, and that a person at a terminal
//! sees it.

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::time::Duration;

use bytesize::ByteSize;

use crate::deadline::{Deadline, Stopwatch};
use crate::decide::view::View;
use crate::look::survey::Survey;
use crate::server::info::{Copied, Observation};
use crate::terminal;

/// The rate is that of the last so many seconds: a copy that stands still must be seen to.
const WINDOW: Duration = Duration::from_secs(5);

/// What has been seen of one copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    seen: VecDeque<(Duration, u64)>,
}

impl Progress {
    /// One more look, `at` since some moment, as a sentence. `at_most` is how large the copy can
    /// be, where Redis does not say how large it is (it sends it while it makes it).
    pub(crate) fn look(&mut self, at: Duration, copied: Copied, at_most: Option<u64>) -> String {
        // Another copy has begun.
        if self
            .seen
            .back()
            .is_some_and(|(_, before)| copied.bytes < *before)
        {
            self.seen.clear();
        }
        self.seen.push_back((at, copied.bytes));
        while self.seen.len() > 2
            && self
                .seen
                .get(1)
                .is_some_and(|(then, _)| at.saturating_sub(*then) >= WINDOW)
        {
            self.seen.pop_front();
        }
        let rate = self.rate();
        let (about, total) = match (copied.total, at_most) {
            (Some(total), _) => ("", Some(total)),
            (None, most) => ("at most ", most.filter(|most| *most > copied.bytes)),
        };
        let mut said = format!("copying: {}", size(copied.bytes));
        if let Some(total) = total {
            said.push_str(&format!(" of {about}{}", size(total)));
        }
        let Some(rate) = rate else { return said };
        said.push_str(&format!(", {}/s", size(rate)));
        match total.and_then(|total| total.saturating_sub(copied.bytes).checked_div(rate)) {
            Some(seconds) => {
                let left = humantime::format_duration(Duration::from_secs(seconds));
                said.push_str(&format!(", {about}{left} left"));
            }
            None if rate == 0 => said.push_str(", it stands still"),
            None => {}
        }
        said
    }

    /// Bytes a second.
    fn rate(&self) -> Option<u64> {
        let ((from, first), (to, last)) = (self.seen.front()?, self.seen.back()?);
        let took = u64::try_from(to.saturating_sub(*from).as_millis())
            .ok()
            .filter(|ms| *ms >= 500)?;
        Some(last.saturating_sub(*first).saturating_mul(1000) / took)
    }
}

fn size(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}

/// A person is shown it this often.
const SHOWN: Duration = Duration::from_millis(500);

/// What has been seen of the copy, and when it was shown last.
#[derive(Default)]
pub(crate) struct Copying {
    progress: Progress,
    /// How large a copy from a master can be.
    at_most: Option<(SocketAddr, Option<u64>)>,
    shown: Option<Stopwatch>,
}

impl Copying {
    /// Shows how far the copy in `view` has come, `at` since some moment; nothing, where nobody
    /// looks or none is under way. `command` is for asking the master how large it can be, once.
    pub(crate) fn show(
        &mut self,
        view: &View,
        survey: &mut Survey,
        command: Duration,
        at: Duration,
    ) {
        let following = view
            .local
            .seen
            .as_ref()
            .ok()
            .and_then(Observation::following);
        let Some((following, copied)) =
            following.and_then(|f| Some((f, f.copied.filter(|_| f.syncing)?)))
        else {
            return;
        };
        if !std::io::stdout().is_terminal()
            || self.shown.is_some_and(|shown| shown.elapsed() < SHOWN)
        {
            return;
        }
        self.shown = Some(Stopwatch::start());
        let at_most = following.address().and_then(|master| match self.at_most {
            Some((known, most)) if known == master => most,
            _ => {
                let server = survey.node(master).ok();
                // A copy is seldom larger than the data in memory.
                let most = server.and_then(|s| {
                    s.number("memory", "used_memory_dataset", Deadline::after(command))
                });
                self.at_most = Some((master, most));
                most
            }
        });
        terminal::passing(&self.progress.look(at, copied, at_most));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_copy_is_told_with_its_rate_and_the_time_that_is_left() {
        let mut progress = Progress::default();
        let mut look = |ms, mib, total: Option<u64>, most: Option<u64>| {
            let copied = Copied {
                bytes: mib * MIB,
                total: total.map(|mib| mib * MIB),
            };
            progress.look(Duration::from_millis(ms), copied, most.map(|mib| mib * MIB))
        };
        assert_eq!(
            look(0, 10, Some(600), None),
            "copying: 10.0 MiB of 600.0 MiB"
        );
        assert_eq!(
            look(1000, 30, Some(600), None),
            "copying: 30.0 MiB of 600.0 MiB, 20.0 MiB/s, 28s left"
        );
        assert_eq!(
            look(7000, 30, Some(600), None),
            "copying: 30.0 MiB of 600.0 MiB, 0 B/s, it stands still"
        );
        assert_eq!(
            look(7500, 1, None, Some(100)),
            "copying: 1.0 MiB of at most 100.0 MiB",
            "another copy"
        );
        assert_eq!(
            look(8500, 11, None, Some(100)),
            "copying: 11.0 MiB of at most 100.0 MiB, 10.0 MiB/s, at most 8s left"
        );
        assert_eq!(
            look(9500, 120, None, Some(100)),
            "copying: 120.0 MiB, 59.5 MiB/s"
        );
    }
}
