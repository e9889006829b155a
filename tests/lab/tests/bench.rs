//! The benchmarks measure what they say. How long things take is not judged here: other tests run
//! at the same time.

use std::time::Duration;

use lab::bench::check;
use lab::bench::runner;
use lab::bench::sentinels::Sentinels;

#[test]
fn the_check_costs_less_than_the_line_that_everybody_copies() {
    let beside = runner::beside().expect("the floor was built with the lab");
    let sides =
        check::measure(20, &beside, &|_| ()).expect("all commands say yes (root? LAB_BIN_DIR?)");
    let [ours, eligible, shell, cli, floor] = sides.as_slice() else {
        panic!("not five sides: {sides:?}")
    };
    for side in &sides {
        assert!(
            side.wall.count() == 20 && side.cpu.count() == 20,
            "runs are missing: {side:?}"
        );
        assert!(
            side.cpu.median() > 0.0 && side.peak > 0,
            "nothing was measured: {side:?}"
        );
    }
    for (ours, theirs) in [(ours, shell), (eligible, shell), (ours, cli)] {
        assert!(
            ours.cpu.median() < theirs.cpu.median(),
            "more CPU than what it replaces: {ours:?} {theirs:?}"
        );
    }
    assert!(
        floor.cpu.median() < shell.cpu.median(),
        "the floor is none: {floor:?} {shell:?}"
    );
}

#[test]
fn a_client_of_sentinel_finds_the_new_master() {
    let mut pair =
        Sentinels::new(Duration::from_millis(200)).expect("three sentinels know the pair (root?)");
    let before = pair.roles().expect("one master").0.name.clone();
    let outcome = pair
        .crash()
        .expect("the other one is promoted, and the dead one follows it");
    let after = pair.roles().expect("one master").0.name.clone();
    assert_ne!(before, after, "the dead one is master again: {outcome:?}");
    assert!(
        outcome.gap > Duration::from_millis(100),
        "no gap was seen: {outcome:?}"
    );
    assert!(
        outcome.acknowledged > 100,
        "hardly anything was written: {outcome:?}"
    );
    assert!(
        outcome.lost * 10 < outcome.acknowledged,
        "it lost what it had long had: {outcome:?}"
    );
}
