//! What the instance tracks: the check, and the check of the data.

use super::edits::{set, track};
use super::weights;
use crate::console::doctor::finding::{Fact, Findings, Fix};
use crate::console::doctor::judge::{Expected, is_check, is_eligible, ours};
use crate::console::doctor::look::keepalived::Keepalived;
use crate::keepalived_conf::vrrp::{Instance, Script};
use crate::server::info::Version;

/// Before it fractions of a second are an error.
const FRACTIONS: Version = Version(2, 3, 2);

pub(crate) fn judge(found: &mut Findings, keepalived: &Keepalived, expected: &Expected) {
    let Some(instance) = ours(&keepalived.here, expected) else {
        return;
    };
    unknown(found, keepalived, instance);
    check(found, keepalived, instance, expected);
    eligible(found, keepalived, instance, expected);
    weights::behind(found, keepalived, instance, expected);
    weights::files(found, keepalived, instance, expected);
    weights::sticky(found, keepalived, instance);
}

/// keepalived leaves out, with one line in its log, what it does not know.
fn unknown(found: &mut Findings, keepalived: &Keepalived, instance: &Instance) {
    let vrrp = &keepalived.here;
    let scripts = instance
        .scripts
        .iter()
        .filter(|one| vrrp.scripts.iter().all(|script| script.name != one.name));
    let files = instance
        .files
        .iter()
        .filter(|one| vrrp.files.iter().all(|file| file.name != one.name));
    for one in scripts.chain(files) {
        let fix = Fix::Do(format!(
            "write the block of {}, or the name of the one that is meant",
            one.name
        ));
        found.fail(
            "tracked",
            Fact("K13"),
            format!(
                "{} is tracked and no block is called so: it is left out, and fails nothing",
                one.name
            ),
            fix,
        );
    }
}

fn check(found: &mut Findings, keepalived: &Keepalived, instance: &Instance, expected: &Expected) {
    let Some((script, weight)) = keepalived
        .here
        .tracked_scripts(instance)
        .find(|(script, _)| is_check(&script.command))
    else {
        let says = "check_redis is not in track_script: the VIP stays where Redis is dead";
        let fix = match keepalived
            .here
            .scripts
            .iter()
            .find(|script| is_check(&script.command))
        {
            Some(script) => track(instance, "track_script", &script.name),
            None => Fix::Do(
                "take the blocks vrrp_script check_redis and track_script from \
                 keepalived.conf.example"
                    .to_owned(),
            ),
        };
        // A track file fails open, so that it is never enough.
        let fact = if instance.files.is_empty() {
            Fact("K15")
        } else {
            Fact("K18")
        };
        return found.fail("check", fact, says, fix);
    };
    times(found, keepalived, script, expected);
    if weight != 0 {
        let fix = match instance
            .scripts
            .iter()
            .find(|one| one.name == script.name && one.weight.is_some())
        {
            Some(_) => {
                let line = instance
                    .block
                    .get(&["track_script"])
                    .and_then(|block| block.get(&[&script.name]));
                line.map_or_else(
                    || set(script, "weight", 0),
                    |line| Fix::replace(&line.place, format!("        {}", script.name)),
                )
            }
            None => set(script, "weight", 0),
        };
        let says = format!(
            "{} has weight {weight}: a dead Redis lowers the priority and does not take the node \
             out",
            script.name
        );
        return found.fail("check", Fact("K15"), says, fix);
    }
    if script.command.has("--stop-keepalived") {
        return found.ok(
            "check",
            Fact("K15"),
            "check_redis is tracked with weight 0, and stops keepalived where Redis is dead",
        );
    }
    found.ok(
        "check",
        Fact("K15"),
        "check_redis is tracked with weight 0: a dead Redis takes the node out",
    );
}

fn times(found: &mut Findings, keepalived: &Keepalived, script: &Script, expected: &Expected) {
    let own = script
        .command
        .value("--timeout")
        .and_then(|text| text.parse::<humantime::Duration>().ok());
    let own = own.map_or(expected.check, |own| *own);
    let whole = keepalived.version.is_none_or(|version| version < FRACTIONS);
    let seconds = |text: &Option<String>| {
        text.as_ref()
            .map_or(Some(1.0), |text| text.parse::<f64>().ok())
    };
    let check = "check-times";
    for (name, text) in [("interval", &script.interval), ("timeout", &script.timeout)] {
        match seconds(text) {
            Some(number)
                if (number.fract() == 0.0 && number >= 1.0) || (!whole && number > 0.0) => {}
            _ => {
                let text = text.clone().unwrap_or_default();
                let says = format!(
                    "{} has {name} {text}: up to keepalived 2.3.1 only whole seconds count, one \
                     at least",
                    script.name
                );
                return found.fail(check, Fact("K14"), says, set(script, name, 1));
            }
        }
    }
    // Without a timeout of its own a script may run for its interval.
    let limit = seconds(&script.timeout.clone().or_else(|| script.interval.clone())).unwrap_or(1.0);
    if own.as_secs_f64() >= limit {
        let says = format!(
            "{} may take {} ms, and keepalived ends it after {limit} s",
            script.name,
            own.as_millis()
        );
        return found.fail(
            check,
            Fact("K14"),
            says,
            set(script, "timeout", own.as_secs() + 1),
        );
    }
    if seconds(&script.interval).is_some_and(|interval| interval > 2.0) {
        let says = format!(
            "{} runs every {} s: a dead Redis is noticed so much later",
            script.name,
            script.interval.clone().unwrap_or_default()
        );
        return found.warn(check, Fact("K19"), says, set(script, "interval", 1));
    }
    found.ok_unless_said(
        check,
        Fact("K14"),
        format!(
            "a check has {limit} s and is done in {} ms",
            own.as_millis()
        ),
    );
}

fn eligible(
    found: &mut Findings,
    keepalived: &Keepalived,
    instance: &Instance,
    expected: &Expected,
) {
    let tracked = keepalived
        .here
        .tracked_scripts(instance)
        .find(|(script, _)| is_eligible(&script.command));
    let check = "eligible";
    let Some((script, weight)) = tracked else {
        if instance.nopreempt() && !expected.sentinel {
            return found.ok(
                check,
                Fact("K15"),
                "sticky: nothing draws the VIP back, and the data of a node is not asked for",
            );
        }
        let says = "check_redis --eligible is not tracked: a node takes the VIP back before it \
            has the data";
        let fix = match keepalived
            .here
            .scripts
            .iter()
            .find(|script| is_eligible(&script.command))
        {
            Some(script) => track(instance, "track_script", &script.name),
            None => Fix::Do(
                "take the block vrrp_script redis_eligible from keepalived.conf.example, and \
                 track it"
                    .to_owned(),
            ),
        };
        return found.fail(check, Fact("K16"), says, fix);
    };
    if !script.init_fail {
        let says = format!(
            "{} has no init_fail: a node counts as up to date until it was looked at",
            script.name
        );
        return found.warn(
            check,
            Fact("K16"),
            says,
            Fix::insert(&script.block.open, "    init_fail"),
        );
    }
    if weight >= 0 && !instance.nopreempt() {
        let says = format!(
            "{} has weight {weight}: a node whose data is behind has to drop below the other one, \
             and yet be there where nothing better lives",
            script.name
        );
        return found.fail(
            check,
            Fact("K15"),
            says,
            set(script, "weight", if expected.sentinel { -50 } else { -10 }),
        );
    }
    found.ok(
        check,
        Fact("K16"),
        format!("check_redis --eligible is tracked with weight {weight}"),
    );
}
