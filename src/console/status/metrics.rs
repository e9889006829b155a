//! A status in Prometheus's text format, for node_exporter's textfile collector. Each metric is
//! described in `docs/monitoring.md`.

use std::fmt::{Display, Write};

use chrono::{DateTime, Utc};

use super::{Gathered, NodeStatus};
use crate::node::vrrp_state::VrrpState;

/// All metrics, ending with a line's end.
pub(crate) fn render(found: &Gathered) -> String {
    let mut out = Metrics {
        pair: label(&found.instance),
        text: String::new(),
    };
    let flag = |yes: bool| u8::from(yes);
    out.one(
        "healthy",
        "One master, at the VIP, all other nodes in sync with it, and this node not outdated.",
        flag(found.healthy),
    );
    out.one(
        "vip_held",
        "A node is seen to hold the VIP.",
        flag(found.vip_at.is_some()),
    );
    let here = found.nodes.iter().any(|node| node.local && node.vip);
    out.one("vip_here", "This node holds the VIP.", flag(here));
    let masters = found
        .nodes
        .iter()
        .filter(|node| node.role == Some("master"))
        .count();
    out.one(
        "masters",
        "Nodes that are master; 1 where all is well.",
        masters,
    );
    out.one(
        "drained",
        "This node is kept out of service by hand.",
        flag(found.drained.is_some()),
    );
    out.one(
        "outdated",
        "This node knows that another one has newer data, and does not serve by itself without it.",
        flag(found.outdated.is_some()),
    );
    let held = found.held_back_seconds.unwrap_or(0);
    out.one(
        "held_back_seconds",
        "For so long this node is not eligible, as its Redis died again and again.",
        held,
    );
    if let Some(last) = found.transitions.last().and_then(|line| time_of(line)) {
        let help = "When this node's journal of transitions got its last line.";
        out.one("last_transition_timestamp_seconds", help, last);
    }
    out.one(
        "status_timestamp_seconds",
        "When this was looked at.",
        Utc::now().timestamp(),
    );
    let state = found
        .nodes
        .iter()
        .find(|node| node.local)
        .and_then(|node| node.vrrp.as_deref());
    let states = [
        VrrpState::Master,
        VrrpState::Backup,
        VrrpState::Fault,
        VrrpState::Stop,
    ]
    .map(|state| state.to_string());
    out.head(
        "vrrp_state",
        "The VRRP state that keepalived last told this node.",
    );
    for known in states {
        let value = flag(state == Some(known.as_str()));
        out.value("vrrp_state", &format!(",state=\"{known}\""), &value);
    }
    let nodes = &found.nodes;
    out.each(nodes, "node_up", "Its Redis answers.", |node| {
        Some(flag(node.failure.is_none()))
    });
    out.each(nodes, "node_master", "Its Redis is master.", |node| {
        Some(flag(node.role? == "master"))
    });
    let link = "A replica's link to its master is up.";
    out.each(nodes, "node_link_up", link, |node| {
        node.link.as_ref().map(|link| flag(link == "up"))
    });
    let lag = "Bytes that a replica has not yet got of what its master has written.";
    out.each(nodes, "node_lag_bytes", lag, |node| node.lag_bytes);
    let eligible = "It may take the VIP, as seen from this node.";
    out.each(nodes, "node_eligible", eligible, |node| {
        node.eligible.map(flag)
    });
    let refuses =
        "It takes no writes, or would take none as master: its disk or its memory is full.";
    out.each(nodes, "node_refuses_writes", refuses, |node| {
        node.role?;
        Some(flag(node.refuses_writes.is_some()))
    });
    out.each(nodes, "node_keys", "Keys in all databases.", |node| {
        node.keys
    });
    out.each(
        nodes,
        "node_uptime_seconds",
        "Since its Redis was started.",
        |node| node.uptime_seconds,
    );
    out.each(nodes, "node_term", "Which reign its data is of.", |node| {
        node.term
    });
    out.text
}

/// The time at which a line of the journal begins, in seconds.
fn time_of(line: &str) -> Option<i64> {
    let time = DateTime::parse_from_rfc3339(line.split(' ').next()?).ok()?;
    Some(time.timestamp())
}

/// A value of a label, as the format has it.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

struct Metrics {
    pair: String,
    text: String,
}

impl Metrics {
    fn head(&mut self, name: &str, help: &str) {
        let _ = writeln!(
            self.text,
            "# HELP keepalived_redis_{name} {help}\n# TYPE keepalived_redis_{name} gauge"
        );
    }

    fn value(&mut self, name: &str, labels: &str, value: &dyn Display) {
        let _ = writeln!(
            self.text,
            "keepalived_redis_{name}{{pair=\"{}\"{labels}}} {value}",
            self.pair
        );
    }

    fn one(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, help);
        self.value(name, "", &value);
    }

    /// Of each node of which it is known.
    fn each<V: Display>(
        &mut self,
        nodes: &[NodeStatus],
        name: &str,
        help: &str,
        of: impl Fn(&NodeStatus) -> Option<V>,
    ) {
        self.head(name, help);
        for node in nodes {
            if let Some(value) = of(node) {
                self.value(name, &format!(",node=\"{}\"", node.address), &value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::status::sample::pair;
    use std::collections::BTreeSet;

    /// The names in a text.
    fn names(text: &str) -> BTreeSet<String> {
        let word = |c: char| c.is_ascii_lowercase() || c == '_';
        let found = text
            .match_indices("keepalived_redis_")
            .map(|(at, _)| text[at..].chars().take_while(|c| word(*c)));
        let found = found.map(|name| name.collect::<String>());
        // The file's own name, in the examples.
        found.filter(|name| name != "keepalived_redis_").collect()
    }

    #[test]
    fn every_metric_stands_in_the_documentation_and_no_alert_asks_for_another_one() {
        let text = render(&pair());
        let told = names(&text);
        let documented = names(include_str!("../../../docs/monitoring.md"));
        assert_eq!(told, documented);
        let alerts = names(include_str!("../../../contrib/alerts.yml"));
        assert!(
            alerts.len() > 5 && alerts.is_subset(&told),
            "{:?}",
            alerts.difference(&told).collect::<Vec<_>>()
        );
        for name in &told {
            let help = format!("# HELP {name} ");
            assert!(
                text.matches(&help).count() == 1
                    && text.contains(&format!("\n{name}{{pair=\"redis-ha\"")),
                "{text}"
            );
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            assert!(
                series.ends_with('}') && value.parse::<f64>().is_ok(),
                "{line}"
            );
        }
    }

    #[test]
    fn a_line_of_the_journal_has_a_time() {
        assert_eq!(
            time_of("2026-11-26T05:28:57.955+00:00 redis_master[1] [Master] promoted"),
            Some(1_795_670_937)
        );
        assert_eq!(time_of("no time"), None);
        assert_eq!(label("a\"b\\c"), "a\\\"b\\\\c");
    }
}
