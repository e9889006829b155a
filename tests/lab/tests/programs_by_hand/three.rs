//! Three nodes, of which some do not answer: whose data is believed, and what is waited for.

use lab::redis_server;
use lab::wait;

use crate::pair::{Pair, SOON, Version, ask, info, journal};
use crate::runs::{run, start};

/// b has not got the last keys of a that c has, and a is dead; what b knows of its own worth is
/// from before.
fn behind(pair: &Pair) {
    let [a, b, c] = [0, 1, 2].map(|index| &*pair.lab.hosts[index]);
    pair.lab.cut_between(a, b, true).expect("cut");
    for number in 0..50 {
        ask(a, &["SET", &format!("only-on-c:{number}"), "1"]);
    }
    let arrived = || ask(c, &["EXISTS", "only-on-c:49"]).text() == "1";
    wait::until("c has all", SOON, arrived).expect("replication works");
    // They stay cut off: the kernel of a would still send b what the killed Redis had written.
    redis_server::kill(a).expect("killed");
    assert_eq!(
        ask(b, &["EXISTS", "only-on-c:0"]).text(),
        "0",
        "b was not cut off"
    );
}

#[test]
fn a_second_node_with_less_than_the_third_gets_that_first_and_then_serves() {
    let pair = Pair::three(Version::Own);
    assert_eq!(run(pair.b(), "check_redis", &["--eligible"]).code, Some(0));
    behind(&pair);
    pair.vip(pair.b());
    let ran = run(pair.b(), "redis_master", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    for said in [
        "made 192.168.158.14:6379 master until we have its data",
        "took the role over from 192.168.158.14:6379",
    ] {
        assert!(ran.said.contains(said), "{}", ran.said);
    }
    assert_eq!(
        ask(pair.b(), &["EXISTS", "only-on-c:0", "only-on-c:49"]).text(),
        "2",
        "{}",
        ran.said
    );
    assert_eq!(pair.write_through_vip("after"), "OK");
    let c = &pair.lab.hosts[2];
    assert_eq!(
        info(c, "master_host").as_deref(),
        Some("192.168.158.12"),
        "{}",
        pair.story()
    );
}

#[test]
fn where_nothing_is_known_one_that_does_not_answer_is_waited_for_although_another_does() {
    let pair = Pair::three(Version::Own);
    for host in &pair.lab.hosts[1..] {
        // As after a cold start: they follow nobody, and remember nothing.
        ask(host, &["SLAVEOF", "127.0.0.1", "1"]);
    }
    ask(pair.a(), &["SET", "newest", "1"]);
    redis_server::kill(pair.a()).expect("killed");
    pair.vip(pair.b());
    let mut master = start(pair.b(), "redis_master");
    let waits =
        || journal(pair.b()).contains("192.168.158.11:6379 does not answer, and nothing is known");
    wait::until("it waits", SOON, waits)
        .unwrap_or_else(|error| panic!("{error}\n{}", pair.story()));
    pair.start_redis(pair.a());
    assert_eq!(master.until_ended(SOON), Some(0), "{}", pair.story());
    assert_eq!(
        info(pair.b(), "role").as_deref(),
        Some("master"),
        "{}",
        pair.story()
    );
    assert_eq!(
        ask(pair.b(), &["EXISTS", "newest"]).text(),
        "1",
        "{}",
        pair.story()
    );
}

/// How long after its start redis_master had moved the role, in milliseconds.
fn since_start(said: &str) -> f64 {
    let found = said
        .split("since_start_ms=")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    found.unwrap_or_else(|| panic!("the role was not moved: {said}"))
}

#[test]
fn a_third_node_that_is_off_costs_one_connection_and_no_more() {
    let pair = Pair::three(Version::Own);
    pair.lab.hosts[2].power_off().expect("power");
    let mut moves = Vec::new();
    for to in [pair.b(), pair.a(), pair.b()] {
        pair.vip(to);
        let ran = run(to, "redis_master", &[]);
        assert!(ran.said.contains("took the role over from"), "{}", ran.said);
        moves.push(since_start(&ran.said));
        pair.until_serves(to);
    }
    // timing.connect is 150 ms; the quickest, for a machine may stand still for a moment.
    let quickest = moves.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(quickest < 250.0, "{moves:?}");
    assert_eq!(run(pair.a(), "check_redis", &["--eligible"]).code, Some(0));
    redis_server::kill(pair.b()).expect("killed");
    pair.vip(pair.a());
    let ran = run(pair.a(), "redis_master", &[]);
    assert!(
        ran.said
            .contains("promoted: in sync when the master went away"),
        "{}",
        ran.said
    );
    assert!(since_start(&ran.said) < 600.0, "{}", ran.said);
}

#[test]
fn the_role_is_given_to_a_holder_of_the_vip_without_a_program_and_the_third_follows_it() {
    let pair = Pair::three(Version::Own);
    pair.vip(pair.b());
    let ran = run(pair.a(), "redis_backup", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(
        ran.said
            .contains("made 192.168.158.14:6379 a replica of 192.168.158.12:6379, too"),
        "{}",
        ran.said
    );
    pair.until_serves(pair.b());
    pair.until_linked(&pair.lab.hosts[2]);
    assert_eq!(
        info(pair.b(), "sync_full").as_deref(),
        Some("0"),
        "a full copy was needed\n{}",
        pair.story()
    );
    let conf = std::fs::read_to_string(pair.lab.hosts[2].file("/etc/redis/redis.conf"))
        .expect("redis.conf");
    assert!(
        conf.contains("replicaof 192.168.158.12 6379"),
        "the third would start in its old role: {conf}"
    );
}
