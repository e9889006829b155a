//! A short campaign: nothing that was acknowledged is lost without a file, and the campaign would
//! tell.

use lab::campaign::{Orders, campaign, plan};
use lab::clients::Kind;
use lab::redis_server::{Boot, Settings};
use lab::suite::Suite;

fn orders(seed: u64, faults: usize) -> Orders {
    let settings = Settings {
        boot: Boot::AsReplica,
        ..Settings::default()
    };
    let rounds = plan(seed, faults, settings);
    Orders {
        seed,
        rounds,
        wide: false,
        settings,
        suite: Suite::OURS,
        client: Kind::Adding,
        rate: 200,
        megabytes: 0,
        stop_at_first: true,
        timelines: false,
        record: None,
        keep_nothing: false,
    }
}

#[test]
fn overlapping_faults_lose_no_acknowledged_write_and_the_pair_settles() {
    let tally = campaign(&orders(11, 16), &|line| println!("{line}"))
        .expect("a campaign can be played (root?)");
    println!("{}", tally.summary());
    assert_eq!(tally.failures(), 0, "see above");
    assert!(
        tally
            .0
            .iter()
            .map(|outcome| outcome.acknowledged)
            .sum::<usize>()
            > 3000,
        "hardly anything was written"
    );
}

#[test]
fn without_rollback_files_the_campaign_finds_the_losses() {
    let mut orders = Orders {
        keep_nothing: true,
        ..orders(55, 20)
    };
    // A partition of 5 s, and nothing else: both sides accept writes, and one of them goes.
    orders.rounds.retain(|round| round.number == 5);
    assert!(
        orders.rounds[0].to_string().contains("partition of both"),
        "another plan: {}",
        orders.rounds[0]
    );
    let tally = campaign(&orders, &|_| ()).expect("a campaign can be played (root?)");
    let lost: usize = tally.0.iter().map(|outcome| outcome.lost).sum();
    // How many there are depends on the pace of the client and of the machine.
    assert!(
        lost > 10,
        "two masters for seconds, no file, and nothing lost?\n{}",
        tally.summary()
    );
}
