//! Hosts lose power, freeze, and lose sight of each other: whatever was acknowledged is in the
//! surviving data or in a rollback file.

use std::time::Duration;

use lab::suite::Suite;
use lab::trial::{after, greater_part_stands, is_accounted_for, is_whole, play};

#[test]
fn a_returning_host_does_not_take_the_vip_before_it_is_in_sync() {
    play("power-loss", Suite::OURS, |record, story| {
        is_whole(record);
        let [copied, vip] = after(story, "redis-a", "power on", ["(connected)", "VIP"]);
        assert!(copied < vip, "the VIP came before the data");
        assert!(
            record.gap("failover") < Duration::from_millis(4500),
            "{record}"
        );
    });
}

#[test]
fn a_returning_host_whose_network_is_late_discards_nothing_silently() {
    play("late-network", Suite::OURS, |record, _| {
        is_accounted_for(record)
    });
}

#[test]
fn two_cold_hosts_discard_nothing_silently() {
    play("cold-start", Suite::OURS, |record, _| {
        is_accounted_for(record)
    });
}

#[test]
fn what_was_written_while_the_other_host_was_frozen_stands() {
    play("freeze", Suite::OURS, |record, _| {
        greater_part_stands(record, "freeze")
    });
}

#[test]
fn what_was_written_on_the_side_that_went_on_stands_after_a_partition() {
    play("partition", Suite::OURS, |record, _| {
        greater_part_stands(record, "partition")
    });
}

#[test]
fn a_host_that_nobody_could_reach_takes_the_vip_back_without_dropping_what_was_written_meanwhile() {
    // It has its VIP still and is a master: what reaches it before it has heard of the other one
    // goes to a file.
    play("cut-off", Suite::OURS, |record, _| {
        greater_part_stands(record, "cut off")
    });
}

#[test]
fn a_backup_that_nobody_could_reach_and_that_made_itself_master_follows_again() {
    play("backup-cut-off", Suite::OURS, |record, _| {
        is_whole(record);
        assert!(
            record.longest_gap() < Duration::from_secs(1),
            "clients noticed: {record}"
        );
    });
}

#[test]
fn a_host_whose_link_was_gone_loses_nothing() {
    play("unplugged", Suite::OURS, |record, _| is_whole(record));
}

#[test]
fn a_serving_redis_that_restarts_quickly_with_its_data_loses_nothing() {
    play("serving-restarts", Suite::OURS, |record, _| {
        is_whole(record)
    });
}

#[test]
fn a_backup_whose_redis_restarts_as_a_lone_master_follows_again() {
    play("backup-restarts", Suite::OURS, |record, _| {
        is_whole(record);
        assert!(
            record.longest_gap() < Duration::from_secs(1),
            "clients noticed: {record}"
        );
    });
}

/// keepalived does not weigh the data there: the VIP goes to the higher priority, whatever it has.
#[test]
fn a_sticky_host_that_nobody_could_reach_for_a_moment_drops_nothing_of_what_was_written_meanwhile()
{
    play("cut-off-shortly", Suite::STICKY, |record, _| {
        greater_part_stands(record, "cut off")
    });
}
