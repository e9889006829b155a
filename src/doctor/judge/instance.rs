//! The `vrrp_instance` of the pair, and `global_defs`: names, addresses, states, priorities, adverts.

use std::net::{IpAddr, SocketAddr};

use super::{Expected, ours};
use crate::doctor::finding::{Findings, Fix};
use crate::doctor::keepalived_conf::Place;
use crate::doctor::of_keepalived::Keepalived;
use crate::doctor::vrrp_conf::{Instance, Vrrp};
use crate::info::Version;

/// `-t` of older ones calls every file good, and they know no `notify_master_rx_lower_pri`.
const NEEDED: Version = Version(2, 0, 10);

/// All lines of it.
pub fn judge(found: &mut Findings, keepalived: &Keepalived, expected: &Expected, own: &[IpAddr]) {
    version(found, keepalived);
    if !conf(found, keepalived) {
        return;
    }
    tested(found, keepalived);
    names(found, keepalived);
    let vrrp = &keepalived.here;
    let Some(instance) = ours(vrrp, expected) else {
        let vip = expected.vip.map_or("the VIP".to_owned(), |vip| vip.to_string());
        let fix =
            Fix::Do("take the vrrp_instance from keepalived.conf.example, or let install.sh write the file".to_owned());
        return found.fail("instance", "", format!("no vrrp_instance has {vip}, or calls these programs"), fix);
    };
    vip(found, instance, expected);
    state(found, instance);
    priorities(found, keepalived, instance, expected);
    addresses(found, instance, expected, own);
    adverts(found, vrrp, instance);
    alike(found, keepalived, instance, expected);
    globals(found, keepalived, instance);
}

fn version(found: &mut Findings, keepalived: &Keepalived) {
    match keepalived.version {
        None => found.unseen("keepalived-version", "", "keepalived did not say its version: is it installed?"),
        Some(version) if version < NEEDED => found.fail(
            "keepalived-version",
            "K23",
            format!("keepalived {version}: its -t calls every file good, and it knows no notify_master_rx_lower_pri"),
            Fix::Do(format!("upgrade keepalived to {NEEDED} or newer")),
        ),
        Some(version) => found.ok("keepalived-version", "", format!("keepalived {version}")),
    }
}

fn conf(found: &mut Findings, keepalived: &Keepalived) -> bool {
    let path = keepalived.path.display();
    let conf = match &keepalived.conf {
        Ok(conf) => conf,
        Err(why) if why.contains("denied") => {
            found.unseen("keepalived-conf", "", format!("{path}: {why}; run this as root"));
            return false;
        }
        Err(why) => {
            let fix = Fix::Do("write it with install.sh, or name it with --keepalived-conf FILE".to_owned());
            found.fail("keepalived-conf", "", format!("{path}: {why}"), fix);
            return false;
        }
    };
    for (place, why) in &conf.troubles {
        found.fail("keepalived-conf", "", format!("{place}: {why}"), Fix::Do(format!("correct {place}")));
    }
    found.ok_unless_said("keepalived-conf", "", format!("{path} is read as the host {}", keepalived.host));
    true
}

fn tested(found: &mut Findings, keepalived: &Keepalived) {
    let said = match &keepalived.tested {
        Ok(said) => said,
        Err(why) => return found.unseen("keepalived-test", "K23", format!("keepalived -t: {why}")),
    };
    let words: Vec<&str> = said.text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let words = words.join("; ");
    let command = format!("keepalived -t -f {}", keepalived.path.display());
    match said.code {
        Some(0) if words.is_empty() => found.ok("keepalived-test", "K23", format!("{command}: good")),
        Some(0) => found.ok("keepalived-test", "K23", format!("{command}: good, and it says: {words}")),
        Some(6) => {
            let fix = Fix::Do("see the lines on programs and script_user here, then test again".to_owned());
            found.fail("keepalived-test", "K24", format!("{command}: 6, script security alone objects: {words}"), fix);
        }
        code => {
            let code = code.map_or("a signal".to_owned(), |code| code.to_string());
            let fix = Fix::Do("correct what keepalived names, then test again; do not reload it before".to_owned());
            found.fail("keepalived-test", "K23", format!("{command} ended with {code}: {words}"), fix);
        }
    }
}

/// A file for several hosts has to know this one.
fn names(found: &mut Findings, keepalived: &Keepalived) {
    let Ok(conf) = &keepalived.conf else { return };
    if conf.names.is_empty() {
        return;
    }
    let names = conf.names.join(", ");
    if conf.names.contains(&keepalived.host) {
        return found.ok("host-name", "K26", format!("this host is {}, one of the @names {names}", keepalived.host));
    }
    found.fail(
        "host-name",
        "K26",
        format!(
            "no line of {} begins with @{}, this host's name; there are lines for {names}: it has no address and no \
             priority of its own, and falls back to multicast",
            keepalived.path.display(),
            keepalived.host
        ),
        Fix::Do(format!(
            "write @{} in place of the name that is meant, on all hosts, or run hostnamectl set-hostname NAME",
            keepalived.host
        )),
    );
}

