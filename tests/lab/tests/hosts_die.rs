//! Hosts lose power, freeze, and lose sight of each other: whatever was acknowledged is in the
//! surviving data or in a rollback file.

use std::time::Duration;

use lab::suite::Suite;
use lab::trial::{after, is_accounted_for, is_whole, play};

#[test]
fn a_returning_host_does_not_take_the_vip_before_it_is_in_sync() {
    play("power-loss", Suite::OURS, |record, story| {
        is_whole(record);
        let [copied, vip] = after(story, "redis-a", "power on", ["(connected)", "VIP"]);
        assert!(copied < vip, "the VIP came before the data");
        assert!(record.gap("failover") < Duration::from_millis(4500), "{record}");
    });
}

#[test]
fn a_returning_host_whose_network_is_late_discards_nothing_silently() {
    play("late-network", Suite::OURS, |record, _| is_accounted_for(record));
}

#[test]
fn two_cold_hosts_discard_nothing_silently() {
    play("cold-start", Suite::OURS, |record, _| is_accounted_for(record));
}

#[test]
fn a_host_that_was_frozen_discards_nothing_silently() {
    play("freeze", Suite::OURS, |record, _| is_accounted_for(record));
}

#[test]
fn a_healed_partition_discards_nothing_silently() {
    play("partition", Suite::OURS, |record, _| is_accounted_for(record));
}

#[test]
fn a_backup_whose_redis_restarts_as_a_lone_master_follows_again() {
    play("backup-restarts", Suite::OURS, |record, _| {
        is_whole(record);
        assert!(record.longest_gap() < Duration::from_millis(500), "clients noticed: {record}");
    });
}
