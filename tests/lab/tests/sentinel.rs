//! Clusters that Sentinel looks after, with keepalived and our programs as install.sh sets them up,
//! and a client on the VIP. Each scenario ends with a quiet time, longer than Sentinel needs to put
//! right what it does not like: nothing may move.

use std::sync::Mutex;
use std::time::Duration;

use lab::cluster::played::Played;
use lab::cluster::scenario::{self, Terms};
use lab::cluster::{Cluster, Profile, Setup, Shape};
use lab::sentinel::server;

/// Sentinel's own repairs take 8 to 11 s (R22).
const QUIET: Duration = Duration::from_secs(15);
const RATE: u32 = 500;
/// Where a death is only waited for.
const SOON: Duration = Duration::from_secs(2);

fn play(name: &str, setup: Setup) -> Played {
    let scenario = scenario::named(name).expect("the scenario exists");
    let cluster = Cluster::boot(scenario.setup(setup)).unwrap_or_else(|e| panic!("{name}: {e:#}"));
    let played = scenario.run(
        &cluster,
        Terms {
            rate: RATE,
            long: QUIET,
            seed: 0,
        },
        &Mutex::new(()),
    );
    let played = played.unwrap_or_else(|e| panic!("{name}: {e:#}"));
    println!("{played}");
    assert!(played.failures().is_empty(), "{played}");
    let client = played.side("client").expect("the client wrote");
    assert!(
        client.acknowledged > 1000,
        "hardly anything was written: {played}"
    );
    if setup.profile != Profile::Alone {
        assert!(
            client.lost.is_empty(),
            "acknowledged writes are lost: {played}"
        );
    }
    played
}

fn on(shape: Shape, profile: Profile) -> Setup {
    Setup {
        shape,
        profile,
        ..Setup::default()
    }
}

/// On three hosts, with a short down-after: what is tried is not how long a death takes to be seen.
fn three(name: &str, profile: Profile) -> Played {
    let terms = server::Terms {
        down_after: SOON,
        ..server::Terms::default()
    };
    play(
        name,
        Setup {
            terms,
            ..on(Shape::Three, profile)
        },
    )
}

/// The same, and no write had to go to a file.
fn whole(name: &str, profile: Profile) -> Played {
    let played = three(name, profile);
    assert!(
        played
            .side("client")
            .is_some_and(|fate| fate.in_files.is_empty()),
        "writes had to go to a file: {played}"
    );
    played
}

#[test]
fn sentinel_alone_loses_what_was_written_while_two_were_masters() {
    let played = play(
        "planned-move",
        Setup {
            deaf: true,
            ..on(Shape::Witness, Profile::Alone)
        },
    );
    let lost = played.side("client").map_or(0, |fate| fate.lost.len());
    // How many goes by how soon the client leaves the old master: a single answer that comes late
    // sends it to the sentinels for a new address.
    assert!(
        lost > 100,
        "the lab sees no loss where one is certain: {played}"
    );
}

#[test]
fn sentinel_alone_promotes_when_a_host_is_lost_and_demotes_it_when_it_is_back() {
    let played = play("host-lost", on(Shape::Witness, Profile::Alone));
    assert!(
        played.gap("failover") > Duration::from_secs(5),
        "before down-after: {played}"
    );
}

mod ours {
    use super::*;

    #[test]
    fn a_planned_move_loses_nothing_and_takes_less_than_a_second_and_a_half() {
        let login = server::Terms {
            password: Some("of-the-sentinels"),
            ..server::Terms::default()
        };
        let with_a_password = Setup {
            terms: login,
            ..on(Shape::Witness, Profile::Fast)
        };
        for setup in [on(Shape::Three, Profile::Plain), with_a_password] {
            let played = play("planned-move", setup);
            assert!(played.gap("move") < Duration::from_millis(1500), "{played}");
            assert!(
                played.gap("start") < Duration::from_secs(1),
                "clients noticed: {played}"
            );
            assert!(
                played
                    .side("client")
                    .is_some_and(|fate| fate.in_files.is_empty()),
                "{played}"
            );
        }
    }

    #[test]
    fn what_an_application_writes_to_the_old_masters_own_address_is_not_lost_in_a_planned_move() {
        let played = play("planned-move-seen", on(Shape::Three, Profile::Fast));
        let direct = played.side("direct").expect("it wrote");
        assert!(
            direct.acknowledged > 500 && direct.lost.is_empty() && direct.in_files.is_empty(),
            "{played}"
        );
    }

