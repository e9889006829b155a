//! What `check_redis --watch` does: one connection to the local Redis is kept open. Its end is the death of the server,
//! an answer that does not come within `timing.hang` is a hang, and keepalived reads the verdict from a file (a
//! `vrrp_track_file`: 0 is well, 1 is FAULT) milliseconds later. Of roles it knows nothing; the check beside it does.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::cmd;
use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::config::{Config, LOG_DIR};
use crate::deadline::{Deadline, Stopwatch, ms};
use crate::journal::{CHECKS, Journal, Label};
use crate::probe::{Liveness, liveness_of, liveness_of_ping};
use crate::program::{code, local_node};
use crate::server::Server;
use crate::survey::Survey;
use crate::track_file::TrackFile;

/// What has died, or kept us waiting, is well again after answers in time for so long: one slow answer moves the VIP
/// once, and not to and fro.
const STEADY: Duration = Duration::from_secs(1);
/// Woken this much later than asked for, we were the ones who stood still: what did not come is asked for again.
const OUR_OWN_DELAY: Duration = Duration::from_millis(50);
/// A server that closes the connection may be telling somebody else to go (CLIENT KILL after a handover). One that dies
/// refuses the next connection; one that is about to die may take it and close it again.
const TRIES: u32 = 3;
/// Also with a large `timing.hang`: the file is looked at, and a signal is heeded, this often.
const LONGEST_BEAT: Duration = Duration::from_millis(250);
/// systemd wants a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// The verdict over time. Pure: told when what was heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pulse {
    /// `None` before the first answer or silence.
    well: Option<bool>,
    /// Since when every answer came in time.
    since: Option<Duration>,
}

impl Pulse {
    /// `now` runs since the start of the watcher.
    fn heard(self, alive: bool, now: Duration) -> Pulse {
        if !alive {
            return Pulse { well: Some(false), since: None };
        }
        let since = self.since.unwrap_or(now);
        let well = self.well != Some(false) || now.saturating_sub(since) >= STEADY;
        Pulse { well: Some(well), since: Some(since) }
    }
}

/// The conversation with the local Redis.
struct Watch {
    config: Config,
    survey: Survey,
    journal: Journal,
    server: Option<Server>,
    /// The last answer was about the password.
    denied: bool,
}

/// Watches until SIGTERM, with the configuration at `path`, and writes the verdict into `file`. With `verbose` what is
/// journalled is printed, too. Answers with the exit code.
pub fn run(path: &Path, file: &Path, verbose: bool) -> u8 {
    let (ended, reload) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    for (signal, flag) in [(SIGTERM, &ended), (SIGINT, &ended), (SIGHUP, &reload)] {
        let _ = signal_hook::flag::register(signal, Arc::clone(flag));
    }
    let mut watch = match Watch::new(path, verbose) {
        Ok(watch) => watch,
        Err(sentence) => {
            Journal::new(Path::new(LOG_DIR), CHECKS, "check_redis", Label::Watch, true).line(&sentence, &[]);
            return code::CANNOT_TELL;
        }
    };
    let mut track = TrackFile::new(file);
    let clock = Stopwatch::start();
    let (mut pulse, mut said, mut unwritten) = (Pulse::default(), String::new(), None);
    let mut go_on = life(ended);
    while go_on() {
        if reload.swap(false, Ordering::Relaxed) || watch.is_worth_reading_again(&pulse) {
            watch.read_again(path, verbose);
        }
        let asked = Stopwatch::start();
        let found = watch.listen(&mut go_on);
        if found == Liveness::TimedOut && !go_on() {
            break;
        }
        let first = pulse.well.is_none();
        pulse = pulse.heard(found.is_alive(), clock.elapsed());
        let well = pulse.well == Some(true);
        let complaint = match track.say(well) {
            Ok(made) if made && !first => Some(format!("the directory of {} was removed", file.display())),
            Ok(_) => None,
            Err(error) => Some(format!("writing {}: {error}", file.display())),
        };
        if first {
            // Also where the file can't be written: keepalived must not wait for it, and the check goes on without.
            let _ = sd_notify::notify(false, &[NotifyState::Ready]);
        }
        watch.note(&found, well, asked, file, &mut said);
        if let Some(complaint) = complaint.as_ref().filter(|complaint| unwritten.as_ref() != Some(*complaint)) {
            watch.journal.line(&format!("ALARM: {complaint}; keepalived goes by the check alone until this is mended and keepalived reloaded"), &[]);
        }
        unwritten = complaint;
        watch.rest(&found);
    }
    // A watcher that is not there must keep nobody out; the check beside it remains.
    let _ = track.say(true);
    watch.journal.line("the watcher ends; the check goes on alone", &[("file", &file.display())]);
    code::YES
}

