//! This machine: its clock, disk, directories, units.

pub(crate) mod redis_service;

use crate::config::{Config, RollbackMode};
use crate::console::doctor::finding::{Fact, Findings, Fix};
use crate::console::doctor::look::keepalived::Keepalived;
use crate::console::doctor::look::machine::{Dir, Machine, WATCHER};

/// SELinux lets only these connect (K25).
const UNCONFINED: &str = "/usr/libexec/keepalived";

/// All lines of it. `data` is how many bytes the local Redis holds; `holds_vip`: the VIP is on an
/// interface here.
pub(crate) fn judge(
    found: &mut Findings,
    machine: &Machine,
    keepalived: &Keepalived,
    config: Option<&Config>,
    data: Option<u64>,
    holds_vip: bool,
) {
    if !machine.is_root {
        found.unseen(
            "root",
            Fact::NONE,
            "not root: what only root may look at is left out",
        );
    }
    clock(found, machine);
    selinux(found, machine, keepalived);
    if let Some(config) = config {
        for dir in &machine.dirs {
            directory(found, dir);
        }
        rollback(found, machine, config, data);
    }
    units(found, machine, keepalived);
    if !keepalived.runs && holds_vip {
        let says = "the VIP is on this machine, and keepalived does not run: it stays there \
            beside the one that another node takes";
        found.fail(
            "keepalived-runs",
            Fact("K9"),
            says,
            Fix::Run("systemctl start keepalived".to_owned()),
        );
    } else if !keepalived.runs {
        let says = "keepalived does not run here: this node takes part in nothing";
        found.warn(
            "keepalived-runs",
            Fact("K9"),
            says,
            Fix::Run("systemctl enable --now keepalived".to_owned()),
        );
    } else {
        found.ok("keepalived-runs", Fact("K9"), "keepalived runs");
    }
}

fn clock(found: &mut Findings, machine: &Machine) {
    match machine.synchronized {
        Some(true) => found.ok("clock", Fact::NONE, "the clock is set by NTP"),
        Some(false) => {
            let says =
                "the clock is not set by NTP: the journals of the nodes can't be read side by side";
            found.warn(
                "clock",
                Fact::NONE,
                says,
                Fix::Run("timedatectl set-ntp true".to_owned()),
            );
        }
        None => found.unseen(
            "clock",
            Fact::NONE,
            "nobody here says whether the clock is set by NTP",
        ),
    }
}

fn selinux(found: &mut Findings, machine: &Machine, keepalived: &Keepalived) {
    if !machine.selinux {
        return;
    }
    let elsewhere = keepalived
        .programs
        .iter()
        .find(|program| !program.path.starts_with(UNCONFINED));
    match elsewhere {
        Some(program) => {
            let says = format!(
                "SELinux enforces, and {} is not in {UNCONFINED}: it may not connect to Redis",
                program.path.display()
            );
            let fix = Fix::Do(format!(
                "install the programs in {UNCONFINED}: install.sh does, and runs restorecon"
            ));
            found.warn("selinux", Fact("K25"), says, fix);
        }
        None => found.ok(
            "selinux",
            Fact("K25"),
            format!("SELinux enforces, and the programs are in {UNCONFINED}"),
        ),
    }
}

fn directory(found: &mut Findings, dir: &Dir) {
    let path = dir.path.display();
    let check = "directory";
    if let Some(why) = &dir.trouble {
        return found.unseen(check, Fact::NONE, format!("{} {path}: {why}", dir.key));
    }
    if dir.read_only {
        let costs = match dir.key {
            "memory.dir" => "a node remembers nothing, and starts as unknown",
            "log.dir" => "nothing is written down",
            _ => "no data can be kept, so a node with data of its own stays behind",
        };
        let fix = Fix::Do(format!(
            "mount it read-write, or set {} in redis-ha.toml",
            dir.key
        ));
        return found.fail(
            check,
            Fact::NONE,
            format!("{} {path} is on a read-only file system: {costs}", dir.key),
            fix,
        );
    }
    let Some(mode) = dir.mode else {
        return found.ok(
            check,
            Fact::NONE,
            format!("{} {path} will be made", dir.key),
        );
    };
    if mode.uid != 0 {
        let fix = Fix::Run(format!("chown root {path}"));
        return found.warn(
            check,
            Fact::NONE,
            format!(
                "{} {path} belongs to uid {}, who can change what is in it",
                dir.key, mode.uid
            ),
            fix,
        );
    }
    if mode.bits & 0o002 != 0 {
        return found.warn(
            check,
            Fact::NONE,
            format!("{} {path} can be written to by everybody", dir.key),
            Fix::Run(format!("chmod o-w {path}")),
        );
    }
    if dir.key == "rollback.dir" && mode.bits & 0o077 != 0 {
        let says = format!(
            "{} {path} holds copies of the data, and its mode is {:04o}",
            dir.key, mode.bits
        );
        return found.warn(
            check,
            Fact("R9"),
            says,
            Fix::Run(format!("chmod 700 {path}")),
        );
    }
    found.ok(check, Fact::NONE, format!("{} {path}", dir.key));
}

