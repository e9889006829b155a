//! A time in which nothing is done to a cluster, and nothing may move.

use std::time::Duration;

use super::Cluster;
use crate::story::Event;

/// What sentinels say when they change, or try to change, who is master or who follows whom.
const MOVES: [&str; 8] = [
    "+switch-master",
    "+try-failover",
    "+elected-leader",
    "+promoted-slave",
    "-failover-abort",
    "+convert-to-slave",
    "+fix-slave-config",
    "+failover-end",
];

/// Lets that time go by; what has moved in it, a line each.
pub fn moved(cluster: &Cluster, time: Duration) -> Vec<String> {
    let from = cluster.lab.story.now();
    cluster
        .lab
        .story
        .add("lab", "does", format!("nothing for {} s", time.as_secs()));
    std::thread::sleep(time);
    since(&cluster.lab.told(true), from)
}

fn since(events: &[Event], from: Duration) -> Vec<String> {
    let mut moved = Vec::new();
    for (index, event) in events
        .iter()
        .enumerate()
        .filter(|(_, event)| event.at >= from)
    {
        let counts = match event.source {
            "is" => {
                let before = events[..index]
                    .iter()
                    .rev()
                    .filter(|old| old.source == "is" && old.who == event.who);
                // Neither a look that came too late nor the state of a link is a move.
                let before = before
                    .map(|old| place(&old.what))
                    .find(|place| place.0 != "redis");
                place(&event.what).0 != "redis"
                    && before.is_none_or(|before| before != place(&event.what))
            }
            "log" => event.what.contains("Entering "),
            "sentinel" => MOVES.iter().any(|sign| event.what.starts_with(sign)),
            _ => false,
        };
        if counts {
            moved.push(format!(
                "{:.3} {} {} {}",
                event.at.as_secs_f64(),
                event.who,
                event.source,
                event.what
            ));
        }
    }
    moved
}

/// The role, and whether the VIP is there.
fn place(line: &str) -> (&str, bool) {
    let role = line.split([' ', ',']).next().unwrap_or_default();
    (role, line.ends_with(", VIP"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::since;
    use crate::story::Event;

    fn told(lines: &[(u64, &'static str, &str)]) -> Vec<Event> {
        let event = |(at, source, what): &(u64, &'static str, &str)| Event {
            at: Duration::from_secs(*at),
            who: "redis-a".to_owned(),
            source,
            what: (*what).to_owned(),
        };
        lines.iter().map(event).collect()
    }

    #[test]
    fn a_late_look_and_a_link_are_no_moves() {
        let story = told(&[
            (1, "is", "master, VIP"),
            (5, "is", "redis silent, VIP"),
            (6, "is", "master, VIP"),
            (7, "sentinel", "+sdown slave 192.168.158.12:6379"),
        ]);
        assert_eq!(since(&story, Duration::from_secs(2)), Vec::<String>::new());
        let story = told(&[
            (1, "is", "replica of x (connect)"),
            (5, "is", "replica of x (connected)"),
        ]);
        assert_eq!(since(&story, Duration::from_secs(2)), Vec::<String>::new());
    }

    #[test]
    fn roles_and_addresses_and_what_decides_them_are_moves() {
        let story = told(&[
            (1, "is", "master, VIP"),
            (3, "is", "master"),
            (4, "is", "replica of x (connect)"),
            (5, "log", "(VI_1) Entering BACKUP STATE"),
            (6, "sentinel", "+switch-master mymaster x 6379 y 6379"),
        ]);
        assert_eq!(since(&story, Duration::from_secs(2)).len(), 4);
        assert_eq!(since(&story, Duration::from_secs(4)).len(), 3);
    }
}
