//! What the watcher knows: its configuration, the local Redis, the sentinels; and what keepalived
//! is told of it.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::pulse::Pulse;
use super::subscription::Subscription;
use super::track_file::{DEAD, DEAD_BY_WEIGHT, HELD, NOT_NAMED, WELL};
use super::{SHORT_LIVED, SIGN_OF_LIFE};
use crate::config::Config;
use crate::deadline::{Deadline, Stopwatch, ms};
use crate::decide::sentinel::{Named, Poll};
use crate::look::survey::Survey;
use crate::node::addresses::local_node;
use crate::node::journal::{CHECKS, Journal, Label};
use crate::node::memory::Store;
use crate::programs::check_redis::eligible_by_sentinel::{self, Entitlement};
use crate::server::Server;
use crate::server::info::Observation;
use crate::server::probe::Liveness;

/// For the first answers of the sentinels: a watcher that is started again must not call the master
/// not named meanwhile.
const FIRST_WORDS: Duration = Duration::from_millis(1500);

/// All that the watcher knows between two beats.
pub(super) struct Watch {
    pub config: Config,
    pub survey: Survey,
    pub journal: Journal,
    pub server: Option<Server>,
    pub connected: Stopwatch,
    /// The last answer was about the password, or about TLS.
    pub denied: bool,
    /// Sentinel mode: what the sentinels say.
    pub subscription: Option<Subscription>,
    /// Sentinel mode: what the local Redis said last of itself.
    pub seen: Option<Observation>,
    /// Of the configuration and the files of TLS, when they were read.
    modified: Vec<Option<SystemTime>>,
    looked: Stopwatch,
}

/// What keepalived is to read.
pub(super) struct Judgement {
    well: bool,
    pub value: u8,
    /// Sentinel mode: what the sentinels say.
    why: Option<String>,
}

fn modified(path: &Path, config: &Config) -> Vec<Option<SystemTime>> {
    let auths = std::iter::once(&config.auth)
        .chain(config.sentinel.as_ref().map(|sentinel| &sentinel.auth));
    let files = auths
        .filter_map(|auth| auth.tls.as_ref())
        .flat_map(|tls| tls.files.all());
    let modified = |file: &Path| {
        std::fs::metadata(file)
            .and_then(|found| found.modified())
            .ok()
    };
    std::iter::once(path).chain(files).map(modified).collect()
}

impl Watch {
    pub(crate) fn new(path: &Path, verbose: bool) -> Result<Watch, String> {
        let (config, alarm) = Config::load_or_last(path).map_err(|error| error.to_string())?;
        let local = local_node(&config).map_err(|error| format!("{error:#}"))?;
        let journal = Journal::new(
            &config.log_dir,
            CHECKS,
            "check_redis",
            Label::Watch,
            verbose,
        )
        .of(&config.instance);
        if let Some(alarm) = alarm {
            journal.line(
                &format!("ALARM: {alarm}; going on with what was last read"),
                &[],
            );
        }
        let survey = Survey::new(&config, local);
        let now = Stopwatch::start();
        let modified = modified(path, &config);
        let subscription = match &config.sentinel {
            Some(sentinel) => match Subscription::start(sentinel, &config.timing) {
                Ok(subscription) => Some(subscription),
                Err(error) => return Err(format!("listening to the sentinels: {error}")),
            },
            None => None,
        };
        let (server, seen) = (None, None);
        let (connected, looked) = (now, now);
        Ok(Watch {
            config,
            survey,
            journal,
            server,
            connected,
            denied: false,
            subscription,
            seen,
            modified,
            looked,
        })
    }

    pub(crate) fn await_first_words(&self, go_on: &mut dyn FnMut() -> bool) {
        let Some(subscription) = &self.subscription else {
            return;
        };
        let patience = Deadline::after(FIRST_WORDS);
        while subscription.latest().is_none() && go_on() && patience.pause(SHORT_LIVED) {}
    }

    /// What follows of a local Redis that is `well` or not.
    pub(crate) fn judge(&mut self, well: bool) -> Judgement {
        let unnamed = |value| Judgement {
            well,
            value,
            why: None,
        };
        let (Some(sentinel), Some(subscription)) = (&self.config.sentinel, &mut self.subscription)
        else {
            return unnamed(if well { WELL } else { DEAD });
        };
        subscription.heard();
        let (true, Some(seen)) = (well, &self.seen) else {
            return unnamed(if well { NOT_NAMED } else { DEAD_BY_WEIGHT });
        };
        let store = Store::new(&self.config.memory_dir);
        let poll = subscription
            .latest()
            .unwrap_or_else(|| Poll::silence(sentinel.nodes.len(), sentinel.quorum));
        let Entitlement {
            eligible,
            held,
            why,
        } = eligible_by_sentinel::entitlement(sentinel, &store, self.survey.address(), seen, &poll);
        let value = match (eligible, held && poll.named() == Named::Silent) {
            (true, false) => WELL,
            (true, true) => HELD,
            (false, _) => NOT_NAMED,
        };
        Judgement {
            well,
            value,
            why: Some(why),
        }
    }

    /// What is wrong may be the password, or the address; and somebody may have edited it.
    pub(crate) fn is_worth_reading_again(&mut self, path: &Path, pulse: &Pulse) -> bool {
        if pulse.well == Some(false) || self.denied {
            return true;
        }
        if self.looked.elapsed() < SIGN_OF_LIFE {
            return false;
        }
        self.looked = Stopwatch::start();
        modified(path, &self.config) != self.modified
    }

    /// What is wrong with the file by now is the check's to say, once a second; here the last one
    /// stands. True where it has changed.
    pub(crate) fn read_again(&mut self, path: &Path, verbose: bool) -> bool {
        self.modified = modified(path, &self.config);
        let changed = Config::load(path).is_ok_and(|config| config != self.config);
        let Some(watch) = changed.then(|| Watch::new(path, verbose).ok()).flatten() else {
            return false;
        };
        *self = watch;
        self.journal
            .line("read the configuration again, which has changed", &[]);
        true
    }

    /// One line, where something else was found than the last time.
    pub(crate) fn note(
        &self,
        found: &Liveness,
        judgement: &Judgement,
        asked: Stopwatch,
        file: &Path,
        said: &mut String,
    ) {
        let endpoint = self.survey.local_endpoint();
        let alarm = found.alarm();
        let verdict = match (found.is_alive(), judgement.well) {
            (true, true) => "ok",
            (true, false) => "not yet ok",
            (false, _) => "failed",
        };
        let why = judgement
            .why
            .as_ref()
            .map_or_else(String::new, |why| format!("; {why}"));
        let now = format!("{verdict}: {alarm}{endpoint}: {found}{why}");
        if *said != now {
            self.journal.line(
                &now,
                &[("took_ms", &ms(asked.elapsed())), ("file", &file.display())],
            );
            *said = now;
        }
    }
}
