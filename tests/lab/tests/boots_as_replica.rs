//! The same on hosts whose Redis boots as a replica of nobody, whatever its redis.conf says.

use std::time::Duration;

use lab::lab::Lab;
use lab::record::Record;
use lab::redis_server::{self, Boot, Persistence, Settings};
use lab::suite::Suite;
use lab::trial::{after, greater_part_stands, is_accounted_for, is_whole, play_on};
use lab::wait;
use lab::writer::Rate;

fn plays(persistence: Persistence, scenario: &str, judge: impl Fn(&Record, &str)) {
    let settings = Settings {
        persistence,
        boot: Boot::AsReplica,
        ..Settings::DEFAULT
    };
    play_on(settings, Rate::PerSecond(200), scenario, Suite::OURS, judge);
}

fn is_whole_after(scenario: &str) {
    plays(Persistence::Aof, scenario, |record, _| is_whole(record));
}

#[test]
fn a_killed_redis_loses_nothing() {
    is_whole_after("kill-redis");
}

#[test]
fn the_vip_comes_back_only_after_600_mb_are_copied() {
    plays(Persistence::Aof, "big-copy", |record, story| {
        is_whole(record);
        let [copied, vip] = after(story, "redis-a", "start redis", ["(connected)", "VIP"]);
        assert!(copied < vip, "the VIP came before the data");
    });
}

#[test]
fn a_hung_redis_loses_nothing() {
    is_whole_after("hang");
}

#[test]
fn a_killed_keepalived_loses_nothing() {
    is_whole_after("kill-keepalived");
}

#[test]
fn a_clean_stop_of_keepalived_loses_nothing() {
    is_whole_after("stop-keepalived");
}

#[test]
fn five_stops_and_starts_two_seconds_apart_lose_nothing() {
    is_whole_after("flapping");
}

#[test]
fn a_power_loss_and_the_way_back_lose_nothing() {
    is_whole_after("power-loss");
}

/// A lone master would take writes before anything could stop it; a replica takes none.
#[test]
fn a_power_loss_and_a_late_network_lose_nothing() {
    is_whole_after("late-network");
}

#[test]
fn two_cold_hosts_discard_nothing_silently() {
    plays(Persistence::Aof, "cold-start", |record, _| {
        is_accounted_for(record)
    });
}

#[test]
fn what_was_written_during_a_freeze_stands() {
    plays(Persistence::Aof, "freeze", |record, _| {
        greater_part_stands(record, "freeze")
    });
}

#[test]
fn what_was_written_during_a_partition_stands() {
    plays(Persistence::Aof, "partition", |record, _| {
        greater_part_stands(record, "partition")
    });
}

#[test]
fn a_backup_whose_redis_restarts_quickly_is_not_noticed() {
    plays(Persistence::Aof, "backup-restarts", |record, _| {
        is_whole(record);
        assert!(
            record.longest_gap() < Duration::from_secs(1),
            "clients noticed: {record}"
        );
    });
}

#[test]
fn a_serving_redis_that_restarts_quickly_with_aof_loses_nothing() {
    plays(Persistence::Aof, "serving-restarts", |record, _| {
        is_whole(record)
    });
}

#[test]
fn a_serving_redis_that_restarts_quickly_with_old_rdb_data_loses_nothing() {
    plays(Persistence::Rdb, "serving-restarts", |record, _| {
        is_whole(record)
    });
}

#[test]
fn a_serving_redis_that_restarts_quickly_without_any_data_loses_nothing() {
    plays(Persistence::None, "serving-restarts", |record, _| {
        is_whole(record)
    });
}

/// What all this is for. No program is at work here: it is Redis's own doing.
#[test]
fn a_lone_master_that_restarts_empty_wipes_its_replica_and_one_that_boots_as_replica_does_not() {
    let soon = Duration::from_secs(20);
    for (boot, left) in [(Boot::AsConfigured, "0"), (Boot::AsReplica, "1")] {
        let lab = Lab::new(Settings {
            persistence: Persistence::None,
            boot,
            ..Settings::DEFAULT
        })
        .expect("a lab can be set up (root?)");
        let (a, b) = (lab.a(), lab.b());
        let ask =
            |host, command: &[&str]| redis_server::call(host, command).expect("an answer").text();
        for host in [a, b] {
            redis_server::start(host).expect("Redis can be started");
            redis_server::until_up(host).expect("Redis comes up");
        }
        ask(a, &["SLAVEOF", "NO", "ONE"]);
        ask(b, &["SLAVEOF", &a.address.to_string(), "6379"]);
        ask(a, &["SET", "kept", "1"]);
        wait::until("it is copied", soon, || ask(b, &["DBSIZE"]) == "1").expect("it is copied");
        redis_server::kill(a).expect("killed");
        redis_server::start(a).expect("Redis can be started");
        redis_server::until_up(a).expect("Redis comes up");
        // Either it has copied the emptiness, or it has been told that there is no master to copy
        // from.
        let told = || {
            let log = b.sh("cat /var/log/redis.log").expect("the log can be read");
            String::from_utf8_lossy(&log.stdout).contains("NOMASTERLINK")
        };
        wait::until("the replica has made up its mind", soon, || {
            told() || ask(b, &["DBSIZE"]) == "0"
        })
        .expect("the replica connects again");
        assert_eq!(ask(b, &["DBSIZE"]), left, "{boot:?}");
    }
}
