//! What is not as it should be with a pair. Pure.

use std::net::{IpAddr, SocketAddr};

use super::NodeStatus;
use crate::config::Config;
use crate::decide::pair;
use crate::decide::view::{Node, View};
use crate::node::deaths;
use crate::node::memory::Store;

/// Whatever is not as it should be, a sentence each.
pub(crate) fn troubles(vip: IpAddr, view: &View, vip_at: Option<SocketAddr>) -> Vec<String> {
    let mut troubles = Vec::new();
    let master = |node: &&Node| {
        node.seen
            .as_ref()
            .is_ok_and(|seen| seen.is_master() && !seen.loading)
    };
    let masters: Vec<&Node> = view.nodes().filter(master).collect();
    match vip_at {
        None => troubles.push(format!("no node is seen to hold the VIP {vip}")),
        Some(holder) if !masters.iter().any(|node| node.address == holder) => {
            troubles.push(format!(
                "the VIP is at {holder}, whose Redis is not seen to be master"
            ));
        }
        Some(_) => {}
    }
    match masters[..] {
        [] => troubles.push("no node is seen to be master".to_string()),
        [_] => {}
        _ => {
            let all: Vec<String> = masters
                .iter()
                .map(|node| node.address.to_string())
                .collect();
            troubles.push(format!("more than one master: {}", all.join(", ")));
        }
    }
    for node in view.nodes() {
        let wrong = match &node.seen {
            Err(failure) => Some(failure.to_string()),
            Ok(seen) if seen.loading => Some("loading its data".to_string()),
            Ok(seen) if seen.is_master() => None,
            Ok(seen) => match masters.iter().find(|master| seen.follows(master.address)) {
                Some(Node {
                    seen: Ok(master), ..
                }) => pair::in_sync(seen, master, view.max_lag).err(),
                _ => {
                    let of = seen
                        .following()
                        .map_or_else(String::new, |of| format!("{}:{}", of.host, of.port));
                    Some(format!("it follows {of}, which does not serve"))
                }
            },
        };
        troubles.extend(wrong.map(|wrong| format!("{}: {wrong}", node.address)));
    }
    troubles
}

/// The nodes that take no writes, a sentence each.
pub(crate) fn refusals(nodes: &[NodeStatus]) -> Vec<String> {
    let refusal = |node: &NodeStatus| {
        Some(format!(
            "{} {}",
            node.address,
            node.refuses_writes.as_ref()?
        ))
    };
    nodes.iter().filter_map(refusal).collect()
}

/// This node knows that its data is old.
pub(crate) fn lacks(outdated: Option<&str>) -> Option<String> {
    outdated.map(|outdated| format!("this node: outdated: {outdated}"))
}

/// What else a person should know.
pub(crate) fn notes(config: &Config, store: &Store, forgotten: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if forgotten {
        notes.push(format!(
            "{} can't be read, so what this node remembers is not known: run it as root",
            config.memory_dir.display()
        ));
    }
    if let Some(left) = deaths::held_back(store, &config.flap) {
        notes.push(format!(
            "the local Redis died again and again; held back for {} s more (check_redis \
             --forget-failures)",
            left.as_secs()
        ));
    }
    notes
}
