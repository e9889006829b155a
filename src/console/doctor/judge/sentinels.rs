//! The sentinels, and what they go by when they choose a master.

use std::net::SocketAddr;

use crate::config::{Config, Sentinel};
use crate::console::doctor::finding::{Fact, Findings, Fix};
use crate::console::doctor::look::sentinels::{AskedSentinel, Said};
use crate::console::doctor::look::servers::Redises;
use crate::console::doctor::redis_cli::RedisCli;
use crate::server::failure::Failure;

/// The writes of a master are stopped for a second in a planned move: one that is taken for dead
/// then is deposed.
const DOWN_AFTER: u64 = 2000;

pub(crate) fn judge(
    found: &mut Findings,
    nodes: &[AskedSentinel],
    redises: &Redises,
    config: &Config,
    sentinel: &Sentinel,
    cli: &RedisCli,
    to_them: &RedisCli,
) {
    for node in nodes {
        match &node.said {
            Ok(said) => one(found, node.address, said, config, sentinel, to_them),
            Err(failure) => silent(found, node.address, failure),
        }
    }
    count(found, nodes, sentinel);
    agreed(found, nodes, config);
    priorities(found, redises, config, cli);
}

fn silent(found: &mut Findings, address: SocketAddr, failure: &Failure) {
    let fix = match failure {
        Failure::Denied(_) => Fix::Do(
            "let password_file and username below [sentinel] be as on the sentinels, the same on \
             all"
            .to_owned(),
        ),
        Failure::Refused => Fix::Do(format!(
            "start the sentinel on {}, and see bind and protected-mode in its sentinel.conf",
            address.ip()
        )),
        _ => Fix::Do(format!(
            "see that {} is on, and that firewalls let TCP {} pass",
            address.ip(),
            address.port()
        )),
    };
    found.fail(
        "sentinel-answers",
        Fact::NONE,
        format!("sentinel {address}: {failure}"),
        fix,
    );
}

fn one(
    found: &mut Findings,
    address: SocketAddr,
    said: &Said,
    config: &Config,
    sentinel: &Sentinel,
    to_them: &RedisCli,
) {
    let name = &sentinel.master_name;
    let ask = |words: &str| to_them.line(address, words);
    let number = |field: &str| {
        said.fields
            .get(field)
            .and_then(|text| text.parse::<u64>().ok())
    };
    found.ok(
        "sentinel-answers",
        Fact::NONE,
        format!("sentinel {address} answers"),
    );
    let Some((ip, port)) = &said.master else {
        let says = format!("sentinel {address} knows no master called {name}");
        let fix = Fix::Do(
            "let master_name below [sentinel] be the name behind 'sentinel monitor' there"
                .to_owned(),
        );
        return found.fail("sentinel-master", Fact::NONE, says, fix);
    };
    let master: Option<SocketAddr> = ip
        .parse()
        .ok()
        .zip(port.parse().ok())
        .map(|(ip, port)| SocketAddr::new(ip, port));
    if master.is_none_or(|master| !config.nodes.contains(&master)) {
        let what = if ip.parse() == Ok(config.vip) {
            "the VIP"
        } else {
            "none of nodes"
        };
        let says = format!("sentinel {address} names {ip}:{port}, which is {what}");
        let fix = Fix::Do(
            "let 'sentinel monitor' and replica-announce-ip be the machines' own addresses, as in \
             nodes"
                .to_owned(),
        );
        found.fail("sentinel-master", Fact("R22"), says, fix);
    }
    if let Some(why) = &said.no_quorum {
        let says = format!("sentinel {address}: no failover can be agreed on: {why}");
        found.fail(
            "sentinel-quorum",
            Fact("R32"),
            says,
            Fix::Do("start the sentinels that are missing".to_owned()),
        );
    } else {
        found.ok(
            "sentinel-quorum",
            Fact("R32"),
            format!("sentinel {address} reaches a quorum, and the majority"),
        );
    }
    match number("down-after-milliseconds") {
        Some(millis) if millis < DOWN_AFTER => {
            let says = format!(
                "sentinel {address}: down-after-milliseconds {millis}: a master whose writes are \
                 stopped for a second, in a planned move, is taken for dead"
            );
            let fix = Fix::Run(ask(&format!(
                "sentinel set {name} down-after-milliseconds 5000"
            )));
            found.fail("down-after", Fact("R31"), says, fix);
        }
        Some(millis) => found.ok(
            "down-after",
            Fact("R31"),
            format!("sentinel {address}: down-after {millis} ms"),
        ),
        None => {}
    }
    let user = sentinel.auth.username.as_deref().unwrap_or("default");
    if said.refused.is_empty() {
        found.ok(
            "sentinel-rights",
            Fact("R29"),
            format!("sentinel {address}: nothing that user {user} needs is refused"),
        );
    }
    for (command, rule) in &said.refused {
        let says = format!("sentinel {address}: user {user} may not {command}");
        let fix =
            Fix::Run(to_them.as_administrator(address, &format!("acl setuser {user} {rule}")));
        found.fail("sentinel-rights", Fact("R29"), says, fix);
    }
    if said.tilt {
        let says = format!(
            "sentinel {address} mistrusts its clock (TILT): it says OK to a failover and does \
             none, for 30 s"
        );
        found.warn(
            "tilt",
            Fact("R34"),
            says,
            Fix::Do(
                "wait half a minute; where it comes back, the machine stands still at times"
                    .to_owned(),
            ),
        );
    }
    let known = number("num-other-sentinels").map(|others| others + 1);
    let listed = sentinel.nodes.len() as u64;
    if let Some(known) = known.filter(|known| *known != listed) {
        let says = format!(
            "sentinel {address} knows of {known} sentinels, and {listed} stand below [sentinel]"
        );
        let fix = Fix::Run(ask(&format!("sentinel reset {name}")));
        found.warn("sentinel-others", Fact("R32"), says, fix);
    }
}

