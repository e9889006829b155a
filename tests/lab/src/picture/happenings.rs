//! What a story says of the two hosts: the events that are marked, and what each host was when.

use std::time::Duration;

use crate::story::Event;

/// Events of one host this close to each other are one mark.
const TOGETHER: Duration = Duration::from_millis(120);

/// What a Redis was. The colours of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Takes writes.
    Master,
    /// A replica whose link to its master is up.
    InSync,
    /// A replica whose link is not.
    Apart,
    /// Not up, not ready, or its host is off.
    Down,
}

/// A time during which a host was the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// When it began.
    pub from: Duration,
    /// When it was over.
    pub to: Duration,
    /// What its Redis was.
    pub state: State,
    /// It held the virtual IP.
    pub vip: bool,
}

/// An event that is marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When.
    pub at: Duration,
    /// The host.
    pub who: String,
    /// What it did, or became.
    pub what: Vec<String>,
    /// It was done to the pair; otherwise the pair did it.
    pub done: bool,
}

impl Mark {
    /// In one short line.
    pub fn line(&self) -> String {
        let mut words = Vec::new();
        let mut verb = "";
        for what in &self.what {
            let (first, rest) = what.split_once(' ').unwrap_or(("", what));
            words.push(if first == verb && !first.is_empty() {
                rest
            } else {
                what
            });
            verb = first;
        }
        format!("{}: {}", self.who, words.join(", "))
    }
}

/// What `host` was, from the first look to `end`.
pub fn spans(events: &[Event], host: &str, end: Duration) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for event in events
        .iter()
        .filter(|event| event.who == host && event.source == "is" && event.at < end)
    {
        let (state, vip) = read(&event.what);
        if let Some(last) = spans.last_mut() {
            if (last.state, last.vip) == (state, vip) {
                continue;
            }
            last.to = event.at;
        }
        spans.push(Span {
            from: event.at,
            to: end,
            state,
            vip,
        });
    }
    spans
}

/// What is marked of `events` in `from..to`, in the order of time.
pub fn marks(events: &[Event], hosts: &[&str], from: Duration, to: Duration) -> Vec<Mark> {
    let mut marks: Vec<Mark> = Vec::new();
    for host in hosts {
        let of_host = events
            .iter()
            .filter(|event| event.who == *host && event.source == "does");
        // Options are for those who look closer.
        let plain = |what: &str| what.split(" --").next().unwrap_or_default().to_owned();
        let done = of_host.map(|event| (event.at, plain(&event.what), true));
        let spans = spans(events, host, to);
        let became = spans
            .windows(2)
            .flat_map(|two| became(two[0], two[1]).map(|what| (two[1].from, what, false)));
        let mut all: Vec<(Duration, String, bool)> = done.chain(became).collect();
        all.retain(|(at, ..)| (from..to).contains(at));
        all.sort_by_key(|(at, ..)| *at);
        let first = marks.len();
        for (at, what, done) in all {
            match marks[first..]
                .last_mut()
                .filter(|mark| at - mark.at <= TOGETHER)
            {
                // What is done to a host says more than what becomes of it that moment.
                Some(mark) if mark.done && !done => {}
                Some(mark) if mark.done == done => mark.what.push(what),
                _ => marks.push(Mark {
                    at,
                    who: (*host).to_owned(),
                    what: vec![what],
                    done,
                }),
            }
        }
    }
    marks.sort_by_key(|mark| mark.at);
    marks
}

fn became(before: Span, now: Span) -> impl Iterator<Item = String> {
    let vip = (now.vip && !before.vip).then_some("VIP");
    let state = match (before.state, now.state) {
        (before, now) if before == now => None,
        (_, State::Master) => Some("master"),
        (_, State::InSync) => Some("in sync"),
        (State::Master, State::Apart) => Some("replica"),
        _ => None,
    };
    vip.into_iter().chain(state).map(str::to_owned)
}

/// The line of [`crate::observer::Seen`].
fn read(line: &str) -> (State, bool) {
    let (role, vip) = line
        .strip_suffix(", VIP")
        .map_or((line, false), |role| (role, true));
    let state = match role {
        "master" => State::Master,
        _ if role.starts_with("replica") && role.ends_with("(connected)") => State::InSync,
        _ if role.starts_with("replica") => State::Apart,
        _ => State::Down,
    };
    (state, vip)
}

#[cfg(test)]
mod tests {
    use super::super::recorded::{ms, scripts};
    use super::*;

    #[test]
    fn the_states_of_a_host_follow_each_other_without_a_break() {
        let b = spans(&scripts(), "redis-b", ms(37_000));
        assert!(b.windows(2).all(|two| two[0].to == two[1].from), "{b:?}");
        let states: Vec<(State, bool)> = b.iter().map(|span| (span.state, span.vip)).collect();
        use State::{Apart, InSync, Master};
        let expected = [
            (InSync, false),
            (Apart, false),
            (Apart, true),
            (Master, true),
            (Master, false),
        ];
        assert_eq!(states, expected);
        assert_eq!(spans(&[], "redis-b", ms(1)), []);
    }

    #[test]
    fn the_events_of_a_failover_are_marked_and_what_belongs_together_is_one() {
        let told = marks(&scripts(), &["redis-a", "redis-b"], ms(19_000), ms(60_000));
        let lines: Vec<String> = told.iter().map(Mark::line).collect();
        assert_eq!(
            lines,
            [
                "redis-a: kill -9 redis",
                "redis-b: VIP",
                "redis-b: master",
                "redis-a: start redis, keepalived",
                "redis-a: VIP",
                "redis-a: replica",
                "redis-a: in sync",
                "redis-a: master",
                "redis-b: in sync",
            ]
        );
    }
}
