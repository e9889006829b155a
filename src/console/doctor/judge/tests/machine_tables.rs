//! Each line on this machine, provoked, and what is advised.

use super::keepalived_case::GOOD;
use super::machine_case::{DATA, dir, good, judged};
use super::redis_case::config;
use crate::console::doctor::finding::tests::level;
use crate::console::doctor::finding::{Finding, Findings, Level, Subject};
use crate::console::doctor::judge::{checks, machine};
use crate::console::doctor::look::keepalived::Keepalived;
use crate::console::doctor::look::machine::{Machine, WATCHER};
use crate::console::doctor::look::modes::Mode;
use crate::programs::check_redis::verdict::Verdict;

type Change = fn(&mut Machine, &mut Keepalived);

/// The check, how bad, what is wrong, a part of what is advised.
type Row = (&'static str, Level, Change, &'static str);

fn unit(machine: &mut Machine, name: &str, enabled: &str, active: &str) {
    machine
        .units
        .insert(name.to_owned(), (enabled.to_owned(), active.to_owned()));
}

const ROWS: &[Row] = &[
    (
        "root",
        Level::Unseen,
        |machine, _| machine.is_root = false,
        "",
    ),
    (
        "clock",
        Level::Warn,
        |machine, _| machine.synchronized = Some(false),
        "run: timedatectl set-ntp true",
    ),
    (
        "clock",
        Level::Unseen,
        |machine, _| machine.synchronized = None,
        "",
    ),
    (
        "directory",
        Level::Fail,
        |machine, _| machine.dirs[0].read_only = true,
        "mount it read-write, or set memory.dir",
    ),
    (
        "directory",
        Level::Warn,
        |machine, _| machine.dirs[2] = dir("rollback.dir", 0o755),
        "run: chmod 700 /var/lib/rollback.dir",
    ),
    (
        "directory",
        Level::Warn,
        |machine, _| machine.dirs[1] = dir("log.dir", 0o757),
        "run: chmod o-w /var/lib/log.dir",
    ),
    (
        "directory",
        Level::Warn,
        |machine, _| machine.dirs[1].mode = Some(Mode { uid: 7, ..GOOD }),
        "run: chown root /var/lib/log.dir",
    ),
    (
        "directory",
        Level::Unseen,
        |machine, _| machine.dirs[1].trouble = Some("Permission denied".to_owned()),
        "",
    ),
    (
        "rollback",
        Level::Fail,
        |machine, _| machine.has_check_rdb = false,
        "run: apt-get install redis-tools",
    ),
    (
        "rollback-room",
        Level::Fail,
        |machine, _| machine.dirs[2].free = Some(DATA / 2),
        "make room, or set rollback.dir",
    ),
    (
        "rollback-room",
        Level::Warn,
        |machine, _| machine.dirs[2].free = Some(DATA * 2),
        "make room, or set rollback.dir",
    ),
    (
        "keepalived-unit",
        Level::Warn,
        |machine, _| machine.drop_in = None,
        "run: ./install.sh",
    ),
    (
        "keepalived-unit",
        Level::Unseen,
        |machine, _| {
            machine.drop_in = None;
            machine.systemd = false;
        },
        "",
    ),
    (
        "keepalived-target",
        Level::Warn,
        |machine, _| machine.target = false,
        "run: ./install.sh",
    ),
    (
        "unit-enabled",
        Level::Warn,
        |machine, _| unit(machine, "keepalived.service", "disabled", "active"),
        "run: systemctl enable keepalived.service",
    ),
    (
        "unit-enabled",
        Level::Warn,
        |machine, _| unit(machine, WATCHER, "disabled", "active"),
        "run: systemctl enable keepalived-redis-watch.service",
    ),
    (
        "unit-active",
        Level::Fail,
        |machine, _| unit(machine, WATCHER, "enabled", "failed"),
        "run: systemctl restart keepalived-redis-watch.service",
    ),
    (
        "unit-active",
        Level::Warn,
        |machine, _| unit(machine, "redis-server.service", "enabled", "inactive"),
        "systemctl start redis-server.service",
    ),
    (
        "keepalived-runs",
        Level::Warn,
        |_, keepalived| keepalived.runs = false,
        "run: systemctl enable --now keepalived",
    ),
    (
        "selinux",
        Level::Warn,
        |machine, keepalived| {
            machine.selinux = true;
            keepalived.programs[0].path = "/usr/local/sbin/check_redis".into();
        },
        "install.sh does, and runs restorecon",
    ),
    (
        "config-rewrite",
        Level::Fail,
        |machine, _| machine.redis.read_only = true,
        "ReadWritePaths=",
    ),
    (
        "config-rewrite",
        Level::Fail,
        |machine, _| machine.redis.modes = Some((Ok(GOOD), Ok(GOOD))),
        "run: chown 110 /etc/redis /etc/redis/redis.conf && chmod u+w",
    ),
    (
        "config-rewrite",
        Level::Unseen,
        |machine, _| machine.redis.uid = None,
        "",
    ),
    (
        "boots-as-replica",
        Level::Warn,
        |machine, _| machine.redis.commands = vec!["redis-server /etc/redis.conf".to_owned()],
        "run: ./install.sh --boot-as-replica",
    ),
    (
        "boots-as-replica",
        Level::Warn,
        |machine, _| {
            machine.packaged = true;
            machine.redis.commands = vec!["redis-server /etc/redis.conf".to_owned()];
        },
        "run: keepalived-redis-setup --boot-as-replica",
    ),
    (
        "boots-as-replica",
        Level::Unseen,
        |machine, _| machine.redis.commands.clear(),
        "",
    ),
];