fn count(found: &mut Findings, nodes: &[AskedSentinel], sentinel: &Sentinel) {
    let answered = nodes.iter().filter(|node| node.said.is_ok()).count();
    let (all, quorum) = (sentinel.nodes.len(), sentinel.quorum);
    let check = "sentinel-count";
    if answered < quorum {
        let says = format!(
            "{answered} of {all} sentinels answer, and quorum is {quorum}: no master is believed"
        );
        return found.fail(
            check,
            Fact("R32"),
            says,
            Fix::Do("start the sentinels that are missing".to_owned()),
        );
    }
    let majority = all / 2 + 1;
    if quorum < majority {
        let says = format!(
            "quorum {quorum} of {all} sentinels: in a partition each side may have one, and then \
             each holds the VIP"
        );
        return found.warn(
            check,
            Fact("R32"),
            says,
            Fix::Do(format!("write below [sentinel]: quorum = {majority}")),
        );
    }
    if all < 3 {
        let says = format!("{all} sentinels: none of them may fail, or there is no failover");
        let fix = Fix::Do(
            "let a third machine run a sentinel alone, and name it below [sentinel]".to_owned(),
        );
        return found.warn(check, Fact("R32"), says, fix);
    }
    found.ok(
        check,
        Fact("R32"),
        format!("{answered} of {all} sentinels answer, and quorum is {quorum}"),
    );
}

fn agreed(found: &mut Findings, nodes: &[AskedSentinel], config: &Config) {
    let mut named: Vec<String> = nodes
        .iter()
        .filter_map(|node| node.said.as_ref().ok()?.master.as_ref())
        .map(|(ip, port)| format!("{ip}:{port}"))
        .collect();
    named.sort();
    named.dedup();
    match &named[..] {
        [] => {}
        [master] => {
            found.ok_unless_said("sentinel-master", Fact("R22"), format!("all name {master}"))
        }
        several => {
            let says = format!("they name {}", several.join(" and "));
            let fix = Fix::Do(
                "run this again in a second: a switch is being made known; where it \
                stays so, see 'sentinel ckquorum' on each"
                    .to_owned(),
            );
            found.fail("sentinel-master", Fact("R22"), says, fix);
        }
    }
    let odd = config
        .auth
        .password
        .as_ref()
        .is_some_and(|password| password.expose().contains([' ', '"', '\'', '\\']));
    if odd {
        let says = "the password of Redis has a space or a quote: where it is the auth-pass of a \
            sentinel of Redis 7.0, that does not start again";
        found.unseen("auth-pass", Fact("R36"), says);
    }
}

/// Sentinel prefers whom keepalived prefers, or the VIP has to move once more.
fn priorities(found: &mut Findings, redises: &Redises, config: &Config, cli: &RedisCli) {
    let check = "replica-priority";
    let mut before: Option<u64> = None;
    for (place, node) in redises.nodes.iter().enumerate() {
        let Ok(seen) = &node.seen else { continue };
        let address = node.address;
        let advised = ((place + 1) * 10).to_string();
        if let Some(announced) = seen
            .setting("replica-announce-ip")
            .filter(|text| !text.is_empty())
            && announced.parse() != Ok(address.ip())
        {
            let says = format!(
                "{address} announces itself as {announced}: the sentinels name an address that is \
                 not in nodes"
            );
            let fix = Fix::Run(cli.set(address, "replica-announce-ip", &address.ip().to_string()));
            found.fail("announce-ip", Fact::NONE, says, fix);
        }
        let Some(priority) = seen
            .setting("replica-priority")
            .and_then(|text| text.parse::<u64>().ok())
        else {
            continue;
        };
        let fix = Fix::Run(cli.set(address, "replica-priority", &advised));
        if priority == 0 {
            found.fail(
                check,
                Fact("R30"),
                format!("{address}: replica-priority 0: Sentinel never promotes it"),
                fix,
            );
        } else if before.is_some_and(|before| priority <= before) {
            let says = format!(
                "{address}: replica-priority {priority}, no more than that of a node that is \
                 preferred to it: Sentinel may choose another one than keepalived, and the VIP \
                 moves twice"
            );
            found.warn(check, Fact("R30"), says, fix);
        }
        before = before.max(Some(priority));
    }
    if config.nodes.len() > 1 {
        found.ok_unless_said(
            check,
            Fact("R30"),
            "replica-priority is in the order of nodes",
        );
    }
}
