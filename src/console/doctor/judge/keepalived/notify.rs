//! The five `notify` lines: each state calls its own program, and whose file that reads.

use std::path::Path;

use crate::config::DEFAULT_PATH;
use crate::console::doctor::finding::{Fact, Findings, Fix};
use crate::console::doctor::judge::{Expected, ours};
use crate::console::doctor::look::keepalived::{Keepalived, is_ours};

/// Each line, its program, and what is missing without it.
const LINES: [(&str, &str, Fact, &str); 5] = [
    (
        "notify_master",
        "redis_master",
        Fact("K1"),
        "no Redis is ever promoted",
    ),
    (
        "notify_backup",
        "redis_backup",
        Fact("K1"),
        "an old master is never made a replica",
    ),
    (
        "notify_fault",
        "redis_fault",
        Fact("K1"),
        "a node that was in FAULT is not made a replica, and what failed is written down nowhere",
    ),
    (
        "notify_stop",
        "redis_stop",
        Fact("K6"),
        "a stop is written down nowhere, and counts as a death of Redis",
    ),
    (
        "notify_master_rx_lower_pri",
        "redis_master",
        Fact("K10"),
        "a MASTER that was frozen or cut off, and finds that the other one has served meanwhile, \
         is told by nothing else",
    ),
];

pub(crate) fn judge(found: &mut Findings, keepalived: &Keepalived, expected: &Expected) {
    for (place, block, command) in &keepalived.here.astray {
        if is_ours(command.program()) {
            let says = format!(
                "{place}: a notify line in {block}, where it does not speak of the VIP's own \
                 instance"
            );
            found.fail(
                "notify",
                Fact("K1"),
                says,
                Fix::Do(format!("move it from {place} into the vrrp_instance")),
            );
        }
    }
    let Some(instance) = ours(&keepalived.here, expected) else {
        return;
    };
    // As the other lines have it: the directory, and --config where there is one.
    let like = instance
        .notify
        .values()
        .find(|command| is_ours(command.program()));
    let dir = like
        .and_then(|command| command.program().parent())
        .unwrap_or(Path::new("/usr/libexec/keepalived"));
    let named = expected.path != Path::new(DEFAULT_PATH);
    let arguments = if named {
        format!(" --config {}", expected.path.display())
    } else {
        String::new()
    };
    for (line, program, fact, costs) in LINES {
        let text = format!("    {line} \"{}/{program}{arguments}\"", dir.display());
        let Some(command) = instance.notify.get(line) else {
            found.fail(
                "notify",
                fact,
                format!("{line} is missing: {costs}"),
                Fix::insert(&instance.block.open, text),
            );
            continue;
        };
        if command.name() != program {
            let says = format!(
                "{line} calls {}, and not {program}: {costs}",
                command.words.join(" ")
            );
            found.fail("notify", fact, says, Fix::replace(&command.place, text));
        } else if Path::new(command.value("--config").unwrap_or(DEFAULT_PATH)) != expected.path {
            let says = format!(
                "{line} reads {}, and not {}",
                command.value("--config").unwrap_or(DEFAULT_PATH),
                expected.path.display()
            );
            found.fail(
                "notify",
                Fact::NONE,
                says,
                Fix::replace(&command.place, text),
            );
        }
    }
    if let Some(command) = instance
        .notify
        .get("notify")
        .filter(|command| is_ours(command.program()))
    {
        let says = format!(
            "notify calls {} at every change of state, whatever it is",
            command.name()
        );
        found.fail("notify", Fact("K1"), says, Fix::remove(&command.place));
    }
    found.ok_unless_said(
        "notify",
        Fact("K1"),
        "the five notify lines call their programs",
    );
}
