//! redis_master moves the role: under load, killed at any moment, and on a Redis that can't pause
//! writes.

use std::time::Duration;

use lab::readback;
use lab::wait;
use lab::writer::{Rate, Writer};

use crate::pair::{self, Pair, SOON, Version, ask, info};
use crate::runs::{run, start, start_and_kill};

/// Ends the writer and looks for every acknowledged write.
pub fn nothing_lost(pair: &Pair, writer: Writer) {
    let written = writer.stop().expect("the writer ends");
    assert!(
        written.acks.len() > 100,
        "hardly anything was written: {:?}",
        written.errors
    );
    let fate = readback::read_back(&pair.lab, &written).expect("read back");
    let lost: Vec<u64> = fate.lost.iter().map(|ack| ack.number).collect();
    assert!(
        lost.is_empty() && fate.in_files.is_empty(),
        "{} acknowledged, {} lost {:?}, {} in files\n{}",
        fate.acknowledged,
        lost.len(),
        &lost[..lost.len().min(10)],
        fate.in_files.len(),
        pair.story()
    );
}

pub fn until_written(writer: &Writer, more: usize) {
    let before = writer.acknowledged().0;
    wait::until("writes go on", SOON, || {
        writer.acknowledged().0 >= before + more
    })
    .expect("clients are not left paused");
}

#[test]
fn a_handover_under_full_load_loses_nothing_and_leaves_one_master() {
    let pair = Pair::new(Version::Own);
    let writer = pair.lab.write(Rate::Unlimited);
    for to in [pair.b(), pair.a(), pair.b(), pair.a()] {
        until_written(&writer, 50);
        pair.vip(to);
        let ran = run(to, "redis_master", &[]);
        assert_eq!(ran.code, Some(0), "{}", ran.said);
        assert!(ran.said.contains("took the role over from"), "{}", ran.said);
        pair.until_serves(to);
        until_written(&writer, 50);
    }
    nothing_lost(&pair, writer);
}

/// xorshift: the moments differ, the run can be repeated.
fn moments(count: usize, longest: Duration) -> Vec<Duration> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = move |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let range = u64::try_from(longest.as_micros()).unwrap_or(1);
        Duration::from_micros(500 + state % range)
    };
    (0..count).map(next).collect()
}

fn killed_at_any_moment(version: Version, signal: &str, count: usize) {
    let pair = Pair::new(version);
    let writer = pair.lab.write(Rate::Unlimited);
    let hosts = [pair.b(), pair.a()];
    let mut stale = Vec::new();
    for (round, moment) in moments(count, Duration::from_millis(14))
        .into_iter()
        .enumerate()
    {
        let (to, from) = (hosts[round % 2], hosts[(round + 1) % 2]);
        pair.vip(to);
        let mut loser = start(from, "redis_backup");
        start_and_kill(to, "redis_master", signal, moment);
        let ran = run(to, "redis_master", &[]);
        assert_eq!(
            ran.code,
            Some(0),
            "round {round}, killed after {moment:?}: {}\n{}",
            ran.said,
            pair.story()
        );
        pair.until_serves(to);
        loser.until_ended(SOON);
        let before = writer.acknowledged().0;
        let again = wait::until("writes again", SOON, || writer.acknowledged().0 > before);
        assert!(
            again.is_ok(),
            "round {round}, killed after {moment:?}: clients are left paused\n{}",
            pair.story()
        );
        for host in hosts {
            let conf =
                std::fs::read_to_string(host.file("/etc/redis/redis.conf")).expect("redis.conf");
            let follows = conf
                .lines()
                .any(|line| line.starts_with("replicaof") || line.starts_with("slaveof"));
            if follows == (host.name == to.name) {
                stale.push(format!(
                    "round {round}, killed after {moment:?}, {}",
                    host.name
                ));
            }
        }
    }
    nothing_lost(&pair, writer);
    assert!(
        stale.is_empty(),
        "roles that are not in redis.conf: {stale:#?}"
    );
}

#[test]
fn killed_at_any_moment_and_run_again_it_ends_with_one_master_and_nothing_lost() {
    killed_at_any_moment(Version::Own, "KILL", 40);
}

#[test]
fn terminated_at_any_moment_and_run_again_it_ends_with_one_master_and_nothing_lost() {
    killed_at_any_moment(Version::Own, "TERM", 20);
}

#[test]
fn before_6_2_killed_at_any_moment_it_ends_with_one_master_and_nothing_lost() {
    pair::fetch_five();
    killed_at_any_moment(Version::Five, "KILL", 20);
}

#[test]
fn before_6_2_a_fence_left_on_the_serving_master_is_lifted_by_redis_master() {
    pair::fetch_five();
    let pair = Pair::new(Version::Five);
    ask(
        pair.a(),
        &["CONFIG", "SET", "min-slaves-to-write", "1000001"],
    );
    let _master = start(pair.a(), "redis_master");
    let lifted = || {
        let value = ask(pair.a(), &["CONFIG", "GET", "min-slaves-to-write"]).texts();
        value.is_some_and(|pair| pair == ["min-slaves-to-write", "1"])
    };
    let found = wait::until("the fence is lifted", SOON, lifted);
    assert!(found.is_ok(), "nobody can write any more\n{}", pair.story());
}

