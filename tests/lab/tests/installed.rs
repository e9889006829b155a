//! What install.sh and the demo promise to whoever runs them.

use std::process::Command;
use std::time::Duration;

use lab::run::{Goal, Run, usual_lab};
use lab::suite::Suite;
use lab::trial::is_whole;
use lab::writer::Rate;

#[test]
fn installing_again_on_a_serving_pair_breaks_nothing() {
    let lab = usual_lab().expect("a lab can be set up (root?)");
    let mut run = Run::start(&lab, Suite::OURS, Rate::PerSecond(200)).expect("the pair comes up and serves");
    run.until_written(500).expect("the client writes");
    run.phase("again", Duration::from_secs(40), Goal::Serves(lab.a()), || Suite::OURS.install(&lab))
        .expect("install.sh runs again");
    let record = run.finish("install again").expect("all is read back");
    is_whole(&record);
    assert!(record.longest_gap() < Duration::from_millis(100), "it was noticed: {record}");
}

#[test]
fn the_demo_shows_a_failover_a_failback_and_the_count_of_lost_writes() {
    let out = Command::new(env!("CARGO_BIN_EXE_lab")).arg("demo").output().expect("it starts");
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{said}{}", String::from_utf8_lossy(&out.stderr));
    for part in [
        "redis-a: MASTER, redis master VIP",
        "kill -9 redis",
        "redis-b serves",
        "redis-b: MASTER, redis master VIP",
        "serves again",
        "acknowledged; read back now: 0 lost",
    ] {
        assert!(said.contains(part), "the demo did not say {part:?}:\n{said}");
    }
}
