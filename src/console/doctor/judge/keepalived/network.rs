//! Whom the instance of the pair talks to, how often, and whether all hosts agree on it.

use std::net::{IpAddr, SocketAddr};

use super::hosts::of_all;
use crate::console::doctor::finding::{Fact, Findings, Fix};
use crate::console::doctor::judge::Expected;
use crate::console::doctor::look::keepalived::Keepalived;
use crate::keepalived_conf::vrrp::{Instance, Vrrp};

pub(crate) fn addresses(
    found: &mut Findings,
    instance: &Instance,
    expected: &Expected,
    own: &[IpAddr],
) {
    let Some(peers) = &instance.peers else {
        return found.ok(
            "unicast",
            Fact::NONE,
            "adverts go by multicast: no unicast_peer",
        );
    };
    let before = found.list.len();
    let block = instance.block.get(&["unicast_peer"]);
    let open = block.map_or(&instance.block.open, |block| &block.open);
    match instance.value("unicast_src_ip") {
        None => {
            let place = &instance.block.open;
            let says = "unicast_peer without unicast_src_ip: which of this machine's addresses \
                adverts come from is left to chance";
            let fix = expected
                .local
                .map_or(Fix::Do("write unicast_src_ip".to_owned()), |local| {
                    Fix::insert(place, format!("    unicast_src_ip {}", local.ip()))
                });
            found.warn("unicast-source", Fact("K26"), says, fix);
        }
        Some(text) => {
            let place = instance
                .block
                .get(&["unicast_src_ip"])
                .map_or(&instance.block.place, |line| &line.place);
            let address = text.parse::<IpAddr>().ok();
            if address.is_none_or(|address| !own.is_empty() && !own.contains(&address)) {
                let local = expected
                    .local
                    .map_or("this host's address".to_owned(), |local| {
                        local.ip().to_string()
                    });
                let says = format!("unicast_src_ip {text} is no address of this machine");
                found.fail(
                    "unicast-source",
                    Fact("K26"),
                    says,
                    Fix::replace(place, format!("    unicast_src_ip {local}")),
                );
            }
        }
    }
    let has = |node: &SocketAddr| {
        peers
            .iter()
            .any(|peer| peer.split('/').next().and_then(|ip| ip.parse().ok()) == Some(node.ip()))
    };
    for node in &expected.nodes {
        let is_local = Some(*node) == expected.local;
        if is_local && has(node) {
            let line = block.and_then(|block| {
                block
                    .inner()
                    .iter()
                    .find(|line| line.name() == node.ip().to_string())
            });
            let fix = line.map_or(Fix::Do("take it out".to_owned()), |line| {
                Fix::remove(&line.place)
            });
            found.fail(
                "unicast",
                Fact("K22"),
                format!(
                    "{} is this node, and stands in its own unicast_peer",
                    node.ip()
                ),
                fix,
            );
        } else if !is_local && expected.local.is_some() && !has(node) {
            let says = format!(
                "{} is a node and does not stand in unicast_peer: it hears no advert, and both \
                 become MASTER",
                node.ip()
            );
            found.fail(
                "unicast",
                Fact("K22"),
                says,
                Fix::insert(open, format!("        {}", node.ip())),
            );
        }
    }
    if found.list.len() == before {
        found.ok(
            "unicast",
            Fact("K26"),
            format!("adverts go to {}", peers.join(", ")),
        );
    }
}

pub(crate) fn adverts(found: &mut Findings, vrrp: &Vrrp, instance: &Instance) {
    let version = vrrp.version_of(instance);
    let line = |name: &str| {
        instance
            .block
            .get(&[name])
            .map_or(&instance.block.place, |line| &line.place)
    };
    match instance.advert_int() {
        Some(seconds) if seconds < 1.0 && version < 3 => {
            let says =
                format!("advert_int {seconds} with version 2, which knows whole seconds only");
            let fix = match instance.value("version") {
                Some(_) => Fix::replace(line("version"), "    version 3"),
                None => Fix::insert(&instance.block.open, "    version 3"),
            };
            found.fail("advert-interval", Fact("K20"), says, fix);
        }
        Some(seconds) => found.ok(
            "advert-interval",
            Fact("K20"),
            format!("an advert every {seconds} s, VRRP version {version}"),
        ),
        None => found.fail(
            "advert-interval",
            Fact("K20"),
            format!(
                "advert_int {} is no number",
                instance.value("advert_int").unwrap_or_default()
            ),
            Fix::replace(line("advert_int"), "    advert_int 1"),
        ),
    }
    let Some(block) = instance.block.get(&["authentication"]) else {
        return;
    };
    if version >= 3 {
        let says = "authentication with version 3, which has none: it protects from nobody";
        let fix = Fix::Do(format!(
            "take the authentication block out at {}; vrrp_check_unicast_src does what it was \
             meant for",
            block.place
        ));
        found.warn("authentication", Fact("K21"), says, fix);
    }
}

/// What has to be the same on all hosts, where one file says it for all of them.
pub(crate) fn alike(
    found: &mut Findings,
    keepalived: &Keepalived,
    instance: &Instance,
    expected: &Expected,
) {
    let all = of_all(keepalived, instance, expected);
    let differ = |what: &str, value: &dyn Fn(&Vrrp, &Instance) -> String| {
        let mine = value(&keepalived.here, instance);
        let other = all
            .iter()
            .find(|(_, vrrp, other)| value(vrrp, other) != mine)?;
        Some(format!(
            "{what} differs: {mine} here, {} on {}",
            value(other.1, other.2),
            other.0
        ))
    };
    let vips = |instance: &Instance| {
        let mut vips: Vec<String> = instance.vips.iter().map(IpAddr::to_string).collect();
        vips.sort();
        vips.join(",")
    };
    let said = [
        differ("virtual_router_id", &|_, one| {
            one.value("virtual_router_id").unwrap_or("none").to_owned()
        }),
        differ("version", &|vrrp, one| vrrp.version_of(one).to_string()),
        differ("advert_int", &|_, one| {
            one.value("advert_int").unwrap_or("1").to_owned()
        }),
        differ("virtual_ipaddress", &|_, one| vips(one)),
    ];
    for says in said.into_iter().flatten() {
        let fix = Fix::Do("let the line be without an @name, the same for all hosts".to_owned());
        found.fail(
            "alike",
            Fact("K22"),
            format!("{says}: each becomes MASTER"),
            fix,
        );
    }
    if all.len() > 1 {
        found.ok_unless_said(
            "alike",
            Fact("K22"),
            "virtual_router_id, version, advert_int and VIP are the same for all hosts of this \
             file",
        );
    } else {
        let says = "the other hosts have a file of their own: virtual_router_id, version, \
            advert_int and VIP have to be the same there";
        found.unseen("alike", Fact("K22"), says);
    }
}