#[test]
fn each_line_on_this_machine_is_provoked_and_says_what_helps() {
    let (machine, keepalived) = good();
    let found = judged(&machine, &keepalived, "");
    let bad: Vec<&Finding> = found
        .iter()
        .filter(|line| line.level != Level::Ok)
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    for (number, (check, how, change, advice)) in ROWS.iter().enumerate() {
        let (mut machine, mut keepalived) = good();
        change(&mut machine, &mut keepalived);
        let found = judged(&machine, &keepalived, "");
        assert_eq!(level(&found, check), *how, "row {number}, {check}");
        let line = found
            .iter()
            .find(|line| line.check == *check && line.level == *how)
            .expect("the line");
        let said = line.fix.first().map(|fix| fix.text()).unwrap_or_default();
        assert!(
            said.contains(advice) && said.is_empty() == (*how == Level::Unseen),
            "row {number}, {check}: {said}"
        );
    }
}

#[test]
fn what_depends_on_the_configuration_is_judged_by_it() {
    let (mut machine, keepalived) = good();
    let never = judged(&machine, &keepalived, "[rollback]\nmode = \"never\"\n");
    assert_eq!(level(&never, "rollback"), Level::Warn);
    let sentinel = "[sentinel]\nmaster_name = \"m\"\nnodes = [\"192.168.158.11:26379\"]\n";
    assert_eq!(
        level(&judged(&machine, &keepalived, sentinel), "boots-as-replica"),
        Level::Fail
    );
    machine.redis.commands = vec!["redis-server /etc/redis.conf".to_owned()];
    assert_eq!(
        level(&judged(&machine, &keepalived, sentinel), "boots-as-replica"),
        Level::Ok
    );
}

#[test]
fn no_directory_of_the_system_is_given_away() {
    let (mut machine, keepalived) = good();
    machine.redis.config_file = Some("/etc/redis.conf".into());
    machine.redis.modes = Some((Ok(GOOD), Ok(GOOD)));
    let found = judged(&machine, &keepalived, "");
    let line = found
        .iter()
        .find(|line| line.check == "config-rewrite")
        .expect("the line");
    assert!(line.fix.iter().all(|fix| {
        fix.text()
            .starts_with("move /etc/redis.conf into a directory of its own")
    }));
}

#[test]
fn a_vip_that_a_dead_keepalived_has_left_behind_fails() {
    let (machine, mut keepalived) = good();
    keepalived.runs = false;
    let mut found = Findings::of(Subject::Machine);
    machine::judge(
        &mut found,
        &machine,
        &keepalived,
        Some(&config("")),
        None,
        true,
    );
    assert_eq!(level(&found.list, "keepalived-runs"), Level::Fail);
}

#[test]
fn what_the_checks_say_now_is_shown() {
    let verdict = |ok| Verdict {
        ok,
        dead: false,
        sentence: "why".to_owned(),
        news: None,
    };
    for (health, eligible, sentinel, expected) in [
        (true, true, false, [Level::Ok, Level::Ok]),
        (false, false, false, [Level::Fail, Level::Warn]),
        (true, false, false, [Level::Ok, Level::Warn]),
        (true, false, true, [Level::Ok, Level::Ok]),
    ] {
        let mut found = Findings::of(Subject::Redis);
        checks::verdicts(&mut found, &verdict(health), &verdict(eligible), sentinel);
        assert_eq!(
            ["check-redis", "check-eligible"].map(|check| level(&found.list, check)),
            expected
        );
    }
}
