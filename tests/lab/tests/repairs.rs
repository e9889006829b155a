//! Whatever a pair has come to, it ends with one master where the VIP is and the other one behind it, and every
//! acknowledged write is in the data or in a rollback file. One lab for many of them: each is put right before the
//! next, and a failure names those that were not.

use lab::redis_server::{Boot, Persistence, Settings};
use lab::suite::Suite;
use lab::trial::{is_accounted_for, is_whole, play_on};
use lab::writer::Rate;

const AOF: Settings = Settings { persistence: Persistence::Aof, boot: Boot::AsConfigured };
const RDB: Settings = Settings { persistence: Persistence::Rdb, boot: Boot::AsConfigured };
const AOF_AS_REPLICA: Settings = Settings { persistence: Persistence::Aof, boot: Boot::AsReplica };
const RDB_AS_REPLICA: Settings = Settings { persistence: Persistence::Rdb, boot: Boot::AsReplica };
const NONE_AS_REPLICA: Settings = Settings { persistence: Persistence::None, boot: Boot::AsReplica };

fn is_put_right(settings: Settings, scenario: &str) {
    play_on(settings, Rate::PerSecond(200), scenario, Suite::OURS, |record, _| is_whole(record));
}

fn is_accounted_for_after(settings: Settings, scenario: &str) {
    play_on(settings, Rate::PerSecond(200), scenario, Suite::OURS, |record, _| is_accounted_for(record));
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
