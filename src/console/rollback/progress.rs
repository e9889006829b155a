//! How far a comparison is, for whoever waits for it.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use crate::deadline::Stopwatch;

/// How often a person at a terminal hears how far it is.
const TELL: Duration = Duration::from_millis(200);

/// One line on a terminal that is written over; silent elsewhere.
pub(crate) struct Progress {
    shown: bool,
    visible: bool,
    last: Option<Stopwatch>,
}

impl Progress {
    pub(crate) fn new() -> Progress {
        Progress {
            shown: std::io::stderr().is_terminal(),
            visible: false,
            last: None,
        }
    }

    pub(crate) fn tell(&mut self, text: &str) {
        if !self.shown || self.last.is_some_and(|last| last.elapsed() < TELL) {
            return;
        }
        self.last = Some(Stopwatch::start());
        self.visible = true;
        let _ = write!(std::io::stderr(), "\r\x1b[K{text}");
    }

    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.visible) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
