//! What a status says of each node: a column for each of it.

use std::time::Duration;

use super::NodeStatus;

/// A column: its heading, how a node fills it, and how gladly it is left out where a terminal is
/// narrow.
pub(crate) struct Column {
    pub heading: &'static str,
    pub cell: fn(&NodeStatus) -> String,
    /// The highest goes first; 0 always stays.
    pub dispensable: u8,
}

pub(crate) const COLUMNS: [Column; 11] = [
    Column {
        heading: "NODE",
        cell: name,
        dispensable: 0,
    },
    Column {
        heading: "VRRP",
        cell: |node| node.vrrp.clone().unwrap_or_else(none),
        dispensable: 0,
    },
    Column {
        heading: "VIP",
        cell: |node| if node.vip { "here" } else { "-" }.to_string(),
        dispensable: 0,
    },
    Column {
        heading: "REDIS",
        cell: role,
        dispensable: 0,
    },
    Column {
        heading: "LINK",
        cell: |node| node.link.clone().unwrap_or_else(none),
        dispensable: 1,
    },
    Column {
        heading: "BEHIND",
        cell: |node| node.lag_bytes.map_or_else(none, bytes),
        dispensable: 2,
    },
    Column {
        heading: "STANDING",
        cell: |node| node.standing.clone().unwrap_or_else(none),
        dispensable: 3,
    },
    Column {
        heading: "ELIGIBLE",
        cell: eligible,
        dispensable: 4,
    },
    Column {
        heading: "KEYS",
        cell: |node| node.keys.map_or_else(none, |keys| keys.to_string()),
        dispensable: 5,
    },
    Column {
        heading: "VERSION",
        cell: |node| node.version.clone().unwrap_or_else(none),
        dispensable: 7,
    },
    Column {
        heading: "UP",
        cell: |node| node.uptime_seconds.map_or_else(none, up),
        dispensable: 6,
    },
];

fn none() -> String {
    "-".to_string()
}

fn name(node: &NodeStatus) -> String {
    format!("{}{}", node.address, if node.local { " *" } else { "" })
}

fn role(node: &NodeStatus) -> String {
    let silent = if node.refuses { "refuses" } else { "down" };
    node.role.unwrap_or(silent).to_string()
}

fn eligible(node: &NodeStatus) -> String {
    match node.eligible {
        Some(true) => "yes".to_string(),
        Some(false) => "no".to_string(),
        None => none(),
    }
}

/// Bytes in a unit that keeps the number short.
fn bytes(bytes: u64) -> String {
    bytesize::ByteSize(bytes).display().iec().to_string()
}

/// The two largest units: 3d 4h.
fn up(seconds: u64) -> String {
    let text = humantime::format_duration(Duration::from_secs(seconds)).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}
