//! A planned move by hand, with `keepalived-redis drain` and `resume`, while a client writes.

use std::sync::Arc;
use std::time::Duration;

use lab::host::Host;
use lab::redis_server;
use lab::run::{Goal, Run, usual_lab};
use lab::suite::Suite;
use lab::trial::is_whole;
use lab::wait;
use lab::writer::Rate;

const LIMIT: Duration = Duration::from_secs(40);
const PROGRAM: &str = "/usr/libexec/keepalived/keepalived-redis";

/// What it said, and its exit code.
fn by_hand(host: &Arc<Host>, arguments: &str) -> (Option<i32>, String) {
    let out = host
        .sh(&format!("{PROGRAM} {arguments} 2>&1"))
        .expect("a shell");
    (
        out.status.code(),
        String::from_utf8_lossy(&out.stdout).into_owned(),
    )
}

fn does(host: &Arc<Host>, arguments: &str, words: &str) {
    let (code, said) = by_hand(host, arguments);
    assert!(
        code == Some(0) && said.contains(words),
        "{arguments}: {code:?}: {said}"
    );
}

fn refuses(host: &Arc<Host>, arguments: &str, words: &str) {
    let (code, said) = by_hand(host, arguments);
    assert!(
        code == Some(1) && said.contains(words),
        "{arguments}: {code:?}: {said}"
    );
}

#[test]
fn a_drained_node_gives_the_vip_up_without_losing_a_write_and_stays_out_until_resumed() {
    let lab = usual_lab().expect("a lab can be set up (root?)");
    let (a, b) = (lab.a(), lab.b());
    let mut run =
        Run::start(&lab, Suite::OURS, Rate::PerSecond(200)).expect("the pair comes up and serves");
    does(a, "resume", "not drained");
    let drain = || {
        does(a, "drain", "serves now; this node stays out");
        Ok(())
    };
    run.phase("drain", LIMIT, Goal::Serves(b), drain)
        .expect("it is played");
    does(a, "drain --for 1h", "this node stays out");
    // Its data is in sync: but for the drain it would take the VIP back within three seconds.
    run.until_written(1000).expect("the client writes on");
    assert_eq!(lab.holders(), ["redis-b"], "a drained node took the VIP");
    run.phase("emergency", LIMIT, Goal::ServesAlone(a), || {
        redis_server::kill(b)
    })
    .expect("it is played");
    let back = || {
        redis_server::start(b)?;
        redis_server::until_up(b)
    };
    run.phase("out again", LIMIT, Goal::Serves(b), back)
        .expect("it is played");
    let resume = || {
        does(a, "resume", "resumed");
        Ok(())
    };
    run.phase("resume", LIMIT, Goal::Serves(a), resume)
        .expect("it is played");
    let record = run.finish("drain").expect("all is read back");
    is_whole(&record);
    assert!(record.gap("drain") < Duration::from_millis(500), "{record}");
    assert!(
        record.gap("resume") < Duration::from_millis(500),
        "{record}"
    );
}

#[test]
fn a_drain_moves_a_sticky_vip_too_and_is_refused_where_nobody_could_serve() {
    let lab = usual_lab().expect("a lab can be set up (root?)");
    let (a, b) = (lab.a(), lab.b());
    let mut run = Run::start(&lab, Suite::STICKY, Rate::PerSecond(200))
        .expect("the pair comes up and serves");
    redis_server::stop(b).expect("it stops");
    refuses(
        a,
        "drain",
        "no other node is ready to serve: 192.168.158.12:6379: connection refused; nothing was \
         done",
    );
    does(a, "resume", "not drained");
    redis_server::start(b).expect("it starts");
    wait::until("the pair is whole", LIMIT, || {
        lab.serves(a) && lab.follows(b)
    })
    .expect("it follows");
    let drain = || {
        does(a, "drain --for 20s", "serves now; this node stays out");
        Ok(())
    };
    run.phase("drain", LIMIT, Goal::Serves(b), drain)
        .expect("it is played");
    let journal = "/var/log/keepalived-redis/check-redis-status.log";
    let over = || {
        std::fs::read_to_string(a.file(journal))
            .is_ok_and(|text| text.contains("has ended by itself"))
    };
    wait::until("its time is over", LIMIT, over).expect("it ends by itself");
    does(a, "resume", "not drained");
    assert_eq!(lab.holders(), ["redis-b"], "a sticky VIP went back");
    let record = run.finish("drain").expect("all is read back");
    is_whole(&record);
    assert!(record.gap("drain") < Duration::from_millis(500), "{record}");
}
