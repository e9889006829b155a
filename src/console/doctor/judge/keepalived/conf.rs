//! keepalived's configuration as a file: can it be read, what does keepalived itself say, does it
//! know this host?

use crate::console::doctor::finding::{Fact, Findings, Fix};
use crate::console::doctor::look::keepalived::Keepalived;
use crate::server::info::Version;

/// `-t` of older ones calls every file good, and they know no `notify_master_rx_lower_pri`.
const NEEDED: Version = Version(2, 0, 10);

pub(crate) fn version(found: &mut Findings, keepalived: &Keepalived) {
    match keepalived.version {
        None => found.unseen(
            "keepalived-version",
            Fact::NONE,
            "keepalived did not say its version: is it \
            installed?",
        ),
        Some(version) if version < NEEDED => found.fail(
            "keepalived-version",
            Fact("K23"),
            format!(
                "keepalived {version}: its -t calls every file good, and it knows no \
                notify_master_rx_lower_pri"
            ),
            Fix::Do(format!("upgrade keepalived to {NEEDED} or newer")),
        ),
        Some(version) => found.ok(
            "keepalived-version",
            Fact::NONE,
            format!("keepalived {version}"),
        ),
    }
}

pub(crate) fn conf(found: &mut Findings, keepalived: &Keepalived) -> bool {
    let path = keepalived.path.display();
    let conf = match &keepalived.conf {
        Ok(conf) => conf,
        Err(why) if why.contains("denied") => {
            found.unseen(
                "keepalived-conf",
                Fact::NONE,
                format!("{path}: {why}; run this as root"),
            );
            return false;
        }
        Err(why) => {
            let fix = Fix::Do(
                "write it with install.sh, or name it with --keepalived-conf FILE".to_owned(),
            );
            found.fail("keepalived-conf", Fact::NONE, format!("{path}: {why}"), fix);
            return false;
        }
    };
    for (place, why) in &conf.troubles {
        found.fail(
            "keepalived-conf",
            Fact::NONE,
            format!("{place}: {why}"),
            Fix::Do(format!("correct {place}")),
        );
    }
    found.ok_unless_said(
        "keepalived-conf",
        Fact::NONE,
        format!("{path} is read as the host {}", keepalived.host),
    );
    true
}

pub(crate) fn tested(found: &mut Findings, keepalived: &Keepalived) {
    let said = match &keepalived.tested {
        Ok(said) => said,
        Err(why) => {
            return found.unseen(
                "keepalived-test",
                Fact("K23"),
                format!("keepalived -t: {why}"),
            );
        }
    };
    let words: Vec<&str> = said
        .text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let words = words.join("; ");
    let command = format!("keepalived -t -f {}", keepalived.path.display());
    match said.code {
        Some(0) if words.is_empty() => {
            found.ok("keepalived-test", Fact("K23"), format!("{command}: good"))
        }
        Some(0) => found.ok(
            "keepalived-test",
            Fact("K23"),
            format!("{command}: good, and it says: {words}"),
        ),
        Some(6) => {
            let fix = Fix::Do(
                "see the lines on programs and script_user here, then test again".to_owned(),
            );
            found.fail(
                "keepalived-test",
                Fact("K24"),
                format!("{command}: 6, script security alone objects: {words}"),
                fix,
            );
        }
        code => {
            let code = code.map_or("a signal".to_owned(), |code| code.to_string());
            let fix = Fix::Do(
                "correct what keepalived names, then test again; do not reload it before"
                    .to_owned(),
            );
            found.fail(
                "keepalived-test",
                Fact("K23"),
                format!("{command} ended with {code}: {words}"),
                fix,
            );
        }
    }
}

/// A file for several hosts has to know this one.
pub(crate) fn names(found: &mut Findings, keepalived: &Keepalived) {
    let Ok(conf) = &keepalived.conf else { return };
    if conf.names.is_empty() {
        return;
    }
    let names = conf.names.join(", ");
    if conf.names.contains(&keepalived.host) {
        return found.ok(
            "host-name",
            Fact("K26"),
            format!(
                "this host is {}, one of the @names {names}",
                keepalived.host
            ),
        );
    }
    found.fail(
        "host-name",
        Fact("K26"),
        format!(
            "no line of {} begins with @{}, this host's name; there are lines for {names}: it has \
             no address and no \
             priority of its own, and falls back to multicast",
            keepalived.path.display(),
            keepalived.host
        ),
        Fix::Do(format!(
            "write @{} in place of the name that is meant, on all hosts, or run hostnamectl \
             set-hostname NAME",
            keepalived.host
        )),
    );
}
