//! How the nodes stand to each other: roles, links, the VIP, passwords, clocks.

use std::net::SocketAddr;

use super::{masterauth, versions};
use crate::config::Config;
use crate::console::doctor::finding::{Fact, Findings, Fix};
use crate::console::doctor::look::servers::{AskedNode, Redises, Seen};
use crate::console::doctor::redis_cli::RedisCli;
use crate::decide::view::Vip;

/// Clocks may be so many seconds apart: the journals of both nodes are read side by side.
const APART: f64 = 1.0;

pub(crate) fn judge(
    found: &mut Findings,
    redises: &Redises,
    config: &Config,
    vip: Vip,
    cli: &RedisCli,
) {
    let up: Vec<(&AskedNode, &Seen)> = redises
        .nodes
        .iter()
        .filter_map(|node| Some((node, node.seen.as_ref().ok()?)))
        .collect();
    if up.is_empty() {
        return;
    }
    roles(found, &up, redises.nodes.len(), config, vip);
    holder(found, &up, config, vip);
    for login in &redises.logins {
        masterauth::judge(found, login, redises, cli);
    }
    clocks(found, &up);
    versions::judge(found, &up);
    term(found, &up, config);
}

/// Who mends it: the program of the node that is meant.
fn mend(config: &Config, up: &[(&AskedNode, &Seen)], vip: Vip) -> Fix {
    if config.sentinel.is_some() {
        return Fix::Do(
            "wait half a minute: Sentinel gives out the roles; where it does not, see the lines \
             on sentinels"
                .to_owned(),
        );
    }
    let local = up.iter().any(|(node, _)| node.is_local);
    let file = if config.path == std::path::Path::new(crate::config::DEFAULT_PATH) {
        String::new()
    } else {
        format!(" --config {}", config.path.display())
    };
    match vip {
        Vip::Here if local => Fix::Run(format!("/usr/libexec/keepalived/redis_master{file}")),
        Vip::At(node) => Fix::Do(format!(
            "run on {}: /usr/libexec/keepalived/redis_master{file}",
            node.ip()
        )),
        _ => Fix::Do("start keepalived on both nodes: its programs put the roles right".to_owned()),
    }
}

fn roles(found: &mut Findings, up: &[(&AskedNode, &Seen)], all: usize, config: &Config, vip: Vip) {
    let check = "roles";
    let masters: Vec<SocketAddr> = up
        .iter()
        .filter(|(_, seen)| seen.observation.is_master())
        .map(|(node, _)| node.address)
        .collect();
    for (node, seen) in up {
        let Some(following) = seen.observation.following() else {
            continue;
        };
        let (address, of) = (node.address, following.address());
        let wrong = if of == Some(address) {
            "a replica of itself"
        } else if of.is_some_and(|of| of.ip() == config.vip) {
            "a replica of the VIP, which is itself when the VIP comes"
        } else if of.is_some_and(|of| {
            up.iter()
                .any(|(other, there)| other.address == of && there.observation.follows(address))
        }) {
            "a replica of its own replica"
        } else if of.is_some_and(|of| of.ip().is_loopback()) && masters.is_empty() {
            "a replica of nobody, as it boots"
        } else if of.is_none_or(|of| !config.nodes.contains(&of)) {
            "a replica of something that is no node"
        } else {
            continue;
        };
        let says = format!(
            "{address} is {wrong} ({}:{})",
            following.host, following.port
        );
        found.fail(check, Fact("R3"), says, mend(config, up, vip));
    }
    match (masters.len(), up.len() == all) {
        (1, _) => {}
        (0, true) => found.fail(
            check,
            Fact("R2"),
            "there is no master",
            mend(config, up, vip),
        ),
        (0, false) => found.warn(
            check,
            Fact("R2"),
            "no master among those that answer",
            mend(config, up, vip),
        ),
        _ => {
            let masters: Vec<String> = masters.iter().map(SocketAddr::to_string).collect();
            let says = format!(
                "{} are masters: writes to all but one of them go into a rollback file",
                masters.join(" and ")
            );
            found.fail(check, Fact("R9"), says, mend(config, up, vip));
        }
    }
    if let [master] = masters[..] {
        for (node, seen) in up.iter().filter(|(node, _)| node.address != master) {
            link(found, node, seen, master, config, up, vip);
        }
        found.ok_unless_said(check, Fact("R2"), format!("{master} is the only master"));
    }
}

