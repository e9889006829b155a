//! Whatever a pair has come to, it ends with one master where the VIP is and the other one behind
//! it, and every acknowledged write is in the data or in a rollback file. One lab for many of them:
//! each is put right before the next, and a failure names those that were not.

use std::time::Duration;

use lab::lab::Lab;
use lab::readback::read_back;
use lab::redis_server::{self, Boot, Persistence, Settings};
use lab::run::bring_up;
use lab::suite::Suite;
use lab::trial::{is_accounted_for, is_whole, play_on};
use lab::wait;
use lab::writer::Rate;

const SOON: Duration = Duration::from_secs(60);

const AOF: Settings = Settings {
    persistence: Persistence::Aof,
    boot: Boot::AsConfigured,
    ..Settings::DEFAULT
};
const RDB: Settings = Settings {
    persistence: Persistence::Rdb,
    boot: Boot::AsConfigured,
    ..Settings::DEFAULT
};
const AOF_AS_REPLICA: Settings = Settings {
    persistence: Persistence::Aof,
    boot: Boot::AsReplica,
    ..Settings::DEFAULT
};
const RDB_AS_REPLICA: Settings = Settings {
    persistence: Persistence::Rdb,
    boot: Boot::AsReplica,
    ..Settings::DEFAULT
};
const NONE_AS_REPLICA: Settings = Settings {
    persistence: Persistence::None,
    boot: Boot::AsReplica,
    ..Settings::DEFAULT
};

fn is_put_right(settings: Settings, scenario: &str) {
    play_on(
        settings,
        Rate::PerSecond(200),
        scenario,
        Suite::OURS,
        |record, _| is_whole(record),
    );
}

fn is_accounted_for_after(settings: Settings, scenario: &str) {
    play_on(
        settings,
        Rate::PerSecond(200),
        scenario,
        Suite::OURS,
        |record, _| is_accounted_for(record),
    );
}

#[test]
fn replicas_of_each_other_of_themselves_of_the_vip_and_of_nobody_are_put_right() {
    is_put_right(AOF, "replicas-by-hand");
}

#[test]
fn a_second_master_a_role_without_its_vip_and_a_lone_master_are_put_right() {
    is_put_right(AOF, "masters-by-hand");
}

#[test]
fn a_redis_that_comes_back_empty_wipes_nobody() {
    is_put_right(AOF, "empty");
}

#[test]
fn a_redis_that_boots_empty_as_a_replica_wipes_nobody() {
    is_put_right(NONE_AS_REPLICA, "empty");
}

#[test]
fn two_cold_hosts_settle_where_the_older_one_is_preferred_and_first() {
    is_accounted_for_after(AOF, "cold-b-newest-a-first-5");
}

#[test]
fn two_cold_hosts_settle_where_the_newer_one_is_preferred_and_second() {
    is_accounted_for_after(RDB, "cold-a-newest-b-first-5");
}

#[test]
fn two_cold_hosts_that_boot_as_replicas_settle_where_the_newer_one_is_first() {
    is_accounted_for_after(RDB_AS_REPLICA, "cold-b-newest-b-first-5");
}

/// Long enough for it to give up waiting for the other one.
#[test]
fn an_old_host_that_was_alone_for_long_discards_nothing_silently() {
    is_accounted_for_after(AOF_AS_REPLICA, "cold-b-newest-a-first-40");
}

#[test]
fn after_three_deaths_the_vip_stays_away_until_a_person_says_that_it_is_mended() {
    let lab = Lab::new(AOF_AS_REPLICA).expect("a lab (root?)");
    let (a, b) = (lab.a().clone(), lab.b().clone());
    bring_up(&lab, Suite::OURS).expect("the pair comes up");
    let writer = lab.write(Rate::PerSecond(200));
    for death in 1..=3 {
        redis_server::kill(&a).expect("killed");
        wait::until(&format!("b serves after death {death}"), SOON, || {
            lab.serves(&b)
        })
        .expect("a failover");
        redis_server::start(&a).expect("started");
        if death < 3 {
            lab.until_serves(&a, &b, SOON)
                .expect("twice is no flapping");
        }
    }
    wait::until("a follows", SOON, || lab.follows(&a)).expect("it catches up");
    let check = "/usr/libexec/keepalived/check_redis";
    let said = || {
        String::from_utf8_lossy(
            &a.sh(&format!("{check} --eligible -v"))
                .expect("a shell")
                .stdout,
        )
        .into_owned()
    };
    wait::until("it is held back", SOON, || {
        said().contains("died again and again")
    })
    .expect("three deaths are counted");
    let stays = || lab.serves(&b) && lab.follows(&a);
    wait::until_steady(
        "the VIP stays away",
        Duration::from_secs(10),
        Duration::from_secs(20),
        stays,
    )
    .expect("the VIP came back");
    a.sh(&format!("{check} --forget-failures"))
        .expect("a shell");
    lab.until_serves(&a, &b, SOON)
        .expect("a person has mended it");

    let written = writer.stop().expect("the writer ends");
    let fate = read_back(&lab, &written).expect("read back");
    assert!(
        fate.acknowledged > 3000 && fate.lost.is_empty(),
        "{} of {} lost",
        fate.lost.len(),
        fate.acknowledged
    );
}
