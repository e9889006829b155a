//! A pair as install.sh sets it up, with the writer at 200 writes a second: what fails over and
//! back, how fast, and that nothing acknowledged is lost.

use std::time::Duration;

use lab::suite::Suite;
use lab::trial::{Trial, after, assert_median, is_whole, play};

/// Medians are of so many runs.
const RUNS: usize = 5;

fn whole(scenario: &str, suite: Suite) -> Trial {
    play(scenario, suite, |record, _| is_whole(record))
}

#[test]
fn a_killed_redis_costs_less_than_three_and_a_half_seconds_and_its_return_next_to_nothing() {
    let trials: Vec<Trial> = (0..RUNS)
        .map(|_| whole("kill-redis", Suite::OURS))
        .collect();
    assert_median(&trials, "failover", Duration::from_millis(3500));
    assert_median(&trials, "failback", Duration::from_millis(150));
}

#[test]
fn the_vip_comes_back_only_after_600_mb_are_copied() {
    let trial = play("big-copy", Suite::OURS, |record, story| {
        is_whole(record);
        let [copied, vip] = after(story, "redis-a", "start redis", ["(connected)", "VIP"]);
        assert!(copied < vip, "the VIP came before the data");
        let back = record.phases.iter().find(|phase| phase.name == "failback");
        let took = back.map(|phase| phase.took).unwrap_or_default();
        assert!(
            took > Duration::from_secs(25),
            "600 MB at 20 MB/s took only {took:?}"
        );
    });
    assert_median(&[trial], "failback", Duration::from_millis(250));
}

#[test]
fn a_hung_redis_is_failed_over_and_follows_when_it_wakes() {
    let trial = whole("hang", Suite::OURS);
    assert_median(&[trial], "failover", Duration::from_secs(5));
}

#[test]
fn a_sticky_pair_fails_over_and_stays_there() {
    play("kill-redis", Suite::STICKY, |record, _| {
        is_whole(record);
        assert_eq!(
            record.holders,
            ["redis-b"],
            "a sticky VIP went back: {record}"
        );
        assert!(
            record.gap("failover") < Duration::from_millis(3500),
            "{record}"
        );
        assert!(
            record.gap("failback") < Duration::from_millis(500),
            "{record}"
        );
    });
}
