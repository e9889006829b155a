//! What a worker says: lines of the journal, each reason to wait once in a while, warnings, and
//! what the hook is told.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::trouble::Trouble;
use crate::config::{Config, Hooks};
use crate::deadline::{Stopwatch, ms};
use crate::node::clock::now;
use crate::node::hook::{self, Event};
use crate::node::journal::{Journal, Label};
use crate::node::turn::Ended;

/// A wait is said at first, then this often.
const REMINDER: Duration = Duration::from_secs(60);
/// A sync that moves on is said this often.
const PROGRESS: Duration = Duration::from_secs(5);

pub(crate) struct Voice {
    journal: Journal,
    hooks: Hooks,
    instance: String,
    local: SocketAddr,
    vip: IpAddr,
    /// Since the program was started.
    clock: Stopwatch,
    /// When each reason to wait was said last.
    waits: HashMap<String, Stopwatch>,
}

impl Voice {
    pub(crate) fn new(
        config: &Config,
        local: SocketAddr,
        journal: Journal,
        clock: Stopwatch,
    ) -> Voice {
        Voice {
            journal,
            hooks: config.hooks.clone(),
            instance: config.instance.clone(),
            local,
            vip: config.vip,
            clock,
            waits: HashMap::new(),
        }
    }

    /// A line of the journal.
    pub(crate) fn line(&self, sentence: &str, pairs: &[(&str, &dyn Display)]) {
        self.journal.line(sentence, pairs);
    }

    /// Something did not work, and nothing depends on it.
    pub(crate) fn warn(&self, what: impl Display) {
        self.line(&format!("warning: {what}"), &[]);
    }

    /// A transition: a line of the journal, and the hook is told.
    pub(crate) fn transition(&self, event: Event, sentence: &str, pairs: &[(&str, &dyn Display)]) {
        self.line(sentence, pairs);
        self.tell(event, sentence, pairs);
    }

    /// Tells the hook alone. Whatever becomes of it, nothing here depends on it.
    pub(crate) fn tell(&self, event: Event, sentence: &str, pairs: &[(&str, &dyn Display)]) {
        if self.hooks.on_transition.is_empty() {
            return;
        }
        let (label, at) = (self.journal.label(), now());
        let state = label
            .to_string()
            .trim_matches(['[', ']'])
            .to_ascii_uppercase();
        let mut facts: Vec<(&str, &dyn Display)> = vec![
            ("at", &at),
            ("instance", &self.instance),
            ("node", &self.local),
            ("sentence", &sentence),
            ("vip", &self.vip),
        ];
        // By hand there is no VRRP state that this is done for.
        facts.extend((label != Label::Drain).then_some(("state", &state as &dyn Display)));
        facts.extend(pairs.iter().copied());
        if let Err(error) = hook::start(&self.hooks, event, &facts) {
            self.warn(format_args!("{error:#}"));
        }
    }

    /// Says that something is waited for: when it begins, every minute, and a sync that moves on
    /// every 5 s.
    pub(crate) fn waiting(&mut self, why: &str) {
        let kind: String = why.chars().filter(|c| !c.is_ascii_digit()).collect();
        let pace = if why.contains('%') {
            PROGRESS
        } else {
            REMINDER
        };
        // Each reason has its own pace: two may alternate, as a refused copy and the link that is
        // down because of it.
        if self
            .waits
            .get(&kind)
            .is_some_and(|said| said.elapsed() < pace)
        {
            return;
        }
        self.waits.retain(|_, said| said.elapsed() < REMINDER);
        self.waits.insert(kind, Stopwatch::start());
        self.line(
            &format!("waiting: {why}"),
            &[("waited_ms", &ms(self.clock.elapsed()))],
        );
    }

    /// What a step came to; `None` when it failed. That is said once, for the loop that it happened
    /// in looks again.
    ///
    /// # Errors
    /// [`Ended`] ends the loop.
    pub(crate) fn outcome<T>(&mut self, taken: Result<T, Trouble>) -> Result<Option<T>, Ended> {
        match taken {
            Ok(done) => Ok(Some(done)),
            Err(Trouble::Ended(ended)) => Err(ended),
            Err(trouble) => {
                self.waiting(&format!("{trouble}; looking again"));
                Ok(None)
            }
        }
    }
}