fn vip(found: &mut Findings, instance: &Instance, expected: &Expected) {
    let Some(vip) = expected.vip else { return };
    if instance.vips.contains(&vip) {
        return found.ok("vip", "", format!("{vip} is the vip in both files"));
    }
    let has: Vec<String> = instance.vips.iter().map(IpAddr::to_string).collect();
    let says = format!(
        "vrrp_instance {} moves {}, and vip in {} is {vip}: nobody is ever found to hold it",
        instance.name,
        if has.is_empty() { "no address".to_owned() } else { has.join(", ") },
        expected.path.display()
    );
    let fix = match instance.block.get(&["virtual_ipaddress"]) {
        Some(block) => match block.inner().first() {
            Some(line) => {
                let prefix = line.name().split_once('/').map(|(_, prefix)| format!("/{prefix}")).unwrap_or_default();
                Fix::replace(&line.place, format!("        {vip}{prefix}"))
            }
            None => Fix::insert(&block.open, format!("        {vip}")),
        },
        None => Fix::insert(&instance.block.open, format!("    virtual_ipaddress {{ {vip} }}")),
    };
    found.fail("vip", "", says, fix);
}

fn state(found: &mut Findings, instance: &Instance) {
    let line = |name: &str| instance.block.get(&[name]).map_or(&instance.block.place, |line| &line.place);
    let state = instance.value("state").unwrap_or("BACKUP");
    match state {
        "BACKUP" => found.ok("state", "K23", "state BACKUP: the priority chooses"),
        "MASTER" if instance.nopreempt() => {
            let fix = Fix::replace(line("state"), "    state BACKUP");
            found.fail("state", "K15", "nopreempt with state MASTER: keepalived leaves nopreempt out", fix);
        }
        "MASTER" => found.ok("state", "K4", "state MASTER: it starts as BACKUP all the same"),
        other => {
            let fix = Fix::replace(line("state"), "    state BACKUP");
            found.fail(
                "state",
                "K23",
                format!("state {other} is no state; keepalived takes it for BACKUP, and -t fails"),
                fix,
            );
        }
    }
}

/// The instance as each host that is a node has it: the host's name, its priority.
pub(super) fn of_all<'k>(
    keepalived: &'k Keepalived,
    instance: &'k Instance,
    expected: &Expected,
) -> Vec<(&'k str, &'k Vrrp, &'k Instance)> {
    let others = keepalived.elsewhere.iter().filter_map(|(name, vrrp)| {
        let other = vrrp.instances.iter().find(|other| other.name == instance.name)?;
        // The name of a host that is a node no more.
        let address: Option<IpAddr> = other.value("unicast_src_ip").and_then(|text| text.parse().ok());
        let known =
            address.is_none_or(|ip| expected.nodes.is_empty() || expected.nodes.iter().any(|node| node.ip() == ip));
        known.then_some((name.as_str(), vrrp, other))
    });
    std::iter::once((keepalived.host.as_str(), &keepalived.here, instance)).chain(others).collect()
}

fn priorities(found: &mut Findings, keepalived: &Keepalived, instance: &Instance, expected: &Expected) {
    let line = instance.block.get(&["priority"]).map_or(&instance.block.place, |line| &line.place);
    let Some(priority) = instance.priority() else {
        let text = instance.value("priority").unwrap_or_default();
        let says = format!("priority {text} is no number: this host has none of its own");
        return found.fail(
            "priority",
            "K26",
            says,
            Fix::Do(format!("write a line @{} $PRIORITY=254, or 253", keepalived.host)),
        );
    };
    if priority >= 255 {
        let all = of_all(keepalived, instance, expected);
        let fix = Fix::replace(line, of_its_own(&all, expected));
        return found.fail(
            "priority",
            "K4",
            "priority 255 skips the state BACKUP: redis_backup is not called at the start",
            fix,
        );
    }
    let all = of_all(keepalived, instance, expected);
    let mut numbers: Vec<i32> = all.iter().filter_map(|(_, _, instance)| instance.priority()).collect();
    numbers.sort_unstable();
    let shown: Vec<String> =
        all.iter().filter_map(|(name, _, one)| Some(format!("{name} {}", one.priority()?))).collect();
    if numbers.windows(2).any(|pair| pair.first() == pair.last()) {
        let says = format!(
            "two hosts have the same priority ({}): the address chooses between them, not you",
            shown.join(", ")
        );
        return found.warn("priority", "K20", says, Fix::replace(line, of_its_own(&all, expected)));
    }
    found.ok("priority", "K4", format!("priorities: {}", shown.join(", ")));
}

