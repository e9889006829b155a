//! What `check_redis --watch` does: one connection to the local Redis is kept open. Its end is the
//! death of the server, an answer that does not come within `timing.hang` is a hang, and keepalived
//! reads the verdict from a file (a `vrrp_track_file`: 0 is well, 1 is FAULT) milliseconds later.
//! Of roles it knows nothing; the check beside it does. But in Sentinel mode it also listens to the
//! sentinels, so that the VIP follows a switch at once.

pub(crate) mod listening;
pub(crate) mod pulse;
pub(crate) mod subscription;
pub(crate) mod track_file;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use self::pulse::Pulse;
use self::subscription::Subscription;
use self::track_file::{DEAD, DEAD_BY_WEIGHT, HELD, NOT_NAMED, TrackFile, WELL};
use super::check_redis::eligible_by_sentinel;
use crate::config::{Config, LOG_DIR};
use crate::deadline::{Deadline, Stopwatch, ms};
use crate::decide::sentinel::{Named, Poll};
use crate::exit::code;
use crate::look::survey::Survey;
use crate::node::addresses::local_node;
use crate::node::journal::{CHECKS, Journal, Label};
use crate::node::memory::Store;
use crate::server::Server;
use crate::server::failure::Failure;
use crate::server::info::Observation;
use crate::server::probe::Liveness;

/// Also with a large `timing.hang`: the file is looked at, and a signal is heeded, this often.
const LONGEST_BEAT: Duration = Duration::from_millis(250);
/// Less than the unit's `TimeoutStartSec`.
const LONGEST_START: Duration = Duration::from_secs(3);
/// A connection that ended sooner is not followed by another at once: something that is no Redis
/// may do so for ever.
const SHORT_LIVED: Duration = Duration::from_millis(10);
/// systemd wants a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// For the first answers of the sentinels: a watcher that is started again must not call the master
/// not named meanwhile.
const FIRST_WORDS: Duration = Duration::from_millis(1500);

