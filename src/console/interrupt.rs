//! Ctrl-C, and being asked to end: noticed between two steps, so that everything is cleaned up
//! first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::ensure;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Whether somebody wants this program to end. A clone asks the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on these signals end nothing by themselves.
    pub(crate) fn armed() -> Interrupt {
        let interrupt = Interrupt::default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // Where it is refused the signal ends us as ever.
            let _ = signal_hook::flag::register(signal, Arc::clone(&interrupt.0));
        }
        interrupt
    }

    pub(crate) fn has_come(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Go on?
    ///
    /// # Errors
    /// A signal has come.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.has_come(), "ended by a signal");
        Ok(())
    }
}