    #[test]
    fn a_drained_node_hands_the_role_on_and_stays_out() {
        let played = whole("drain", Profile::Plain);
        assert!(
            played.gap("drain") < Duration::from_millis(1500),
            "{played}"
        );
    }

    #[test]
    fn a_planned_move_beside_an_ex_master_that_is_not_yet_demoted_loses_nothing() {
        whole("move-beside-ex-master", Profile::Plain);
    }

    #[test]
    fn valkey_and_its_sentinel_are_moved_like_redis() {
        let setup = Setup {
            valkey: true,
            ..on(Shape::Three, Profile::Plain)
        };
        let played = play("planned-move", setup);
        assert!(played.gap("move") < Duration::from_millis(1500), "{played}");
        assert!(
            played
                .side("client")
                .is_some_and(|fate| fate.in_files.is_empty()),
            "{played}"
        );
    }

    #[test]
    fn a_dead_redis_is_replaced_before_sentinel_calls_it_down_and_nothing_moves_when_it_is_back() {
        for (shape, profile) in [
            (Shape::Three, Profile::Fast),
            (Shape::Witness, Profile::Plain),
        ] {
            let played = play("redis-dies", on(shape, profile));
            assert!(
                played.gap("failover") < Duration::from_millis(4500),
                "no sooner than Sentinel alone: {played}"
            );
            assert!(
                played.gap("back") < Duration::from_secs(1),
                "clients noticed: {played}"
            );
        }
    }

    #[test]
    fn a_lost_host_is_replaced_and_nothing_moves_when_it_is_back() {
        for (shape, profile) in [
            (Shape::Three, Profile::Plain),
            (Shape::Witness, Profile::Fast),
        ] {
            let played = play("host-lost", on(shape, profile));
            assert!(
                played.gap("back") < Duration::from_secs(1),
                "clients noticed: {played}"
            );
        }
    }

    #[test]
    fn a_killed_keepalived_loses_nothing_whether_it_is_started_again_or_not() {
        whole("keepalived-dies", Profile::Plain);
        whole("keepalived-stays-dead", Profile::Fast);
    }

    #[test]
    fn redis_and_keepalived_that_die_together_are_replaced() {
        three("both-die", Profile::Plain);
    }

    #[test]
    fn what_the_majority_acknowledged_stands_and_what_the_minority_did_is_in_a_file() {
        let played = three("minority", Profile::Plain);
        let minority = played
            .side("minority")
            .expect("an application wrote beside the client");
        assert!(minority.lost.is_empty(), "discarded silently: {played}");
    }

    #[test]
    fn a_replica_that_was_cut_off_or_stood_still_takes_nothing_away_from_the_master() {
        for profile in [Profile::Plain, Profile::Fast] {
            whole("replica-cut-off", profile);
            whole("replica-freezes", profile);
        }
    }

    #[test]
    fn a_client_that_reaches_both_sides_finds_every_write_again() {
        three("minority-seen", Profile::Fast);
    }

    #[test]
    fn a_node_that_reaches_two_of_three_takes_over() {
        three("half-blind", Profile::Plain);
    }

    #[test]
    fn the_vip_stays_while_all_sentinels_are_silent_and_all_is_well() {
        let hung = whole("sentinels-hang", Profile::Fast);
        let dead = whole("sentinels-die", Profile::Plain);
        for played in [hung, dead] {
            assert!(
                played.gap("silence") < Duration::from_secs(1),
                "clients noticed: {played}"
            );
        }
    }

    #[test]
    fn the_vip_is_given_up_while_all_sentinels_are_silent_where_that_is_asked_for() {
        whole("sentinels-hang-release", Profile::Plain);
    }

    #[test]
    fn a_redis_that_dies_while_the_sentinels_mistrust_their_clocks_is_replaced_after_that() {
        // Not with a shorter down-after: to Sentinel a replica without a link for ten times that is
        // none (R30).
        play("tilt", on(Shape::Three, Profile::Plain));
    }

    #[test]
    fn a_flapping_keepalived_and_a_flapping_redis_end_with_one_master_where_the_vip_is() {
        whole("flapping", Profile::Plain);
        three("redis-flaps", Profile::Fast);
    }
}
