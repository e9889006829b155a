//! A copy of the master's data that is on its way, shown to whoever waits for it at a terminal.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::time::Duration;

use super::copy_progress::Progress;
use crate::deadline::{Deadline, Stopwatch};
use crate::decide::view::View;
use crate::look::survey::Survey;
use crate::server::info::Observation;
use crate::terminal;

/// A person is shown it this often.
const SHOWN: Duration = Duration::from_millis(500);

/// What has been seen of the copy, and when it was shown last.
#[derive(Default)]
pub struct Copying {
    progress: Progress,
    /// How large a copy from a master can be.
    at_most: Option<(SocketAddr, Option<u64>)>,
    shown: Option<Stopwatch>,
}

impl Copying {
    /// Shows how far the copy in `view` has come, `at` since some moment; nothing, where nobody looks or none is under way.
    /// `command` is for asking the master how large it can be, once.
    pub fn show(&mut self, view: &View, survey: &mut Survey, command: Duration, at: Duration) {
        let following = view.local.seen.as_ref().ok().and_then(Observation::following);
        let Some((following, copied)) = following.and_then(|f| Some((f, f.copied.filter(|_| f.syncing)?))) else {
            return;
        };
        if !std::io::stdout().is_terminal() || self.shown.is_some_and(|shown| shown.elapsed() < SHOWN) {
            return;
        }
        self.shown = Some(Stopwatch::start());
        let at_most = following.address().and_then(|master| match self.at_most {
            Some((known, most)) if known == master => most,
            _ => {
                let server = survey.node(master).ok();
                // A copy is seldom larger than the data in memory.
                let most = server.and_then(|s| s.number("memory", "used_memory_dataset", Deadline::after(command)));
                self.at_most = Some((master, most));
                most
            }
        });
        terminal::passing(&self.progress.look(at, copied, at_most));
    }
}
