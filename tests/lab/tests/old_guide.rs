//! The verification that the guides to the shell scripts end with, on a pair of ours; and the
//! scripts themselves, which the lab sees lose writes.

use std::time::Duration;

use lab::lab::Lab;
use lab::run::{bring_up, usual_lab};
use lab::suite::Suite;
use lab::trial::{after, play};
use lab::{redis_server, story, wait};

fn text(lab: &Lab, host: Option<&lab::host::Host>, command: &[&str]) -> String {
    lab.ask(host, command)
        .map_or_else(|e| format!("{e:#}"), |reply| reply.text())
}

#[test]
fn test01_and_test02_survive_a_failover_and_a_failback() {
    let lab = usual_lab().expect("a lab can be set up (root?)");
    bring_up(&lab, Suite::OURS).expect("the pair comes up");
    let (a, b) = (lab.a(), lab.b());
    let limit = Duration::from_secs(60);
    assert_eq!(
        lab.holders(),
        ["redis-a"],
        "the VIP is not on the preferred node"
    );
    assert_eq!(text(&lab, None, &["SET", "test01", "first"]), "OK");
    wait::until("test01 on redis-b", Duration::from_secs(5), || {
        text(&lab, Some(b), &["GET", "test01"]) == "first"
    })
    .expect("what is written on one node is on the other");

    redis_server::kill(a).expect("killed");
    wait::until("redis-b serves", limit, || lab.serves(b)).expect("the VIP moves");
    assert_eq!(text(&lab, None, &["GET", "test01"]), "first");
    assert_eq!(text(&lab, None, &["SET", "test02", "second"]), "OK");

    redis_server::start(a).expect("started");
    lab.until_serves(a, b, limit).expect("redis-a serves again");
    for key in [("test01", "first"), ("test02", "second")] {
        assert_eq!(
            text(&lab, None, &["GET", key.0]),
            key.1,
            "{} is gone",
            key.0
        );
        assert_eq!(
            text(&lab, Some(a), &["GET", key.0]),
            key.1,
            "{} is gone",
            key.0
        );
    }
    let told = story::render(&lab.told(false));
    let [replica, vip] = after(&told, "redis-a", "start redis", ["(connected)", "VIP"]);
    assert!(replica < vip, "redis-a took the VIP before it had the data");
}

#[test]
fn the_copied_shell_scripts_lose_acknowledged_writes() {
    play("kill-redis", Suite::Scripts, |record, _| {
        assert!(
            record.fate.acknowledged > 500,
            "hardly anything was written: {record}"
        );
        assert!(
            record.gap("failover") > Duration::from_secs(9),
            "not their sleep: {record}"
        );
        assert!(
            record.fate.lost.len() > 100,
            "the lab does not see what they lose: {record}"
        );
    });
}
