//! redis_backup and redis_fault persist, are quiet, and drop nothing that is nowhere else;
//! redis_stop is quick.

use std::time::{Duration, Instant};

use lab::redis_server;
use lab::wait;
use lab::writer::Rate;
use nix::sys::signal::Signal;

use crate::pair::{
    CONFIG, JOURNAL, MEMORY, Pair, ROLLBACK, SOON, Version, ask, fetch_five, info, journal,
};
use crate::runs::{run, run_within, start, start_and_kill};

/// 0.8 s, and the start of nsenter(1).
const STOP: Duration = Duration::from_millis(850);

fn files(pair: &Pair) -> Vec<String> {
    let entries = std::fs::read_dir(pair.a().file(ROLLBACK))
        .into_iter()
        .flatten()
        .flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".rdb")).collect();
    names.sort();
    names
}

#[test]
fn it_waits_quietly_for_a_dead_peer_and_follows_as_soon_as_that_serves() {
    let pair = Pair::new(Version::Own);
    ask(pair.b(), &["SLAVEOF", "NO", "ONE"]);
    redis_server::kill(pair.a()).expect("killed");
    let mut backup = start(pair.b(), "redis_backup");
    wait::until("it waits", SOON, || journal(pair.b()).contains("waiting:")).expect("it waits");
    let lines = || journal(pair.b()).lines().count();
    let before = lines();
    let quiet = wait::until("a line", Duration::from_secs(6), || lines() > before);
    assert!(
        quiet.is_err(),
        "more than one line a minute\n{}",
        journal(pair.b())
    );
    assert!(backup.is_at_work());
    pair.start_redis(pair.a());
    let begun = Instant::now();
    assert_eq!(
        backup.until_ended(Duration::from_secs(20)),
        Some(0),
        "{}",
        pair.story()
    );
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}\n{}",
        begun.elapsed(),
        pair.story()
    );
    pair.until_serves(pair.a());
}

