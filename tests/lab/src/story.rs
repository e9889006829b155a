//! The story of a run: who did or became what, when, merged from all sources.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Local};

use crate::host::Host;

/// Where the programs and the scripts write what they do.
const JOURNALS: &str = "/var/log/keepalived-redis";

/// One line of the story.
#[derive(Clone, Debug)]
pub struct Event {
    /// Since the lab was made.
    pub at: Duration,
    /// Host, or "lab", or "writer".
    pub who: String,
    /// Where the line comes from: "does", "is", "log" (keepalived), "journal", "gap".
    pub source: &'static str,
    /// What happened.
    pub what: String,
}

type Listener = Box<dyn Fn(&Event) + Send>;

struct Inner {
    events: Vec<Event>,
    listener: Option<Listener>,
}

/// Collects events; clones share one story.
#[derive(Clone)]
pub struct Story {
    start: Instant,
    wall: DateTime<Local>,
    inner: Arc<Mutex<Inner>>,
}

impl Default for Story {
    fn default() -> Self {
        let inner = Inner {
            events: Vec::new(),
            listener: None,
        };
        Story {
            start: Instant::now(),
            wall: Local::now(),
            inner: Arc::new(Mutex::new(inner)),
        }
    }
}

impl Story {
    /// Time since the lab was made.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// The moment `at` of the story as an instant.
    pub fn instant(&self, at: Duration) -> Instant {
        self.start + at
    }

    /// A wall clock time as a moment of the story.
    pub fn moment(&self, wall: DateTime<Local>) -> Duration {
        (wall - self.wall).to_std().unwrap_or_default()
    }

    /// Calls `listener` with each event as it happens.
    pub fn listen(&self, listener: impl Fn(&Event) + Send + 'static) {
        self.lock().listener = Some(Box::new(listener));
    }

    /// Adds an event that happens now.
    pub fn add(&self, who: &str, source: &'static str, what: impl Into<String>) {
        self.add_at(self.now(), who, source, what);
    }

    /// Adds an event that happened at `at`.
    pub fn add_at(&self, at: Duration, who: &str, source: &'static str, what: impl Into<String>) {
        let event = Event {
            at,
            who: who.to_owned(),
            source,
            what: what.into(),
        };
        let mut inner = self.lock();
        if let Some(listener) = &inner.listener {
            listener(&event);
        }
        inner.events.push(event);
    }

    /// All events, with `more` of them, in the order of time.
    pub fn events(&self, more: Vec<Event>) -> Vec<Event> {
        let mut events = self.lock().events.clone();
        events.extend(more);
        events.sort_by_key(|event| event.at);
        events
    }

    // A thread that died while it told its line has spoiled nothing.
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lines of all journals of a host, at the times that they give themselves.
pub fn journals(story: &Story, host: &Host) -> Vec<Event> {
    let Ok(files) = std::fs::read_dir(host.file(JOURNALS)) else {
        return Vec::new();
    };
    let mut events = Vec::new();
    for file in files.flatten().map(|entry| entry.path()) {
        let Ok(text) = std::fs::read_to_string(&file) else {
            continue;
        };
        for line in text.lines() {
            let (stamp, rest) = line.split_once(' ').unwrap_or((line, ""));
            let (at, what) = match DateTime::parse_from_rfc3339(stamp) {
                Ok(wall) => (story.moment(wall.with_timezone(&Local)), rest),
                Err(_) => (Duration::ZERO, line),
            };
            let (who, what) = (host.name.clone(), what.to_owned());
            events.push(Event {
                at,
                who,
                source: "journal",
                what,
            });
        }
    }
    events
}

/// Whether a line of keepalived's log belongs into a short story.
pub fn matters(line: &str) -> bool {
    const WORDS: [&str; 14] = [
        "STATE",
        "returning",
        "riority",
        "Stopp",
        "Starting Keepalived",
        "died",
        "terminated",
        "Netlink reports",
        "eligible",
        "lower",
        "higher",
        "Timed",
        "timed out",
        "respawn",
    ];
    !line.starts_with("NOTICE") && WORDS.iter().any(|word| line.contains(word))
}

/// The events as lines.
pub fn render(events: &[Event]) -> String {
    let mut text = String::new();
    for event in events {
        let _ = writeln!(
            text,
            "{:9.3}  {:8} {:8} {}",
            event.at.as_secs_f64(),
            event.who,
            event.source,
            event.what
        );
    }
    text
}