#[test]
fn before_6_2_a_fence_left_on_a_replica_does_not_outlive_its_promotion() {
    pair::fetch_five();
    let pair = Pair::new(Version::Five);
    ask(
        pair.b(),
        &["CONFIG", "SET", "min-slaves-to-write", "1000000"],
    );
    pair.vip(pair.b());
    let _master = start(pair.b(), "redis_master");
    let writes = || pair.write_through_vip("after") == "OK";
    let found = wait::until("writes are accepted", SOON, writes);
    assert!(
        found.is_ok(),
        "{}\n{}",
        pair.write_through_vip("after"),
        pair.story()
    );
}

#[test]
fn before_6_2_a_fence_left_on_the_old_master_is_lifted_by_its_redis_backup() {
    pair::fetch_five();
    let pair = Pair::new(Version::Five);
    ask(
        pair.a(),
        &["CONFIG", "SET", "min-slaves-to-write", "1000001"],
    );
    pair.vip(pair.b());
    let _backup = start(pair.a(), "redis_backup");
    let lifted = || {
        let value = ask(pair.a(), &["CONFIG", "GET", "min-slaves-to-write"]).texts();
        value.is_some_and(|pair| pair == ["min-slaves-to-write", "1"])
    };
    wait::until("the fence is lifted", SOON, lifted).expect("the former value is back");
}

#[test]
fn the_longest_command_budget_that_is_allowed_forbids_no_handover_and_no_following() {
    let pair = Pair::with(Version::Own, "[timing]\ncommand = \"10s\"\nsync = \"5s\"");
    pair.vip(pair.b());
    let ran = run(pair.b(), "redis_master", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    pair.until_serves(pair.b());
    ask(pair.a(), &["SLAVEOF", "NO", "ONE"]);
    let _backup = start(pair.a(), "redis_backup");
    pair.until_serves(pair.b());
}

#[test]
fn a_master_that_runs_already_stays_master_when_its_replica_is_read_a_moment_later() {
    let pair = Pair::new(Version::Own);
    let writers: Vec<Writer> = (0..3).map(|_| pair.lab.write(Rate::Unlimited)).collect();
    until_written(&writers[0], 50);
    for round in 0..30 {
        // As on the first start of a pair that runs already.
        pair.a()
            .sh(&format!("rm -rf {}", pair::MEMORY))
            .expect("forgotten");
        let ran = run(pair.a(), "redis_master", &[]);
        assert!(
            ran.said.contains("serving: master already"),
            "round {round}: {}",
            ran.said
        );
        assert_eq!(
            info(pair.b(), "role").as_deref(),
            Some("slave"),
            "round {round}: {}",
            ran.said
        );
    }
}

#[test]
fn a_role_whose_rewrite_was_missed_by_a_killed_run_is_written_by_the_next() {
    let pair = Pair::new(Version::Own);
    // What a redis_master leaves that is killed after the promotion: the roles have moved, no
    // redis.conf knows it.
    ask(
        pair.a(),
        &["SLAVEOF", &pair.b().address.to_string(), "6379"],
    );
    ask(pair.b(), &["SLAVEOF", "NO", "ONE"]);
    pair.vip(pair.b());
    pair.until_serves(pair.b());
    run(pair.b(), "redis_master", &[]);
    run(pair.a(), "redis_backup", &[]);
    for (host, follows) in [(pair.a(), true), (pair.b(), false)] {
        let conf = std::fs::read_to_string(host.file("/etc/redis/redis.conf")).expect("redis.conf");
        let found = conf.lines().any(|line| line.starts_with("replicaof"));
        assert_eq!(
            found,
            follows,
            "{} would start in the old role\n{}",
            host.name,
            pair.story()
        );
    }
}

#[test]
fn an_impossible_rewrite_is_a_warning_and_the_role_moves_all_the_same() {
    let pair = Pair::new(Version::Own);
    for host in [pair.a(), pair.b()] {
        host.sh("mount --bind /etc/redis /etc/redis && mount -o remount,bind,ro /etc/redis")
            .expect("read-only");
    }
    pair.vip(pair.b());
    let ran = run(pair.b(), "redis_master", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(ran.said.contains("warning: CONFIG REWRITE"), "{}", ran.said);
    pair.until_serves(pair.b());
}

#[test]
fn where_the_holder_of_the_vip_has_no_program_that_takes_the_role_it_is_given_without_a_loss() {
    let pair = Pair::new(Version::Own);
    let writer = pair.lab.write(Rate::Unlimited);
    until_written(&writer, 50);
    pair.vip(pair.b());
    let ran = run(pair.a(), "redis_backup", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(
        ran.said.contains("gave the role to 192.168.158.12:6379"),
        "{}",
        ran.said
    );
    pair.until_serves(pair.b());
    until_written(&writer, 50);
    nothing_lost(&pair, writer);
}

#[test]
fn the_role_is_given_and_taken_at_the_same_moment_and_there_is_one_master() {
    let pair = Pair::new(Version::Own);
    let writer = pair.lab.write(Rate::Unlimited);
    let hosts = [pair.b(), pair.a()];
    for round in 0..4 {
        let (to, from) = (hosts[round % 2], hosts[(round + 1) % 2]);
        pair.vip(to);
        let mut giver = start(from, "redis_backup");
        let since = std::time::Instant::now();
        // The driver comes when the grace of the other side (5 s) ends.
        while since.elapsed() < Duration::from_millis(4990 + 15 * u64::try_from(round).unwrap_or(0))
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        let ran = run(to, "redis_master", &[]);
        assert_eq!(
            ran.code,
            Some(0),
            "round {round}: {}\n{}",
            ran.said,
            pair.story()
        );
        pair.until_serves(to);
        giver.until_ended(SOON);
        pair.until_serves(to);
        until_written(&writer, 50);
    }
    nothing_lost(&pair, writer);
}
