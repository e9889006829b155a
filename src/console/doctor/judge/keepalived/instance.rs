//! The `vrrp_instance` of the pair: its VIP, state and priority.

use std::net::IpAddr;

use super::hosts::{each_its_own, of_all};
use super::{conf, globals, network};
use crate::console::doctor::finding::{Fact, Findings, Fix};
use crate::console::doctor::judge::{Expected, ours};
use crate::console::doctor::look::keepalived::Keepalived;
use crate::keepalived_conf::vrrp::Instance;

/// Seconds that a node waits after a stop because of its priority alone: those of fifty nodes from
/// 254 down wait for less.
const SKEW: f64 = 0.25;

/// All lines of it, and of the file that it stands in.
pub(crate) fn judge(
    found: &mut Findings,
    keepalived: &Keepalived,
    expected: &Expected,
    own: &[IpAddr],
) {
    conf::version(found, keepalived);
    if !conf::conf(found, keepalived) {
        return;
    }
    conf::tested(found, keepalived);
    conf::names(found, keepalived);
    let vrrp = &keepalived.here;
    let Some(instance) = ours(vrrp, expected) else {
        let vip = expected
            .vip
            .map_or("the VIP".to_owned(), |vip| vip.to_string());
        let fix = Fix::Do(
            "take the vrrp_instance from keepalived.conf.example, or let install.sh write the file"
                .to_owned(),
        );
        return found.fail(
            "instance",
            Fact::NONE,
            format!("no vrrp_instance has {vip}, or calls these programs"),
            fix,
        );
    };
    vip(found, instance, expected);
    state(found, instance);
    priorities(found, keepalived, instance, expected);
    network::addresses(found, instance, expected, own);
    network::adverts(found, vrrp, instance);
    network::alike(found, keepalived, instance, expected);
    globals::judge(found, keepalived, instance);
}

fn vip(found: &mut Findings, instance: &Instance, expected: &Expected) {
    let Some(vip) = expected.vip else { return };
    if instance.vips.contains(&vip) {
        return found.ok("vip", Fact::NONE, format!("{vip} is the vip in both files"));
    }
    let has: Vec<String> = instance.vips.iter().map(IpAddr::to_string).collect();
    let says = format!(
        "vrrp_instance {} moves {}, and vip in {} is {vip}: nobody is ever found to hold it",
        instance.name,
        if has.is_empty() {
            "no address".to_owned()
        } else {
            has.join(", ")
        },
        expected.path.display()
    );
    let fix = match instance.block.get(&["virtual_ipaddress"]) {
        Some(block) => match block.inner().first() {
            Some(line) => {
                let prefix = line
                    .name()
                    .split_once('/')
                    .map(|(_, prefix)| format!("/{prefix}"))
                    .unwrap_or_default();
                Fix::replace(&line.place, format!("        {vip}{prefix}"))
            }
            None => Fix::insert(&block.open, format!("        {vip}")),
        },
        None => Fix::insert(
            &instance.block.open,
            format!("    virtual_ipaddress {{ {vip} }}"),
        ),
    };
    found.fail("vip", Fact::NONE, says, fix);
}

fn state(found: &mut Findings, instance: &Instance) {
    let line = |name: &str| {
        instance
            .block
            .get(&[name])
            .map_or(&instance.block.place, |line| &line.place)
    };
    let state = instance.value("state").unwrap_or("BACKUP");
    match state {
        "BACKUP" => found.ok("state", Fact("K23"), "state BACKUP: the priority chooses"),
        "MASTER" if instance.nopreempt() => {
            let fix = Fix::replace(line("state"), "    state BACKUP");
            found.fail(
                "state",
                Fact("K15"),
                "nopreempt with state MASTER: keepalived leaves nopreempt out",
                fix,
            );
        }
        "MASTER" => found.ok(
            "state",
            Fact("K4"),
            "state MASTER: it starts as BACKUP all the same",
        ),
        other => {
            let fix = Fix::replace(line("state"), "    state BACKUP");
            found.fail(
                "state",
                Fact("K23"),
                format!("state {other} is no state; keepalived takes it for BACKUP, and -t fails"),
                fix,
            );
        }
    }
}

fn priorities(
    found: &mut Findings,
    keepalived: &Keepalived,
    instance: &Instance,
    expected: &Expected,
) {
    let Some(priority) = instance.priority() else {
        let text = instance.value("priority").unwrap_or_default();
        let says = format!("priority {text} is no number: this host has none of its own");
        return found.fail(
            "priority",
            Fact("K26"),
            says,
            Fix::Do(format!(
                "write a line @{} $PRIORITY=254, or 253",
                keepalived.host
            )),
        );
    };
    if priority >= 255 {
        let all = of_all(keepalived, instance, expected);
        let fix = each_its_own(&all, expected);
        return found.fail(
            "priority",
            Fact("K4"),
            "priority 255 skips the state BACKUP: redis_backup is not called at the start",
            fix,
        );
    }
    let all = of_all(keepalived, instance, expected);
    let mut numbers: Vec<i32> = all
        .iter()
        .filter_map(|(_, _, instance)| instance.priority())
        .collect();
    numbers.sort_unstable();
    let shown: Vec<String> = all
        .iter()
        .filter_map(|(name, _, one)| Some(format!("{name} {}", one.priority()?)))
        .collect();
    if numbers.windows(2).any(|pair| pair.first() == pair.last()) {
        let says = format!(
            "two hosts have the same priority ({}): the address chooses between them, not you",
            shown.join(", ")
        );
        return found.warn("priority", Fact("K20"), says, each_its_own(&all, expected));
    }
    let advert = instance.advert_int().unwrap_or(1.0);
    let lowest = numbers.first().copied().unwrap_or(priority);
    let skew = f64::from(256 - lowest) / 256.0 * advert;
    if skew > SKEW {
        let says = format!(
            "after a stop or a fault a node of priority {lowest} waits for {skew:.2} s before it \
             takes the VIP"
        );
        return found.warn("priority", Fact("K20"), says, each_its_own(&all, expected));
    }
    found.ok(
        "priority",
        Fact("K4"),
        format!("priorities: {}", shown.join(", ")),
    );
}