/// The line `priority`, for each host one of its own: the first of `nodes` has the highest.
pub(super) fn of_its_own(all: &[(&str, &Vrrp, &Instance)], expected: &Expected) -> String {
    if all.len() < 2 {
        return "    priority 254".to_owned();
    }
    let place = |instance: &Instance| {
        let address: Option<IpAddr> = instance.value("unicast_src_ip").and_then(|text| text.parse().ok());
        expected.nodes.iter().position(|node| Some(node.ip()) == address)
    };
    let mut hosts: Vec<(Option<usize>, &str)> =
        all.iter().map(|(name, _, instance)| (place(instance), *name)).collect();
    hosts.sort_by_key(|(place, _)| place.unwrap_or(usize::MAX));
    let lines =
        hosts.iter().zip((1..=254).rev()).map(|((_, name), priority)| format!("@{name}    priority {priority}"));
    lines.collect::<Vec<_>>().join("\n")
}

fn addresses(found: &mut Findings, instance: &Instance, expected: &Expected, own: &[IpAddr]) {
    let Some(peers) = &instance.peers else {
        return found.ok("unicast", "", "adverts go by multicast: no unicast_peer");
    };
    let before = found.list.len();
    let block = instance.block.get(&["unicast_peer"]);
    let open = block.map_or(&instance.block.open, |block| &block.open);
    match instance.value("unicast_src_ip") {
        None => {
            let place = &instance.block.open;
            let says = "unicast_peer without unicast_src_ip: which of this machine's addresses adverts come from is left to chance";
            let fix = expected.local.map_or(Fix::Do("write unicast_src_ip".to_owned()), |local| {
                Fix::insert(place, format!("    unicast_src_ip {}", local.ip()))
            });
            found.warn("unicast-source", "K26", says, fix);
        }
        Some(text) => {
            let place = instance.block.get(&["unicast_src_ip"]).map_or(&instance.block.place, |line| &line.place);
            let address = text.parse::<IpAddr>().ok();
            if address.is_none_or(|address| !own.is_empty() && !own.contains(&address)) {
                let local = expected.local.map_or("this host's address".to_owned(), |local| local.ip().to_string());
                let says = format!("unicast_src_ip {text} is no address of this machine");
                found.fail("unicast-source", "K26", says, Fix::replace(place, format!("    unicast_src_ip {local}")));
            }
        }
    }
    let has = |node: &SocketAddr| {
        peers.iter().any(|peer| peer.split('/').next().and_then(|ip| ip.parse().ok()) == Some(node.ip()))
    };
    for node in &expected.nodes {
        let is_local = Some(*node) == expected.local;
        if is_local && has(node) {
            let line = block.and_then(|block| block.inner().iter().find(|line| line.name() == node.ip().to_string()));
            let fix = line.map_or(Fix::Do("take it out".to_owned()), |line| Fix::remove(&line.place));
            found.fail(
                "unicast",
                "K22",
                format!("{} is this node, and stands in its own unicast_peer", node.ip()),
                fix,
            );
        } else if !is_local && expected.local.is_some() && !has(node) {
            let says = format!(
                "{} is a node and does not stand in unicast_peer: it hears no advert, and both become MASTER",
                node.ip()
            );
            found.fail("unicast", "K22", says, Fix::insert(open, format!("        {}", node.ip())));
        }
    }
    if found.list.len() == before {
        found.ok("unicast", "K26", format!("adverts go to {}", peers.join(", ")));
    }
}

fn adverts(found: &mut Findings, vrrp: &Vrrp, instance: &Instance) {
    let version = vrrp.version_of(instance);
    let line = |name: &str| instance.block.get(&[name]).map_or(&instance.block.place, |line| &line.place);
    match instance.advert_int() {
        Some(seconds) if seconds < 1.0 && version < 3 => {
            let says = format!("advert_int {seconds} with version 2, which knows whole seconds only");
            let fix = match instance.value("version") {
                Some(_) => Fix::replace(line("version"), "    version 3"),
                None => Fix::insert(&instance.block.open, "    version 3"),
            };
            found.fail("advert-interval", "K20", says, fix);
        }
        Some(seconds) => {
            found.ok("advert-interval", "K20", format!("an advert every {seconds} s, VRRP version {version}"))
        }
        None => found.fail(
            "advert-interval",
            "K20",
            format!("advert_int {} is no number", instance.value("advert_int").unwrap_or_default()),
            Fix::replace(line("advert_int"), "    advert_int 1"),
        ),
    }
    let Some(block) = instance.block.get(&["authentication"]) else { return };
    if version >= 3 {
        let says = "authentication with version 3, which has none: it protects from nobody";
        let fix = Fix::Do(format!(
            "take the authentication block out at {}; vrrp_check_unicast_src does what it was meant for",
            block.place
        ));
        found.warn("authentication", "K21", says, fix);
    }
}

