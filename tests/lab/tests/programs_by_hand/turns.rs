//! The newest notification wins, whatever the older ones do: overlapping, frozen, terminated, dead.

use std::time::Duration;

use lab::wait;
use nix::sys::signal::Signal;

use crate::pair::{CONFIG, JOURNAL, MEMORY, Pair, SOON, Version, ask, info, journal};
use crate::runs::{run, start};

fn role(pair: &Pair, name: &str) -> String {
    let host = if name == "a" { pair.a() } else { pair.b() };
    info(host, "role").unwrap_or_default()
}

fn until_begun(pair: &Pair, program: &str) {
    let begun = || {
        std::fs::read_to_string(pair.b().file(&format!("{MEMORY}/turn")))
            .is_ok_and(|t| t.contains(program))
    };
    wait::until(&format!("{program} has its turn"), SOON, begun).expect("it takes its turn");
}

#[test]
fn backup_then_master_then_backup_as_overlapping_processes_end_as_a_replica() {
    let pair = Pair::with(Version::Own, "[timing]\ndelay = \"1s\"");
    let mut older = start(pair.b(), "redis_backup");
    until_begun(&pair, "BACKUP");
    pair.vip(pair.b());
    let mut middle = start(pair.b(), "redis_master");
    until_begun(&pair, "MASTER");
    pair.vip(pair.a());
    let mut newest = start(pair.b(), "redis_backup");
    let codes = [&mut older, &mut middle, &mut newest].map(|program| program.until_ended(SOON));
    assert_eq!(codes[1..], [Some(1), Some(0)], "{}", pair.story());
    assert!(
        journal(pair.b()).contains("superseded by a newer notification, BACKUP"),
        "{}",
        pair.story()
    );
    assert_eq!(
        (role(&pair, "a").as_str(), role(&pair, "b").as_str()),
        ("master", "slave"),
        "{}",
        pair.story()
    );
}

#[test]
fn backup_then_master_as_overlapping_processes_end_as_master() {
    let pair = Pair::with(Version::Own, "[timing]\ndelay = \"1s\"");
    // Its peer is silent: it persists.
    pair.a().signal("redis-server", Signal::SIGSTOP);
    let mut older = start(pair.b(), "redis_backup");
    until_begun(&pair, "BACKUP");
    pair.a().signal("redis-server", Signal::SIGCONT);
    pair.vip(pair.b());
    let mut newest = start(pair.b(), "redis_master");
    older.until_ended(SOON);
    assert_eq!(newest.until_ended(SOON), Some(0), "{}", pair.story());
    assert_eq!(
        (role(&pair, "a").as_str(), role(&pair, "b").as_str()),
        ("slave", "master"),
        "{}",
        pair.story()
    );
}

#[test]
fn a_frozen_master_run_that_is_thawed_when_the_state_is_backup_changes_nothing() {
    let pair = Pair::new(Version::Own);
    for moment in [2, 4, 6, 8, 10] {
        let older = start(pair.b(), "redis_master");
        std::thread::sleep(Duration::from_millis(moment));
        older.signal(Signal::SIGSTOP);
        // Whatever it had done by then, the VIP is where it was, and that side puts it right.
        let mut follow = start(pair.b(), "redis_backup");
        run(pair.a(), "redis_master", &[]);
        follow.until_ended(Duration::from_secs(30));
        pair.until_serves(pair.a());
        older.signal(Signal::SIGCONT);
        drop(older);
        pair.until_serves(pair.a());
    }
}

#[test]
fn a_program_ended_by_sigterm_is_replaced_by_the_one_that_follows_at_once() {
    let pair = Pair::new(Version::Own);
    // The peer's host is gone: a look takes as long as a connection may.
    pair.a().power_off().expect("power off");
    let mut old = start(pair.b(), "redis_backup");
    wait::until("it waits", SOON, || journal(pair.b()).contains("waiting:")).expect("it waits");
    for _ in 0..5 {
        old.signal(Signal::SIGTERM);
        let mut new = start(pair.b(), "redis_backup");
        old.until_ended(SOON);
        let stays = wait::until_steady(
            "one is at work",
            Duration::from_secs(1),
            Duration::from_secs(2),
            || new.is_at_work(),
        );
        assert!(
            stays.is_ok(),
            "nobody is left at work\n{}",
            journal(pair.b())
        );
        old = new;
    }
}

