//! Advice for one keepalived.conf that several hosts share.

use std::net::IpAddr;

use crate::console::doctor::finding::Fix;
use crate::console::doctor::judge::Expected;
use crate::console::doctor::look::keepalived::Keepalived;
use crate::keepalived_conf::vrrp::{Instance, Vrrp};

/// The instance as each host that is a node has it: the host's name, its priority.
pub(crate) fn of_all<'k>(
    keepalived: &'k Keepalived,
    instance: &'k Instance,
    expected: &Expected,
) -> Vec<(&'k str, &'k Vrrp, &'k Instance)> {
    let others = keepalived.elsewhere.iter().filter_map(|(name, vrrp)| {
        let other = vrrp
            .instances
            .iter()
            .find(|other| other.name == instance.name)?;
        // The name of a host that is a node no more.
        let address: Option<IpAddr> = other
            .value("unicast_src_ip")
            .and_then(|text| text.parse().ok());
        let known = address.is_none_or(|ip| {
            expected.nodes.is_empty() || expected.nodes.iter().any(|node| node.ip() == ip)
        });
        known.then_some((name.as_str(), vrrp, other))
    });
    std::iter::once((keepalived.host.as_str(), &keepalived.here, instance))
        .chain(others)
        .collect()
}

/// Gives each host a `priority` of its own: the first of `nodes` has the highest.
pub(crate) fn each_its_own(all: &[(&str, &Vrrp, &Instance)], expected: &Expected) -> Fix {
    // Where each has a line of its own already the last one counts for whoever reads it.
    let lines = all
        .iter()
        .filter_map(|(_, _, instance)| Some(&instance.block.get(&["priority"])?.place));
    let last = lines.max_by_key(|place| place.line);
    let block = all.first().map(|(_, _, instance)| &instance.block.open);
    match (last, block) {
        (Some(last), _) => Fix::replace(last, of_its_own(all, expected)),
        (None, Some(open)) => Fix::insert(open, of_its_own(all, expected)),
        (None, None) => {
            Fix::Do("give each host a priority of its own: 254, 253 and so on".to_owned())
        }
    }
}

pub(crate) fn of_its_own(all: &[(&str, &Vrrp, &Instance)], expected: &Expected) -> String {
    if all.len() < 2 {
        return "    priority 254".to_owned();
    }
    let place = |instance: &Instance| {
        let address: Option<IpAddr> = instance
            .value("unicast_src_ip")
            .and_then(|text| text.parse().ok());
        expected
            .nodes
            .iter()
            .position(|node| Some(node.ip()) == address)
    };
    let mut hosts: Vec<(Option<usize>, &str)> = all
        .iter()
        .map(|(name, _, instance)| (place(instance), *name))
        .collect();
    hosts.sort_by_key(|(place, _)| place.unwrap_or(usize::MAX));
    let lines = hosts
        .iter()
        .zip((1..=254).rev())
        .map(|((_, name), priority)| format!("@{name}    priority {priority}"));
    lines.collect::<Vec<_>>().join("\n")
}