/// What has to be the same on all hosts, where one file says it for all of them.
fn alike(found: &mut Findings, keepalived: &Keepalived, instance: &Instance, expected: &Expected) {
    let all = of_all(keepalived, instance, expected);
    let differ = |what: &str, value: &dyn Fn(&Vrrp, &Instance) -> String| {
        let mine = value(&keepalived.here, instance);
        let other = all.iter().find(|(_, vrrp, other)| value(vrrp, other) != mine)?;
        Some(format!("{what} differs: {mine} here, {} on {}", value(other.1, other.2), other.0))
    };
    let vips = |instance: &Instance| {
        let mut vips: Vec<String> = instance.vips.iter().map(IpAddr::to_string).collect();
        vips.sort();
        vips.join(",")
    };
    let said = [
        differ("virtual_router_id", &|_, one| one.value("virtual_router_id").unwrap_or("none").to_owned()),
        differ("version", &|vrrp, one| vrrp.version_of(one).to_string()),
        differ("advert_int", &|_, one| one.value("advert_int").unwrap_or("1").to_owned()),
        differ("virtual_ipaddress", &|_, one| vips(one)),
    ];
    for says in said.into_iter().flatten() {
        let fix = Fix::Do("let the line be without an @name, the same for all hosts".to_owned());
        found.fail("alike", "K22", format!("{says}: each becomes MASTER"), fix);
    }
    if all.len() > 1 {
        found.ok_unless_said(
            "alike",
            "K22",
            "virtual_router_id, version, advert_int and VIP are the same for all hosts of this file",
        );
    } else {
        let says = "the other hosts have a file of their own: virtual_router_id, version, advert_int and VIP have to be the same there";
        found.unseen("alike", "K22", says);
    }
}

fn globals(found: &mut Findings, keepalived: &Keepalived, instance: &Instance) {
    let vrrp = &keepalived.here;
    let fast = instance.advert_int().is_some_and(|seconds| seconds < 1.0);
    let unicast = instance.peers.is_some();
    let older = |version: Version| keepalived.version.is_some_and(|own| own < version);
    let nowhere = Place { file: keepalived.path.clone(), line: 0 };
    let line = |text: &str| match &vrrp.block {
        Some(block) => Fix::insert(&block.open, format!("    {text}")),
        None => Fix::insert(&nowhere, format!("global_defs {{\n    {text}\n}}")),
    };
    // The check, its fact, the words that will do, the line, what it costs, and whether it matters here.
    let wanted: [(&'static str, &'static str, &[&str], &str, &str, bool); 6] = [
        (
            "check-unicast-source",
            "K21",
            &["vrrp_check_unicast_src"],
            "vrrp_check_unicast_src",
            "any host can take the VIP with one unicast advert",
            unicast,
        ),
        (
            "announce-again",
            "K27",
            &["vrrp_garp_master_refresh"],
            "vrrp_garp_master_refresh 10",
            "a switch or a client that missed where the VIP went never hears it again",
            true,
        ),
        (
            "announce-against",
            "K27",
            &["vrrp_garp_lower_prio_repeat"],
            "vrrp_garp_lower_prio_repeat 1",
            "after another node has claimed the VIP for a moment the network is not told again",
            true,
        ),
        (
            "give-way",
            "K28",
            &["vrrp_higher_prio_send_advert"],
            "vrrp_higher_prio_send_advert true",
            "after a partition clients may ask the wrong node for a minute",
            !older(Version(2, 0, 0)),
        ),
        (
            "real-time",
            "K30",
            &["vrrp_rt_priority"],
            "vrrp_rt_priority 50",
            "adverts every 0.1 s without a real-time priority: a busy machine is taken for a dead one",
            fast,
        ),
        (
            "real-time-limit",
            "K30",
            &["vrrp_rlimit_rtime", "vrrp_rlimit_rttime"],
            "vrrp_rlimit_rtime 1000000",
            "a real-time priority without a limit of its own: the kernel kills keepalived after 10 ms of work",
            fast,
        ),
    ];
    for (check, fact, words, text, costs, matters) in wanted {
        if !matters {
            continue;
        }
        if vrrp.has_global(words)
            || words.iter().any(|word| instance.block.get(&[word.trim_start_matches("vrrp_"), *word]).is_some())
        {
            found.ok(check, fact, format!("{} is set", words.first().copied().unwrap_or_default()));
        } else {
            found.warn(
                check,
                fact,
                format!("{} is missing: {costs}", words.first().copied().unwrap_or_default()),
                line(text),
            );
        }
    }
}
