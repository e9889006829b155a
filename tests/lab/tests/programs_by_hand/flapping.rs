//! A Redis that dies again and again does not draw the VIP to and fro.

use lab::redis_server;
use lab::wait;

use crate::pair::{Pair, SOON, Version, journal, until_on_disk};
use crate::runs::{run, start};

fn dies_once(pair: &Pair) {
    redis_server::kill(pair.b()).expect("killed");
    let before = journal(pair.b())
        .lines()
        .filter(|line| line.contains("has died"))
        .count();
    let mut fault = start(pair.b(), "redis_fault");
    let said = || {
        journal(pair.b())
            .lines()
            .filter(|line| line.contains("has died"))
            .count()
            > before
    };
    wait::until("the death is counted", SOON, said)
        .unwrap_or_else(|e| panic!("{e}\n{}", pair.story()));
    pair.start_redis(pair.b());
    assert_eq!(fault.until_ended(3 * SOON), Some(0), "{}", pair.story());
    assert_eq!(run(pair.b(), "check_redis", &[]).code, Some(0));
}

#[test]
fn three_deaths_hold_a_node_back_while_the_other_is_well_until_a_person_says_that_it_is_mended() {
    let pair = Pair::new(Version::Own);
    assert_eq!(run(pair.b(), "check_redis", &[]).code, Some(0));
    let eligible = || run(pair.b(), "check_redis", &["--eligible", "-v"]);
    for _ in 0..2 {
        dies_once(&pair);
        assert_eq!(eligible().code, Some(0), "{}", pair.story());
    }
    dies_once(&pair);
    let ran = eligible();
    assert_eq!(ran.code, Some(1), "{}", ran.said);
    assert!(ran.said.contains("died again and again"), "{}", ran.said);
    assert!(
        journal(pair.b()).contains("ALARM: the local Redis has died, 3 times within 10m"),
        "{}",
        pair.story()
    );

    // Never at the price of having no master.
    redis_server::kill(pair.a()).expect("killed");
    assert_eq!(eligible().code, Some(0), "nobody else lives");
    pair.start_redis(pair.a());
    pair.until_linked(pair.b());
    assert_eq!(eligible().code, Some(1));

    let ran = run(pair.b(), "check_redis", &["--forget-failures"]);
    assert_eq!(
        (ran.code, ran.said.trim()),
        (Some(0), "check_redis: forgot 3 failures of the local Redis")
    );
    assert_eq!(eligible().code, Some(0), "{}", pair.story());
}

#[test]
fn a_planned_restart_and_the_time_before_redis_is_up_are_no_failures() {
    let pair = Pair::with(Version::Own, "[flap]\ncount = 2");
    for _ in 0..3 {
        assert_eq!(run(pair.b(), "check_redis", &[]).code, Some(0));
        run(pair.b(), "redis_stop", &[]);
        until_on_disk(pair.b());
        redis_server::stop(pair.b()).expect("stopped");
        // keepalived is started before Redis.
        assert_eq!(run(pair.b(), "check_redis", &[]).code, Some(1));
        let mut fault = start(pair.b(), "redis_fault");
        wait::until("in FAULT", SOON, || {
            journal(pair.b()).contains("connection refused")
        })
        .expect("it says so");
        pair.start_redis(pair.b());
        fault.until_ended(3 * SOON);
    }
    assert_eq!(
        run(pair.b(), "check_redis", &["--eligible"]).code,
        Some(0),
        "{}",
        pair.story()
    );
}

#[test]
fn a_quick_restart_that_no_check_noticed_counts_too() {
    let pair = Pair::with(Version::Own, "[flap]\ncount = 2");
    assert_eq!(run(pair.b(), "check_redis", &[]).code, Some(0));
    for _ in 0..2 {
        redis_server::kill(pair.b()).expect("killed");
        pair.start_redis(pair.b());
        pair.until_linked(pair.b());
        run(pair.b(), "check_redis", &[]);
    }
    let ran = run(pair.b(), "check_redis", &["--eligible", "-v"]);
    assert_eq!(ran.code, Some(1), "{}\n{}", ran.said, pair.story());
}