#[test]
fn a_second_notification_of_the_same_kind_leaves_the_work_to_the_first() {
    let pair = Pair::new(Version::Own);
    pair.a().signal("redis-server", Signal::SIGSTOP);
    let program = "/usr/libexec/keepalived/redis_backup";
    let script = format!(
        "{program} >/dev/null & first=$!; until grep -q BACKUP {MEMORY}/turn; do :; done \
         2>/dev/null; \
         {program}; echo code $?; kill -0 $first && echo first works on; kill $first"
    );
    let out = pair
        .b()
        .command("timeout")
        .expect("on")
        .args(["20", "sh", "-c", &script])
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(
        said.contains("is at this work already") && said.contains("code 0\nfirst works on"),
        "{said}"
    );
}

#[test]
fn a_dead_worker_that_nobody_has_reaped_is_not_at_work() {
    let pair = Pair::new(Version::Own);
    pair.a().signal("redis-server", Signal::SIGSTOP);
    // The shell does not wait for its child, and becomes a program that never does.
    let script =
        "/usr/libexec/keepalived/redis_backup >/dev/null 2>&1 & echo $! > /tmp/pid; exec sleep 30";
    pair.b().spawn("sh", &["-c", script]).expect("started");
    until_begun(&pair, "BACKUP");
    pair.b().sh("kill -9 $(cat /tmp/pid)").expect("killed");
    let dead = || {
        pair.b()
            .sh("grep -c ') Z ' /proc/$(cat /tmp/pid)/stat")
            .is_ok_and(|out| out.stdout == b"1\n")
    };
    wait::until("a zombie", SOON, dead).expect("it is dead");
    pair.a().signal("redis-server", Signal::SIGCONT);
    let ran = run(pair.b(), "redis_backup", &[]);
    assert!(
        !ran.said.contains("is at this work already"),
        "{}",
        ran.said
    );
}

#[test]
fn many_notifications_at_once_end_as_the_last_one_wants() {
    let pair = Pair::new(Version::Own);
    pair.vip(pair.b());
    let mut all = Vec::new();
    for program in [
        "redis_backup",
        "redis_master",
        "redis_fault",
        "redis_master",
        "redis_backup",
        "redis_master",
    ] {
        all.push(start(pair.b(), program));
    }
    for program in &mut all {
        program.until_ended(SOON);
    }
    assert_eq!(role(&pair, "b"), "master", "{}", pair.story());
    run(pair.a(), "redis_backup", &[]);
    pair.until_serves(pair.b());
}

#[test]
fn a_master_run_by_hand_on_a_backup_node_does_not_end_the_work_that_persists_there() {
    let pair = Pair::new(Version::Own);
    // A lone master beside the serving one, whose data can't be kept: redis_backup goes on trying.
    pair.b()
        .write(
            CONFIG,
            &pair.config("[rollback]\ndir = \"/proc/nowhere\""),
            0o644,
        )
        .expect("written");
    ask(pair.b(), &["SLAVEOF", "NO", "ONE"]);
    ask(pair.b(), &["SET", "only-here", "1"]);
    let mut backup = start(pair.b(), "redis_backup");
    until_begun(&pair, "BACKUP");
    let ran = run(pair.b(), "redis_master", &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.said);
    let stays = wait::until_steady(
        "still at work",
        Duration::from_secs(1),
        Duration::from_secs(2),
        || backup.is_at_work(),
    );
    assert!(
        stays.is_ok(),
        "{}\n{}",
        ran.said,
        std::fs::read_to_string(pair.b().file(JOURNAL)).unwrap_or_default()
    );
}
