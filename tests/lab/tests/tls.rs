//! Redis and the sentinels without a port in plain text, which ask for client certificates:
//! failover, failback, handover and rollback files are as without TLS.

use std::sync::Mutex;
use std::time::Duration;

use lab::cluster::scenario::{self, Terms};
use lab::cluster::{Cluster, Profile, Setup, Shape};
use lab::lab::Lab;
use lab::redis_server::{self, Settings};
use lab::suite::Suite;
use lab::trial::{self, Trial, is_accounted_for, is_whole};
use lab::{tls, wait};

/// Sentinel's own repairs take 8 to 11 s (R22).
const QUIET: Duration = Duration::from_secs(12);

fn whole(name: &str, suite: Suite) -> Trial {
    tls::everywhere();
    trial::play(name, suite, |record, _| is_whole(record))
}

#[test]
fn a_killed_redis_is_failed_over_and_back_in_both_profiles() {
    let plain = whole("kill-redis", Suite::OURS);
    assert!(
        plain.record.gap("failover") < Duration::from_millis(3500),
        "{}",
        plain.record
    );
    assert!(
        plain.record.gap("failback") < Duration::from_millis(500),
        "{}",
        plain.record
    );
    let fast = whole("kill-redis", Suite::FAST);
    assert!(
        fast.record.gap("failover") < Duration::from_secs(1),
        "{}",
        fast.record
    );
    assert!(
        fast.record.gap("failback") < Duration::from_millis(500),
        "{}",
        fast.record
    );
}

#[test]
fn a_stopped_keepalived_hands_over_and_back_without_a_loss() {
    let trial = whole("stop-keepalived", Suite::OURS);
    assert!(
        trial.record.gap("failover") < Duration::from_secs(1),
        "{}",
        trial.record
    );
    assert!(
        trial.record.gap("failback") < Duration::from_millis(500),
        "{}",
        trial.record
    );
}

#[test]
fn a_hung_redis_is_failed_over() {
    whole("hang", Suite::OURS);
}

#[test]
fn what_a_partition_makes_diverge_is_in_a_rollback_file() {
    tls::everywhere();
    trial::play("partition", Suite::OURS, |record, _| {
        is_accounted_for(record);
        assert!(
            !record.fate.in_files.is_empty(),
            "nothing had to go to a file: {record}"
        );
    });
}

/// Two hosts with Redis up and the programs installed; keepalived does not run yet.
fn installed() -> Lab {
    tls::everywhere();
    let lab = Lab::new(Settings::default()).expect("a lab can be set up (root?)");
    for host in &lab.hosts {
        redis_server::start(host).expect("Redis starts");
        redis_server::until_up(host).expect("Redis is up");
    }
    Suite::OURS.install(&lab).expect("installed");
    lab
}

#[test]
fn install_sh_run_again_finds_redis_well_over_tls() {
    let lab = installed();
    let again = lab
        .a()
        .sh("sh /mnt/install.sh --bin-dir /tmp/bin 2>&1")
        .expect("a shell");
    let said = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(again.status.success(), "{said}");
    assert!(said.contains("check_redis: exit code 0"), "{said}");
    assert!(!said.contains("ALARM"), "{said}");
}

#[test]
fn certificates_that_do_not_fit_take_the_vip_from_nobody_and_are_told() {
    let lab = installed();
    for host in &lab.hosts {
        Suite::OURS
            .start_keepalived(host)
            .expect("keepalived starts");
    }
    let limit = Duration::from_secs(40);
    lab.until_serves(lab.a(), lab.b(), limit).expect("a serves");
    let journal = |name: &str| {
        let file = lab.a().file(&format!("/var/log/keepalived-redis/{name}"));
        std::fs::read_to_string(file).unwrap_or_default()
    };
    let checks = || journal("check-redis-status.log");
    for host in &lab.hosts {
        host.sh("sed -i '/^ca = /s|ca.crt|redis.crt|' /etc/keepalived/redis-ha.toml")
            .expect("a shell");
    }
    let told = || checks().contains("ALARM: no TLS with 192.168.158.11:6379: alive, but TLS: ");
    wait::until("it is told", limit, told).unwrap_or_else(|e| panic!("{e}\n{}", checks()));
    let moved = wait::until("the VIP moves", Duration::from_secs(5), || {
        lab.holders() != [lab.a().name.clone()]
    });
    assert!(moved.is_err(), "{}", checks());
}

#[test]
fn with_sentinel_a_planned_move_and_a_dead_redis_lose_nothing() {
    tls::everywhere();
    for (name, shape, profile) in [
        ("planned-move", Shape::Three, Profile::Plain),
        ("redis-dies", Shape::Witness, Profile::Fast),
    ] {
        let scenario = scenario::named(name).expect("the scenario exists");
        let setup = scenario.setup(Setup {
            shape,
            profile,
            ..Setup::default()
        });
        let cluster = Cluster::boot(setup).unwrap_or_else(|e| panic!("{name}: {e:#}"));
        let played = scenario.run(
            &cluster,
            Terms {
                rate: 500,
                long: QUIET,
                seed: 0,
            },
            &Mutex::new(()),
        );
        let played = played.unwrap_or_else(|e| panic!("{name}: {e:#}"));
        println!("{played}");
        assert!(played.failures().is_empty(), "{played}");
        let client = played.side("client").expect("the client wrote");
        assert!(
            client.acknowledged > 1000,
            "hardly anything was written: {played}"
        );
        assert!(
            client.lost.is_empty(),
            "acknowledged writes are lost: {played}"
        );
    }
}
