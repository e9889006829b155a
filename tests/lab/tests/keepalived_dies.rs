//! keepalived is stopped, killed, or flaps, while Redis lives on.

use std::time::Duration;

use lab::suite::Suite;
use lab::trial::{Trial, assert_median, is_whole, play};

/// Medians are of so many runs.
const RUNS: usize = 5;

fn runs(scenario: &str) -> Vec<Trial> {
    (0..RUNS).map(|_| play(scenario, Suite::OURS, |record, _| is_whole(record))).collect()
}

#[test]
fn a_clean_stop_of_keepalived_moves_the_role_with_the_vip() {
    let trials = runs("stop-keepalived");
    assert_median(&trials, "failover", Duration::from_millis(1200));
    assert_median(&trials, "failback", Duration::from_millis(1200));
}

#[test]
fn a_killed_keepalived_loses_nothing() {
    let trials = runs("kill-keepalived");
    assert_median(&trials, "failover", Duration::from_millis(1200));
}

#[test]
fn five_stops_and_starts_two_seconds_apart_end_with_the_role_where_the_vip_is() {
    play("flapping", Suite::OURS, |record, _| is_whole(record));
}
