//! A run of the shell scripts as it was recorded, for the tests: the story, and the writes.

use std::time::Duration;

use crate::readback::Fate;
use crate::record::{Phase, Record};
use crate::redis_server::Settings;
use crate::story::Event;
use crate::suite::Suite;
use crate::writer::Ack;

const STORY: &[(u64, &str, &str, &str)] = &[
    (18_536, "redis-a", "is", "master, VIP"),
    (
        18_540,
        "redis-b",
        "is",
        "replica of 192.168.158.11 (connected)",
    ),
    (20_076, "redis-a", "does", "kill -9 redis"),
    (20_078, "redis-a", "is", "redis down, VIP"),
    (
        20_078,
        "redis-b",
        "is",
        "replica of 192.168.158.11 (connecting)",
    ),
    (
        20_098,
        "redis-b",
        "is",
        "replica of 192.168.158.11 (connect)",
    ),
    (20_118, "redis-a", "is", "redis down"),
    (20_721, "redis-b", "log", "(VI_1) Entering MASTER STATE"),
    (
        20_726,
        "redis-b",
        "is",
        "replica of 192.168.158.11 (connect), VIP",
    ),
    (30_736, "redis-b", "is", "master, VIP"),
    (
        32_754,
        "redis-a",
        "does",
        "start redis --replicaof 127.0.0.1 1",
    ),
    (32_766, "redis-a", "is", "redis loading"),
    (32_779, "redis-a", "does", "start keepalived"),
    (32_786, "redis-a", "is", "master"),
    (36_218, "redis-a", "is", "master, VIP"),
    (36_224, "redis-b", "is", "master"),
    (
        37_838,
        "redis-a",
        "is",
        "replica of 192.168.158.12 (handshake), VIP",
    ),
    (
        43_422,
        "redis-a",
        "is",
        "replica of 192.168.158.12 (connected), VIP",
    ),
    (51_233, "redis-a", "is", "master, VIP"),
    (
        51_235,
        "redis-b",
        "is",
        "replica of 192.168.158.11 (connected)",
    ),
];
/// When there were writes, and then none.
const WRITES: [(u64, u64); 3] = [(19_500, 20_073), (30_734, 37_819), (51_231, 53_600)];
/// The first write that was lost, and the last.
const LOST: (u64, u64) = (36_232, 37_819);

/// Milliseconds.
pub fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// The story.
pub fn scripts() -> Vec<Event> {
    let events = STORY.iter().map(|&(at, who, source, what)| Event {
        at: ms(at),
        who: who.to_owned(),
        source,
        what: what.to_owned(),
    });
    events.collect()
}

/// What came out.
pub fn record() -> Record {
    let moments = WRITES
        .into_iter()
        .flat_map(|(from, to)| (from..=to).step_by(5))
        .map(ms);
    let acks: Vec<Ack> = moments
        .zip(0..)
        .map(|(at, number)| Ack {
            number,
            sent: at,
            at,
        })
        .collect();
    let lost = acks
        .iter()
        .filter(|ack| (ms(LOST.0)..=ms(LOST.1)).contains(&ack.at))
        .copied()
        .collect();
    let phase = |name, from, took, gap| Phase {
        name,
        from: ms(from),
        gap: ms(gap),
        acknowledged: 0,
        took: ms(took),
        reached: true,
    };
    Record {
        scenario: "kill-redis",
        suite: Suite::Scripts,
        settings: Settings::default(),
        began: ms(19_500),
        phases: vec![
            phase("failover", 20_074, 12_680, 10_661),
            phase("failback", 32_753, 20_500, 13_412),
        ],
        fate: Fate {
            acknowledged: acks.len(),
            lost,
            ..Fate::default()
        },
        acks,
        bulk: (0, 0),
        errors: Vec::new(),
        masters: vec!["redis-a".to_owned()],
        holders: vec!["redis-a".to_owned()],
    }
}