fn rollback(found: &mut Findings, machine: &Machine, config: &Config, data: Option<u64>) {
    if config.rollback.mode == RollbackMode::Never {
        let says = "rollback.mode is \"never\": data that a node drops is gone";
        let fix = Fix::Do(format!(
            "write in {} below [rollback]: mode = \"auto\"",
            config.path.display()
        ));
        return found.warn("rollback", Fact("R9"), says, fix);
    }
    if !machine.has_check_rdb {
        let says = "redis-check-rdb is missing: no rollback file can be checked, so none is \
            taken, and a node with data of its own stays behind";
        let fix = Fix::Run("apt-get install redis-tools || dnf install redis".to_owned());
        found.fail("rollback", Fact("R9"), says, fix);
    }
    let room = machine
        .dirs
        .iter()
        .find(|dir| dir.key == "rollback.dir")
        .and_then(|dir| dir.free);
    let (Some(free), Some(data)) = (room, data) else {
        return;
    };
    let keep = config.rollback.keep as u64;
    let size = |bytes| bytesize::ByteSize::b(bytes).to_string();
    let dir = config.rollback.dir.display();
    let says = format!(
        "{dir} has room for {}, and the data is {} at most, kept {keep} times",
        size(free),
        size(data)
    );
    let fix = Fix::Do(format!(
        "make room, or set rollback.dir in {} to where there is more",
        config.path.display()
    ));
    match free {
        free if free < data => found.fail(
            "rollback-room",
            Fact("R9"),
            format!("{says}: nothing is dropped, and a node with data of its own stays behind"),
            fix,
        ),
        free if free < data.saturating_mul(keep) => {
            found.warn("rollback-room", Fact("R9"), says, fix)
        }
        _ => found.ok("rollback-room", Fact("R9"), says),
    }
}

fn units(found: &mut Findings, machine: &Machine, keepalived: &Keepalived) {
    match &machine.drop_in {
        Some(text) if text.lines().any(|line| line.trim() == "Restart=always") => {
            found.ok(
                "keepalived-unit",
                Fact("K9"),
                "systemd starts a keepalived that died again",
            );
        }
        _ if machine.systemd => {
            let says = "systemd does not start a keepalived that died again, and the VIP stays on \
                its interface";
            found.warn(
                "keepalived-unit",
                Fact("K9"),
                says,
                Fix::Run("./install.sh".to_owned()),
            );
        }
        _ => found.unseen(
            "keepalived-unit",
            Fact("K9"),
            "systemd does not run here: let something start a keepalived that died again",
        ),
    }
    if machine.systemd && !machine.target {
        let says = "keepalived-redis.target is missing: when the machine goes down Redis may end \
            before keepalived";
        found.warn(
            "keepalived-target",
            Fact("K6"),
            says,
            Fix::Run("./install.sh".to_owned()),
        );
    }
    let watched = !keepalived.here.files.is_empty();
    for (name, (enabled, active)) in &machine.units {
        let redis = name != "keepalived.service" && name != WATCHER;
        if (watched || name != WATCHER)
            && !matches!(
                enabled.as_str(),
                "enabled" | "enabled-runtime" | "static" | "alias" | "generated"
            )
        {
            let says = format!(
                "{name} is {}: it does not start with the machine",
                if enabled.is_empty() {
                    "not enabled"
                } else {
                    enabled
                }
            );
            found.warn(
                "unit-enabled",
                Fact::NONE,
                says,
                Fix::Run(format!("systemctl enable {name}")),
            );
        }
        if name == WATCHER && active != "active" {
            let says = format!("{name} is {active}: a dead Redis is noticed by the check alone");
            found.fail(
                "unit-active",
                Fact("K18"),
                says,
                Fix::Run(format!("systemctl restart {name}")),
            );
        }
        if redis && active != "active" {
            let says =
                format!("{name} is {active}: whatever Redis runs here was not started by it");
            found.warn(
                "unit-active",
                Fact::NONE,
                says,
                Fix::Do(format!("let systemd start it: systemctl start {name}")),
            );
        }
    }
}
