//! What weighs how much: a node that is behind, the watcher's file, and `nopreempt` beside them.

use super::edits::set;
use super::hosts::{each_its_own, of_all};
use crate::console::doctor::finding::{Fact, Findings, Fix};
use crate::console::doctor::judge::{Expected, is_eligible};
use crate::console::doctor::look::keepalived::Keepalived;
use crate::keepalived_conf::vrrp::Instance;
use crate::server::info::Version;

/// Before it a node that was dead while it was not the master keeps the priority that it had then.
const GIVES_BACK: Version = Version(2, 0, 20);

/// A node that is behind, or not the master, has to come below every other one.
pub(crate) fn behind(
    found: &mut Findings,
    keepalived: &Keepalived,
    instance: &Instance,
    expected: &Expected,
) {
    let scripts = keepalived
        .here
        .tracked_scripts(instance)
        .filter(|(script, weight)| is_eligible(&script.command) && *weight < 0);
    let Some((script, weight)) = scripts.last() else {
        return;
    };
    let all = of_all(keepalived, instance, expected);
    let mut numbers: Vec<i32> = all
        .iter()
        .filter_map(|(_, _, one)| one.priority())
        .collect();
    numbers.sort_unstable();
    let check = "weight";
    let (Some(lowest), Some(highest), 2..) = (numbers.first(), numbers.last(), numbers.len())
    else {
        let says = format!(
            "{} takes {} off; the priorities of the other nodes are not in this file",
            script.name, -weight
        );
        return found.unseen(check, Fact("K15"), says);
    };
    let apart = highest - lowest;
    if weight + apart < 0 {
        return found.ok(
            check,
            Fact("K15"),
            format!(
                "a node that is behind loses {}, and the priorities lie {apart} apart",
                -weight
            ),
        );
    }
    let says = format!(
        "{} takes {} off, and the priorities lie {apart} apart: a preferred node that is behind \
         stays above the other one, \
         and takes the VIP with old data",
        script.name, -weight
    );
    let fix = if apart + 10 < *lowest && apart + 10 <= 253 {
        set(script, "weight", -(apart + 10))
    } else {
        each_its_own(&all, expected)
    };
    found.fail(check, Fact("K15"), says, fix);
}

pub(crate) fn files(
    found: &mut Findings,
    keepalived: &Keepalived,
    instance: &Instance,
    expected: &Expected,
) {
    let vrrp = &keepalived.here;
    for (file, weight) in vrrp.tracked_files(instance) {
        let path = file.file.display();
        let check = "track-file";
        let wanted = if expected.sentinel { -1 } else { 0 };
        if weight != Some(wanted) {
            let text = format!("    weight {wanted}");
            let fix = match file.block.get(&["weight"]) {
                Some(line) => Fix::replace(&line.place, text),
                None => Fix::insert(&file.block.open, text),
            };
            let has = weight.map_or("no weight, which is 1".to_owned(), |weight| {
                format!("weight {weight}")
            });
            found.fail(
                check,
                Fact("K18"),
                format!(
                    "{} has {has}: a dead Redis does not take the node out",
                    file.name
                ),
                fix,
            );
        }
        match keepalived.watched.get(&file.file) {
            Some((false, _)) => {
                let says = format!(
                    "the directory of {path} is missing: keepalived leaves the file out until it \
                     is reloaded, and says it once in its log"
                );
                let fix = Fix::Run(
                    "systemctl restart keepalived-redis-watch && systemctl reload keepalived"
                        .to_owned(),
                );
                found.fail(check, Fact("K29"), says, fix);
            }
            Some((true, false)) => {
                let says = format!(
                    "{path} is missing: keepalived takes that for a living Redis; nobody writes it"
                );
                found.fail(
                    check,
                    Fact("K18"),
                    says,
                    Fix::Run("systemctl restart keepalived-redis-watch".to_owned()),
                );
            }
            _ => found.ok_unless_said(
                check,
                Fact("K18"),
                format!("{path} is there, beside the check"),
            ),
        }
        if expected.sentinel
            && keepalived
                .version
                .is_some_and(|version| version < GIVES_BACK)
        {
            let says = "before keepalived 2.0.20 what a track file took off before a FAULT stays \
                off for good";
            let fix = Fix::Do("upgrade keepalived, or run install.sh --profile plain".to_owned());
            found.fail("track-file-version", Fact("K18"), says, fix);
        }
    }
}

/// `nopreempt` and a weight: what fails only loses priority, and nobody may take the VIP for that.
pub(crate) fn sticky(found: &mut Findings, keepalived: &Keepalived, instance: &Instance) {
    if !instance.nopreempt() {
        return;
    }
    let vrrp = &keepalived.here;
    let check = "nopreempt";
    let place = instance
        .block
        .get(&["nopreempt"])
        .map_or(&instance.block.place, |line| &line.place);
    let scripts = vrrp
        .tracked_scripts(instance)
        .filter(|(_, weight)| *weight != 0)
        .map(|(script, weight)| (&script.name, weight));
    let files = vrrp
        .tracked_files(instance)
        .map(|(file, weight)| (&file.name, weight.unwrap_or(1)))
        .filter(|(_, weight)| *weight != 0);
    if let Some((name, weight)) = scripts.chain(files).next() {
        let says = format!(
            "nopreempt beside {name} with weight {weight}: the VIP never leaves a node for that, \
             and keepalived -t says nothing about it"
        );
        return found.fail(check, Fact("K15"), says, Fix::remove(place));
    }
    found.ok(
        check,
        Fact("K15"),
        "nopreempt, and nothing that is tracked has a weight",
    );
}