/// The conversation with the local Redis.
struct Watch {
    config: Config,
    survey: Survey,
    journal: Journal,
    server: Option<Server>,
    connected: Stopwatch,
    /// The last answer was about the password, or about TLS.
    denied: bool,
    /// Sentinel mode: what the sentinels say.
    subscription: Option<Subscription>,
    /// Sentinel mode: what the local Redis said last of itself.
    seen: Option<Observation>,
    /// Of the configuration and the files of TLS, when they were read.
    modified: Vec<Option<SystemTime>>,
    looked: Stopwatch,
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

/// Watches until SIGTERM, with the configuration at `path`, and writes the verdict into `file`.
/// With `verbose` what is journalled is printed, too. Answers with the exit code.
pub(crate) fn run(path: &Path, file: &Path, verbose: bool) -> u8 {
    let (ended, reload) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    for (signal, flag) in [(SIGTERM, &ended), (SIGINT, &ended), (SIGHUP, &reload)] {
        let _ = signal_hook::flag::register(signal, Arc::clone(flag));
    }
    let mut track = TrackFile::new(file);
    let clock = Stopwatch::start();
    let (mut pulse, mut said, mut unwritten) = (Pulse::default(), String::new(), None);
    let mut go_on = life(ended);
    let Some(mut watch) = begin(path, verbose, &mut track, &mut go_on) else {
        return code::CANNOT_TELL;
    };
    watch.await_first_words(&mut go_on);
    while go_on() {
        let worth_it =
            reload.swap(false, Ordering::Relaxed) || watch.is_worth_reading_again(path, &pulse);
        if worth_it && watch.read_again(path, verbose) {
            watch.await_first_words(&mut go_on);
        }
        let asked = Stopwatch::start();
        let found = watch.listen(&mut go_on);
        if found.0 == Err(Failure::TimedOut) && !go_on() {
            break;
        }
        let first = pulse.well.is_none();
        pulse = pulse.heard(found.is_alive(), clock.elapsed());
        let well = pulse.well == Some(true);
        let (value, named) = watch.value(well);
        let complaint = match track.say(value) {
            Ok(made) if made && !first => {
                Some(format!("the directory of {} was removed", file.display()))
            }
            Ok(_) => None,
            Err(error) => Some(format!("writing {}: {error}", file.display())),
        };
        if first {
            // Also where the file can't be written: keepalived must not wait for it, and the check
            // goes on without.
            let _ = sd_notify::notify(false, &[NotifyState::Ready]);
        }
        watch.note((&found, well, named), asked, file, &mut said);
        if let Some(complaint) = complaint
            .as_ref()
            .filter(|complaint| unwritten.as_ref() != Some(*complaint))
        {
            watch.journal.line(
                &format!(
                    "ALARM: {complaint}; keepalived goes by the check alone \
                until this is mended and keepalived reloaded"
                ),
                &[],
            );
        }
        unwritten = complaint;
        watch.rest(&found);
    }
    // A watcher that is not there must keep nobody out; the check beside it remains.
    let _ = track.say(WELL);
    watch.journal.line(
        "the watcher ends; the check goes on alone",
        &[("file", &file.display())],
    );
    code::YES
}

/// Waits for a configuration and for the address of a node on this machine: at boot either may come
/// late. By hand it does not wait. `None`: it ends.
fn begin(
    path: &Path,
    verbose: bool,
    track: &mut TrackFile,
    go_on: &mut dyn FnMut() -> bool,
) -> Option<Watch> {
    let mut said = String::new();
    loop {
        let sentence = match Watch::new(path, verbose) {
            Ok(watch) => return Some(watch),
            Err(sentence) => sentence,
        };
        if sentence != said {
            Journal::new(
                Path::new(LOG_DIR),
                CHECKS,
                "check_redis",
                Label::Watch,
                true,
            )
            .line(&sentence, &[]);
        }
        said = sentence;
        std::env::var_os("NOTIFY_SOCKET")?;
        // Who knows nothing keeps nobody out.
        let _ = track.say(WELL);
        let _ = sd_notify::notify(false, &[NotifyState::Ready]);
        let pause = Deadline::after(SIGN_OF_LIFE);
        while pause.pause(LONGEST_BEAT) {
            if !go_on() {
                return None;
            }
        }
    }
}

/// Answers whether to go on, and tells systemd now and then that it does. Also without a verdict
/// yet it is ready after a while: keepalived must not wait for it for as long as `timing.hang` may
/// be.
fn life(ended: Arc<AtomicBool>) -> impl FnMut() -> bool {
    let (start, mut ready, mut sign) = (Stopwatch::start(), false, Stopwatch::start());
    move || {
        if !ready && start.elapsed() >= LONGEST_START {
            let _ = sd_notify::notify(false, &[NotifyState::Ready]);
            ready = true;
        }
        if sign.elapsed() >= SIGN_OF_LIFE {
            let _ = sd_notify::notify(false, &[NotifyState::Watchdog]);
            sign = Stopwatch::start();
        }
        !ended.load(Ordering::Relaxed)
    }
}

impl Watch {
    fn new(path: &Path, verbose: bool) -> Result<Watch, String> {
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

    fn await_first_words(&self, go_on: &mut dyn FnMut() -> bool) {
        let Some(subscription) = &self.subscription else {
            return;
        };
        let patience = Deadline::after(FIRST_WORDS);
        while subscription.latest().is_none() && go_on() && patience.pause(SHORT_LIVED) {}
    }

    /// What keepalived reads, and in Sentinel mode why.
    fn value(&mut self, well: bool) -> (u8, Option<String>) {
        let (Some(sentinel), Some(subscription)) = (&self.config.sentinel, &mut self.subscription)
        else {
            return (if well { WELL } else { DEAD }, None);
        };
        subscription.heard();
        let (true, Some(seen)) = (well, &self.seen) else {
            return (if well { NOT_NAMED } else { DEAD_BY_WEIGHT }, None);
        };
        let store = Store::new(&self.config.memory_dir);
        let poll = subscription
            .latest()
            .unwrap_or_else(|| Poll::silence(sentinel.nodes.len(), sentinel.quorum));
        let eligible_by_sentinel::Answer {
            eligible,
            held,
            why,
        } = eligible_by_sentinel::answer(sentinel, &store, self.survey.address(), seen, &poll);
        let value = match (eligible, held && poll.named() == Named::Silent) {
            (true, false) => WELL,
            (true, true) => HELD,
            (false, _) => NOT_NAMED,
        };
        (value, Some(why))
    }

    /// What is wrong may be the password, or the address; and somebody may have edited it.
    fn is_worth_reading_again(&mut self, path: &Path, pulse: &Pulse) -> bool {
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
    fn read_again(&mut self, path: &Path, verbose: bool) -> bool {
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
    fn note(
        &self,
        (found, well, named): (&Liveness, bool, Option<String>),
        asked: Stopwatch,
        file: &Path,
        said: &mut String,
    ) {
        let endpoint = self.survey.local_endpoint();
        let alarm = found.alarm();
        let verdict = match (found.is_alive(), well) {
            (true, true) => "ok",
            (true, false) => "not yet ok",
            (false, _) => "failed",
        };
        let named = named.map_or_else(String::new, |why| format!("; {why}"));
        let now = format!("{verdict}: {alarm}{endpoint}: {found}{named}");
        if *said != now {
            self.journal.line(
                &now,
                &[("took_ms", &ms(asked.elapsed())), ("file", &file.display())],
            );
            *said = now;
        }
    }
}
