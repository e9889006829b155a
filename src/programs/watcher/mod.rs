//! Watches the local Redis over one open connection: this is what `check_redis --watch` does. A
//! connection that ends, and does not come about again, is the death of the server. An answer that
//! does not come within `timing.hang` is a hang.
//!
//! keepalived reads the verdict from a file milliseconds later (a `vrrp_track_file`: 0 is well, 1
//! is FAULT). Of roles the watcher knows nothing; the check beside it does. But in Sentinel mode it
//! also listens to the sentinels, so that the VIP follows a switch at once.

pub(crate) mod listening;
pub(crate) mod pulse;
pub(crate) mod subscription;
pub(crate) mod track_file;
mod watch;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use self::pulse::Pulse;
use self::track_file::{TrackFile, WELL};
use self::watch::Watch;
use crate::config::LOG_DIR;
use crate::deadline::{Deadline, Stopwatch};
use crate::exit::code;
use crate::node::journal::{CHECKS, Journal, Label};
use crate::server::failure::Failure;

/// Also with a large `timing.hang`: the file is looked at, and a signal is heeded, this often.
const LONGEST_BEAT: Duration = Duration::from_millis(250);
/// Less than the unit's `TimeoutStartSec`.
const LONGEST_START: Duration = Duration::from_secs(3);
/// A connection that ended sooner is not followed by another at once: something that is no Redis
/// may do so for ever.
const SHORT_LIVED: Duration = Duration::from_millis(10);
/// systemd wants a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

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
        let verdict = watch.judge(well);
        let complaint = match track.say(verdict.value) {
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
        watch.note(&found, &verdict, asked, file, &mut said);
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
