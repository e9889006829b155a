//! A pair to render, for tests.

use super::{Gathered, NodeStatus};

fn node(address: &str) -> NodeStatus {
    NodeStatus {
        address: address.parse().expect("an address"),
        local: false,
        vrrp: None,
        vip: false,
        failure: None,
        refuses: false,
        role: Some("replica"),
        follows: Some("192.168.158.11:6379".to_string()),
        link: Some("copying 45 %".to_string()),
        lag_bytes: Some(123_456_789),
        standing: Some("behind".to_string()),
        eligible: Some(false),
        why: Some("a full copy is being received, 45 %".to_string()),
        version: Some("7.0.15".to_string()),
        refuses_writes: None,
        uptime_seconds: Some(86_400 * 3 + 4000),
        keys: Some(1_234_567),
        offset: Some(1),
        term: Some(3),
    }
}

/// Two nodes and a third that is gone, the second one far behind.
pub(crate) fn pair() -> Gathered {
    let role = Some("master");
    let vrrp = Some("MASTER".to_string());
    let (eligible, link, lag_bytes) = (Some(true), None, None);
    let master = NodeStatus {
        local: true,
        vip: true,
        role,
        vrrp,
        eligible,
        link,
        lag_bytes,
        ..node("192.168.158.11:6379")
    };
    let gone = NodeStatus {
        failure: Some("no route".to_string()),
        role: None,
        ..node("[2001:db8::12]:6379")
    };
    Gathered {
        instance: "redis-ha".to_string(),
        at: String::new(),
        vip: "192.168.158.13".parse().expect("an address"),
        vip_at: Some(master.address),
        healthy: false,
        troubles: vec!["192.168.158.12:6379: a full copy is being received, 45 %".to_string()],
        notes: vec!["a-word-that-is-longer-than-any-terminal-of-forty-columns".to_string()],
        drained: None,
        outdated: None,
        held_back_seconds: None,
        sentinels: None,
        nodes: vec![master, node("192.168.158.12:6379"), gone],
        transitions: vec![
            "2020-01-02T14:02:03.004+01:00 redis_stop[12] [Stop] keepalived stops here".to_string(),
        ],
    }
}
