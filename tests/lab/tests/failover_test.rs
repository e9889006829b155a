//! `keepalived-redis failover-test` on real pairs: there and back with nothing lost, and nothing of
//! it left.

use std::sync::Arc;
use std::time::Duration;

use lab::host::Host;
use lab::redis_server;
use lab::run::{bring_up, usual_lab};
use lab::suite::Suite;
use lab::wait;

const LIMIT: Duration = Duration::from_secs(60);
const PROGRAM: &str = "/usr/libexec/keepalived/keepalived-redis";

fn tests(host: &Arc<Host>, arguments: &str) -> (Option<i32>, String) {
    let out = host
        .sh(&format!("{PROGRAM} failover-test {arguments} 2>&1"))
        .expect("a shell");
    (
        out.status.code(),
        String::from_utf8_lossy(&out.stdout).into_owned(),
    )
}

/// Neither a drain nor a key.
fn assert_nothing_is_left(host: &Arc<Host>, serving: &Host) {
    let drains = host
        .sh(&format!("{PROGRAM} resume"))
        .expect("a shell")
        .stdout;
    assert!(
        String::from_utf8_lossy(&drains).contains("not drained"),
        "a drain is left"
    );
    assert_eq!(
        redis_server::call(serving, &["DBSIZE"])
            .expect("Redis answers")
            .text(),
        "0",
        "keys are left"
    );
}

/// The columns of the line that begins with `phase`.
fn columns(said: &str, phase: &str) -> Vec<String> {
    let line = said
        .lines()
        .find(|line| line.starts_with(phase))
        .unwrap_or_else(|| panic!("no {phase}: {said}"));
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn a_test_goes_there_and_back_measures_it_and_leaves_nothing_behind() {
    let lab = usual_lab().expect("a lab can be set up (root?)");
    let (a, b) = (lab.a(), lab.b());
    bring_up(&lab, Suite::OURS).expect("the pair comes up and serves");
    for (host, arguments, why) in [
        (
            b,
            "--yes",
            "192.168.158.11:6379 holds the VIP: run it there",
        ),
        (a, "", "give --yes"),
    ] {
        let (code, said) = tests(host, arguments);
        assert!(code == Some(1) && said.contains(why), "{code:?}: {said}");
    }
    assert_eq!(
        redis_server::call(a, &["DBSIZE"])
            .expect("Redis answers")
            .text(),
        "0",
        "it was refused"
    );
    let (code, said) = tests(a, "--yes");
    assert_eq!(code, Some(0), "{said}");
    for phase in ["before", "there", "back"] {
        let columns = columns(&said, phase);
        let acknowledged: u32 = columns[5].parse().expect("a number");
        assert!(acknowledged > 100 && columns[6..] == ["0"], "{said}");
        assert!(
            columns[4] == "ms" && columns[3].parse::<u32>().expect("a number") < 1000,
            "{said}"
        );
    }
    assert!(
        said.contains("there and back") && said.contains("failover test: "),
        "{said}"
    );
    lab.until_serves(a, b, LIMIT).expect("all is as it was");
    assert_nothing_is_left(a, a);
    // Ended in the middle: the drain and the keys go all the same, and the VIP comes back.
    let test = format!("{PROGRAM} failover-test --yes > /tmp/said 2>&1; echo $? > /tmp/code");
    a.spawn("sh", &["-c", &test]).expect("it starts");
    wait::until("the VIP moves", LIMIT, || lab.holders() == ["redis-b"]).expect("it moves");
    a.sh("pkill -INT -f '[f]ailover-test --yes$'")
        .expect("a shell");
    wait::until("it ends", LIMIT, || a.file("/tmp/code").exists()).expect("it ends");
    let said = std::fs::read_to_string(a.file("/tmp/said")).expect("readable");
    assert!(
        said.contains("ended by a signal") && said.contains("not reached"),
        "{said}"
    );
    lab.until_serves(a, b, LIMIT).expect("all is as it was");
    assert_nothing_is_left(a, a);
}

#[test]
fn in_a_sticky_pair_a_test_says_where_the_way_back_is_to_be_tested() {
    let lab = usual_lab().expect("a lab can be set up (root?)");
    let (a, b) = (lab.a(), lab.b());
    bring_up(&lab, Suite::STICKY).expect("the pair comes up and serves");
    let (code, said) = tests(a, "--yes --rate 50");
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("the VIP stays at 192.168.158.12:6379")
            && said.contains("failover-test there"),
        "{said}"
    );
    assert_eq!(columns(&said, "there")[6..], ["0"], "{said}");
    lab.until_serves(b, a, LIMIT).expect("b serves");
    assert_nothing_is_left(a, b);
    let (code, said) = tests(b, "--yes");
    assert!(
        code == Some(0) && said.contains("the VIP stays at 192.168.158.11:6379"),
        "{said}"
    );
}