fn link(
    found: &mut Findings,
    node: &AskedNode,
    seen: &Seen,
    master: SocketAddr,
    config: &Config,
    up: &[(&AskedNode, &Seen)],
    vip: Vip,
) {
    let address = node.address;
    let Some(following) = seen
        .observation
        .following()
        .filter(|_| seen.observation.follows(master))
    else {
        let fix = mend(config, up, vip);
        return found.warn(
            "link",
            Fact("R2"),
            format!("{address} does not follow {master}, the master"),
            fix,
        );
    };
    if following.syncing {
        let fix = Fix::Do("wait until the copy is done, then run this again".to_owned());
        found.warn(
            "link",
            Fact("R2"),
            format!("{address} copies the data of {master}"),
            fix,
        );
    } else if !following.link_up {
        let fix = Fix::Do(format!(
            "see the lines on masterauth, and the log of Redis on {}",
            address.ip()
        ));
        found.fail(
            "link",
            Fact("R16"),
            format!("{address}: its link to {master} is down"),
            fix,
        );
    } else {
        found.ok(
            "link",
            Fact("R2"),
            format!("{address} follows {master}, its link up"),
        );
    }
}

fn holder(found: &mut Findings, up: &[(&AskedNode, &Seen)], config: &Config, vip: Vip) {
    let at = match vip {
        Vip::Here => up
            .iter()
            .find(|(node, _)| node.is_local)
            .map(|(node, seen)| (node.address, seen)),
        Vip::At(address) => up
            .iter()
            .find(|(node, _)| node.address == address)
            .map(|(_, seen)| (address, seen)),
        Vip::Unknown => None,
    };
    let check = "vip-holder";
    match at {
        Some((address, seen)) if seen.observation.is_master() => {
            found.ok(
                check,
                Fact("K5"),
                format!("{} is at {address}, the master", config.vip),
            );
        }
        Some((address, _)) => {
            let fix = mend(config, up, vip);
            found.fail(
                check,
                Fact("K5"),
                format!(
                    "{} is at {address}, which is no master: clients are told READONLY",
                    config.vip
                ),
                fix,
            );
        }
        None => {
            let fix = Fix::Run("systemctl start keepalived".to_owned());
            found.fail(
                check,
                Fact("K5"),
                format!("no node answers on {}, the VIP", config.vip),
                fix,
            );
        }
    }
}

fn clocks(found: &mut Findings, up: &[(&AskedNode, &Seen)]) {
    let told: Vec<(SocketAddr, f64)> = up
        .iter()
        .filter_map(|(node, seen)| Some((node.address, seen.clock?)))
        .collect();
    let earliest = told
        .iter()
        .copied()
        .reduce(|one, other| if other.1 < one.1 { other } else { one });
    let latest = told
        .iter()
        .copied()
        .reduce(|one, other| if other.1 > one.1 { other } else { one });
    let (Some((early, first)), Some((late, last)), 2..) = (earliest, latest, told.len()) else {
        return;
    };
    let apart = last - first;
    if apart > APART {
        let says = format!(
            "the clock of {late} is {apart:.1} s ahead of that of {early}: their journals can't \
             be read side by side"
        );
        return found.warn(
            "clocks",
            Fact::NONE,
            says,
            Fix::Do("let both be set by NTP: timedatectl set-ntp true".to_owned()),
        );
    }
    found.ok(
        "clocks",
        Fact::NONE,
        format!(
            "the clocks are less than {:.0} ms apart",
            (apart * 1000.0).ceil().max(1.0)
        ),
    );
}

fn term(found: &mut Findings, up: &[(&AskedNode, &Seen)], config: &Config) {
    let Some((node, seen)) = up.iter().find(|(_, seen)| seen.observation.is_master()) else {
        return;
    };
    let can = seen.observation.version.has_functions() || config.policy.term_key.is_some();
    if config.sentinel.is_some() || !can {
        return;
    }
    match &seen.observation.term {
        Some(term) => found.ok(
            "term",
            Fact("R24"),
            format!("the data of {} has term {}", node.address, term.numbers()),
        ),
        None => {
            let says = format!(
                "the data of {} has no term: two nodes that were both down can't tell whose is \
                 the newer",
                node.address
            );
            let fix = Fix::Do(
                "it is written when the role moves the next time; where it is not, see the lines \
                 on rights"
                    .to_owned(),
            );
            found.warn("term", Fact("R24"), says, fix);
        }
    }
}