/// Answers whether to go on, and tells systemd now and then that it does.
fn life(ended: Arc<AtomicBool>) -> impl FnMut() -> bool {
    let mut sign = Stopwatch::start();
    move || {
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
        let journal = Journal::new(&config.log_dir, CHECKS, "check_redis", Label::Watch, verbose);
        if let Some(alarm) = alarm {
            journal.line(&format!("ALARM: {alarm}; going on with what was last read"), &[]);
        }
        let survey = Survey::new(&config, local);
        Ok(Watch { config, survey, journal, server: None, denied: false })
    }

    /// What is wrong may be the password, or the address.
    fn is_worth_reading_again(&self, pulse: &Pulse) -> bool {
        pulse.well == Some(false) || self.denied
    }

    /// What is wrong with the file by now is the check's to say, once a second; here the last one stands.
    fn read_again(&mut self, path: &Path, verbose: bool) {
        let changed = Config::load(path).is_ok_and(|config| config != self.config);
        if changed && let Ok(watch) = Watch::new(path, verbose) {
            *self = watch;
        }
    }

    /// One question and its answer. `go_on` is asked while it is waited for.
    fn listen(&mut self, go_on: &mut dyn FnMut() -> bool) -> Liveness {
        let hang = self.config.timing.hang;
        let mut late = false;
        for _ in 1..TRIES {
            let asked = Stopwatch::start();
            match self.ask(hang, go_on) {
                Liveness::Reset => {}
                Liveness::TimedOut | Liveness::NoConnection if !late && asked.elapsed() > hang + OUR_OWN_DELAY => {
                    late = true;
                }
                found => return found,
            }
        }
        self.ask(hang, go_on)
    }

    fn ask(&mut self, hang: Duration, go_on: &mut dyn FnMut() -> bool) -> Liveness {
        let deadline = Deadline::after(hang);
        if self.server.is_none() {
            match Server::connect(self.survey.local_endpoint(), &self.config.auth, deadline) {
                Ok(server) => self.server = Some(server),
                Err(failure) => return liveness_of(failure),
            }
        }
        let Some(server) = &mut self.server else { return Liveness::NoConnection };
        let found = match server.call_while(&cmd("PING"), deadline, LONGEST_BEAT, go_on) {
            Ok(value) => liveness_of_ping(value),
            Err(failure) => liveness_of(failure),
        };
        self.denied = matches!(&found, Liveness::AliveWithError(denial) if denial.is_about_auth());
        if self.denied {
            // Once mended the next connection knows.
            self.server = None;
        }
        found
    }

    /// Until the next question; no longer than the connection lives.
    fn rest(&mut self, found: &Liveness) {
        let beat = Deadline::after((self.config.timing.hang / 2).min(LONGEST_BEAT));
        match (&mut self.server, found) {
            (Some(server), Liveness::Alive) => drop(server.ends_before(beat)),
            _ => drop(beat.pause(LONGEST_BEAT)),
        }
    }

    /// One line, where something else was found than the last time.
    fn note(&self, found: &Liveness, well: bool, asked: Stopwatch, file: &Path, said: &mut String) {
        let endpoint = self.survey.local_endpoint();
        let alarm = match found {
            Liveness::AliveWithError(denial) if denial.is_about_auth() => "ALARM: username or password is wrong for ",
            _ => "",
        };
        let verdict = match (found.is_alive(), well) {
            (true, true) => "ok",
            (true, false) => "not yet ok",
            (false, _) => "failed",
        };
        let now = format!("{verdict}: {alarm}{endpoint}: {found}");
        if *said != now {
            self.journal.line(&now, &[("took_ms", &ms(asked.elapsed())), ("file", &file.display())]);
            *said = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(time: u64) -> Duration {
        Duration::from_millis(time)
    }

    #[test]
    fn the_first_answer_counts_at_once_and_a_failed_one_is_well_again_after_a_steady_second() {
        let mut pulse = Pulse::default();
        for (at, alive, well) in [
            (0, true, true),
            (150, true, true),
            (600, false, false),
            (700, true, false),
            (1600, true, false),
            (1650, false, false),
            (1700, true, false),
            (2690, true, false),
            (2700, true, true),
            (2800, false, false),
        ] {
            pulse = pulse.heard(alive, ms(at));
            assert_eq!(pulse.well, Some(well), "at {at} ms");
        }
        assert_eq!(Pulse::default().heard(false, ms(0)).well, Some(false));
    }

    proptest! {
        #[test]
        fn after_a_failure_it_is_never_well_within_a_second(beats in prop::collection::vec((any::<bool>(), 0u64..400), 1..60)) {
            let (mut pulse, mut now, mut failed) = (Pulse::default(), 0, None);
            for (alive, pause) in beats {
                now += pause;
                pulse = pulse.heard(alive, ms(now));
                failed = if alive { failed } else { Some(now) };
                let expected = alive && failed.is_none_or(|at| now > at);
                prop_assert!(pulse.well != Some(true) || expected && failed.is_none_or(|at| now >= at + 1000));
            }
        }
    }
}
