//! What install.sh and the demo promise to whoever runs them.

use std::process::Command;
use std::time::Duration;

use lab::run::{Goal, Run, usual_lab};
use lab::suite::Suite;
use lab::trial::is_whole;
use lab::writer::Rate;
use lab::{keepalived, redis_server, wait};

const LIMIT: Duration = Duration::from_secs(40);

#[test]
fn installing_again_on_a_serving_pair_breaks_nothing() {
    let lab = usual_lab().expect("a lab can be set up (root?)");
    let mut run = Run::start(&lab, Suite::OURS, Rate::PerSecond(200)).expect("the pair comes up and serves");
    run.until_written(500).expect("the client writes");
    run.phase("again", Duration::from_secs(40), Goal::Serves(lab.a()), || Suite::OURS.install(&lab))
        .expect("install.sh runs again");
    let record = run.finish("install again").expect("all is read back");
    is_whole(&record);
    assert!(record.longest_gap() < Duration::from_millis(300), "it was noticed: {record}");
}

#[test]
fn with_stop_keepalived_a_failed_node_stays_out_until_a_person_brings_it_back() {
    let lab = usual_lab().expect("a lab can be set up (root?)");
    let (a, b) = (lab.a(), lab.b());
    let mut run = Run::start(&lab, Suite::OURS, Rate::PerSecond(200)).expect("the pair comes up and serves");
    let edit = "sed -i 's|check_redis\"|check_redis --stop-keepalived\"|' /etc/keepalived/keepalived.conf &&
        grep -q stop-keepalived /etc/keepalived/keepalived.conf && keepalived -t && kill -HUP $(cat /run/keepalived.pid)";
    let edited = a.sh(edit).expect("a shell");
    assert!(edited.status.success(), "{}", String::from_utf8_lossy(&edited.stderr));
    run.phase("failover", LIMIT, Goal::ServesAlone(b), || redis_server::kill(a)).expect("it is played");
    wait::until("keepalived is stopped where Redis died", LIMIT, || !keepalived::runs(a)).expect("it stops");
    redis_server::start(a).expect("Redis starts");
    redis_server::until_up(a).expect("Redis is up");
    run.until_written(1000).expect("the client writes on");
    assert!(!keepalived::runs(a), "nobody but a person starts it again");
    assert_eq!(lab.holders(), ["redis-b"]);
    run.phase("back", LIMIT, Goal::Serves(a), || Suite::OURS.start_keepalived(a)).expect("it is played");
    is_whole(&run.finish("stop-keepalived").expect("all is read back"));
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
