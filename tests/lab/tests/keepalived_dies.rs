//! keepalived is stopped, killed, or flaps, while Redis lives on.

use std::time::Duration;

use lab::keepalived;
use lab::redis_server::{Boot, Settings};
use lab::run::{Goal, Run, usual_lab};
use lab::story::Event;
use lab::suite::Suite;
use lab::trial::{Trial, assert_median, is_whole, play, play_at, play_on};
use lab::wait;
use lab::writer::Rate;

/// Medians are of so many runs.
const RUNS: usize = 5;

fn runs(scenario: &str) -> Vec<Trial> {
    (0..RUNS)
        .map(|_| play(scenario, Suite::OURS, |record, _| is_whole(record)))
        .collect()
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

#[test]
fn a_killed_vrrp_process_is_started_again_and_nothing_is_lost() {
    let lab = usual_lab().expect("a lab can be set up (root?)");
    let mut run =
        Run::start(&lab, Suite::OURS, Rate::PerSecond(200)).expect("the pair comes up and serves");
    let limit = Duration::from_secs(40);
    run.phase("child", limit, Goal::Settled, || {
        let killed = lab.story.now();
        keepalived::kill_child(lab.a());
        wait::until("somebody is MASTER again", limit, || {
            let events = lab.story.events(Vec::new());
            let again = |e: &Event| e.at > killed && e.what.contains("Entering MASTER STATE");
            events.iter().any(again)
        })
    })
    .expect("keepalived comes back");
    run.until_written(400).expect("the client writes");
    let record = run.finish("kill the child").expect("all is read back");
    is_whole(&record);
}

/// It knows what its data is worth without asking anybody.
#[test]
fn a_restarted_keepalived_serves_on_where_the_other_host_is_off() {
    for boot in [Boot::AsConfigured, Boot::AsReplica] {
        let settings = Settings {
            boot,
            ..Settings::default()
        };
        play_on(
            settings,
            Rate::PerSecond(200),
            "restart-alone",
            Suite::OURS,
            |record, _| {
                is_whole(record);
                assert!(
                    record.gap("restart") < Duration::from_secs(7),
                    "it hesitated: {record}"
                );
                assert!(
                    record.gap("and then") < Duration::from_secs(1),
                    "its writes were held: {record}"
                );
            },
        );
    }
}

#[test]
fn a_move_at_full_speed_loses_nothing() {
    play_at(
        Rate::Unlimited,
        "stop-keepalived",
        Suite::OURS,
        |record, _| {
            is_whole(record);
            assert!(
                record.fate.acknowledged > 20_000,
                "that was not full speed: {record}"
            );
        },
    );
}