#[test]
fn what_only_the_local_redis_has_is_kept_before_it_is_dropped() {
    let pair = Pair::diverged("");
    let ran = run(pair.a(), "redis_backup", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    pair.until_serves(pair.b());
    assert_eq!(files(&pair).len(), 1, "{:?}\n{}", files(&pair), ran.said);
    let file = format!("{ROLLBACK}/{}", files(&pair)[0]);
    let text = std::fs::read(pair.a().file(&file)).expect("readable");
    assert!(
        text.windows(9).any(|bytes| bytes == b"only-on-a"),
        "{}",
        ran.said
    );
    assert!(ran.said.contains("diverged_bytes="), "{}", ran.said);
}

#[test]
fn nothing_is_dropped_where_it_can_not_be_kept() {
    for broken in ["/proc/nowhere", "/etc/keepalived/redis-ha.toml"] {
        let pair = Pair::diverged(&format!("[rollback]\ndir = \"{broken}\""));
        let _backup = start(pair.a(), "redis_backup");
        let refused =
            || journal(pair.a()).contains(&format!("keeping a rollback file in {broken}"));
        wait::until("it says why", SOON, refused)
            .unwrap_or_else(|error| panic!("{error}\n{}", pair.story()));
        assert_eq!(ask(pair.a(), &["GET", "only-on-a"]).text(), "1");
        assert_eq!(info(pair.a(), "role").as_deref(), Some("master"));
    }
}

/// At the wrong machine, by hand.
#[test]
fn where_the_vip_is_it_says_so_and_gives_nothing_away() {
    let pair = Pair::new(Version::Own);
    pair.vip(pair.a());
    let mut backup = start(pair.a(), "redis_backup");
    wait::until("it says so", SOON, || {
        journal(pair.a()).contains("this node holds the VIP still")
    })
    .expect("it says so");
    // Longer than it leaves a step to the other node's program.
    let gone = wait::until("the role is gone", Duration::from_secs(8), || {
        info(pair.a(), "role").as_deref() != Some("master")
            || info(pair.b(), "role").as_deref() != Some("slave")
    });
    assert!(gone.is_err() && backup.is_at_work(), "{}", pair.story());
    assert_eq!(run(pair.a(), "redis_master", &[]).code, Some(0));
    assert_eq!(pair.write_through_vip("after"), "OK", "{}", pair.story());
}

#[test]
fn a_follow_that_is_refused_does_not_fill_the_directory_with_files() {
    let pair = Pair::diverged("[rollback]\nkeep = 2");
    pair.a()
        .sh(&format!(
            "mkdir -p {ROLLBACK} && echo > {ROLLBACK}/20200101T000000.000-old.rdb"
        ))
        .expect("written");
    // SLAVEOF is refused, the dump is not.
    ask(pair.a(), &["ACL", "SETUSER", "default", "-slaveof"]);
    let _backup = start(pair.a(), "redis_backup");
    let said = || journal(pair.a()).contains("SLAVEOF");
    wait::until("it says why", Duration::from_secs(20), said)
        .unwrap_or_else(|error| panic!("{error}\n{}", pair.story()));
    let kept = || {
        journal(pair.a())
            .lines()
            .filter(|line| line.contains("kept the local data"))
            .count()
    };
    let more = wait::until("a third file", Duration::from_secs(5), || kept() >= 3);
    assert!(
        more.is_err(),
        "{} files were taken of the same data\n{}",
        kept(),
        pair.story()
    );
    assert!(
        files(&pair).iter().any(|file| file.contains("-old")),
        "{:?}",
        files(&pair)
    );
}

#[test]
fn writes_acknowledged_while_the_data_is_being_kept_are_in_the_file_or_survive() {
    let pair = Pair::diverged("");
    // Whatever is written to a from now on, b has gone on further.
    ask(pair.b(), &["SET", "big", &"x".repeat(16_000_000)]);
    // The dump is begun late, as Redis does by default. The VIP is back on a: a thawed host, a
    // healed partition.
    ask(
        pair.a(),
        &["CONFIG", "SET", "repl-diskless-sync-delay", "2"],
    );
    pair.vip(pair.a());
    let writer = pair.lab.write(Rate::Unlimited);
    wait::until("it writes", SOON, || writer.acknowledged().0 > 20).expect("a takes writes");
    let ran = run(pair.a(), "redis_master", &[]);
    let written = || writer.acknowledged().0;
    let before = written();
    wait::until("writes go on", SOON, || written() > before + 20)
        .unwrap_or_else(|e| panic!("{e}\n{}", pair.story()));
    let written = writer.stop().expect("the writer ends");
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    let fate = lab::readback::read_back(&pair.lab, &written).expect("read back");
    assert!(
        fate.lost.is_empty(),
        "{} of {} lost\n{}",
        fate.lost.len(),
        fate.acknowledged,
        pair.story()
    );
}

fn held_until_the_peer_is_back(version: Version) {
    let pair = Pair::new(version);
    ask(pair.b(), &["SLAVEOF", "NO", "ONE"]);
    ask(pair.b(), &["SET", "big", &"x".repeat(1_000_000)]);
    // a comes back as a lone master with old data and holds the VIP; b, which has the newer data,
    // is silent.
    redis_server::kill(pair.a()).expect("killed");
    pair.start_redis(pair.a());
    pair.b().signal("redis-server", Signal::SIGSTOP);
    let writer = pair.lab.write(Rate::Unlimited);
    let mut master = start(pair.a(), "redis_master");
    wait::until("it waits", SOON, || journal(pair.a()).contains("waiting:"))
        .expect("it does not serve");
    pair.b().signal("redis-server", Signal::SIGCONT);
    assert_eq!(master.until_ended(2 * SOON), Some(0), "{}", pair.story());
    pair.until_serves(pair.a());
    let before = writer.acknowledged().0;
    wait::until("writes go on", SOON, || {
        writer.acknowledged().0 > before + 20
    })
    .expect("clients go on");
    let written = writer.stop().expect("the writer ends");
    let fate = lab::readback::read_back(&pair.lab, &written).expect("read back");
    assert!(
        fate.lost.is_empty(),
        "{} of {} lost\n{}",
        fate.lost.len(),
        fate.acknowledged,
        pair.story()
    );
    assert_eq!(
        ask(pair.a(), &["STRLEN", "big"]).text(),
        "1000000",
        "the newer data is gone\n{}",
        pair.story()
    );
}

#[test]
fn writes_that_were_held_while_a_silent_peer_was_waited_for_are_not_lost_when_it_is_back() {
    held_until_the_peer_is_back(Version::Own);
}

#[test]
fn before_6_2_writes_taken_while_a_silent_peer_was_waited_for_are_not_lost_when_it_is_back() {
    fetch_five();
    held_until_the_peer_is_back(Version::Five);
}

#[test]
fn a_killed_backup_leaves_its_redis_as_it_was_or_following() {
    let pair = Pair::diverged("");
    ask(
        pair.a(),
        &["CONFIG", "SET", "repl-diskless-sync-delay", "3"],
    );
    for moment in 0..20 {
        // What is the other's to do is left to it for 5 s; then it begins.
        let moment = if moment < 12 {
            2 + moment
        } else {
            5010 + 4 * (moment - 12)
        };
        start_and_kill(
            pair.a(),
            "redis_backup",
            "KILL",
            Duration::from_millis(moment),
        );
    }
    let ran = run(pair.a(), "redis_backup", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    pair.until_serves(pair.b());
    assert!(!files(&pair).is_empty());
    let conf = std::fs::read_to_string(pair.a().file("/etc/redis/redis.conf")).expect("redis.conf");
    assert!(
        conf.contains("repl-diskless-sync-delay 3"),
        "a setting was changed for good\n{conf}"
    );
    let parts = std::fs::read_dir(pair.a().file(ROLLBACK))
        .expect("there")
        .flatten();
    let parts: Vec<_> = parts
        .map(|e| e.file_name())
        .filter(|n| n.to_string_lossy().ends_with(".part"))
        .collect();
    assert!(
        parts.is_empty(),
        "unfinished files are left behind: {parts:?}"
    );
}

#[test]
fn redis_fault_says_what_failed_and_follows_once_redis_lives() {
    let pair = Pair::new(Version::Own);
    pair.vip(pair.b());
    ask(pair.b(), &["SLAVEOF", "NO", "ONE"]);
    redis_server::kill(pair.a()).expect("killed");
    let mut fault = start(pair.a(), "redis_fault");
    let said = || journal(pair.a()).contains("is not alive: connection refused");
    wait::until("the diagnosis", SOON, said)
        .unwrap_or_else(|error| panic!("{error}\n{}", pair.story()));
    pair.start_redis(pair.a());
    assert_eq!(
        fault.until_ended(Duration::from_secs(30)),
        Some(0),
        "{}",
        pair.story()
    );
    pair.until_serves(pair.b());
}

#[test]
fn redis_stop_is_done_in_time_whatever_happens() {
    let pair = Pair::new(Version::Own);
    let stop = |what: &str| {
        run_within(STOP, pair.a(), "redis_stop", &[]);
        assert!(journal(pair.a()).contains("[Stop]"), "{what}");
    };
    stop("a master that nobody relieves");
    pair.b().power_off().expect("power off");
    stop("a dead peer");
    pair.a().signal("redis-server", Signal::SIGSTOP);
    stop("a frozen Redis");
    pair.a().signal("redis-server", Signal::SIGCONT);
    redis_server::kill(pair.a()).expect("killed");
    stop("no Redis");
    pair.a().write(CONFIG, "nodes = 7", 0o644).expect("written");
    stop("a broken configuration");
}

#[test]
fn redis_stop_is_done_in_time_when_another_program_sits_on_the_ticket_and_the_journal() {
    let pair = Pair::new(Version::Own);
    run(pair.a(), "redis_stop", &[]);
    // As a program does that was frozen in the middle of taking its turn, or of writing a line.
    let lock = format!("flock {MEMORY}/turn flock {JOURNAL} sh -c 'touch /tmp/locked; sleep 60'");
    let mut holder = pair
        .a()
        .command("sh")
        .expect("on")
        .args(["-c", &lock])
        .spawn()
        .expect("a shell");
    wait::until("locked", SOON, || pair.a().file("/tmp/locked").exists()).expect("locked");
    run_within(STOP, pair.a(), "redis_stop", &[]);
    let _ = holder.kill();
    let _ = holder.wait();
}
