//! A pair whose addresses are all of IPv6, and one whose programs reach the Redis beside them by a
//! unix socket: each fails over, fails back and hands over as a pair of IPv4 addresses does.

use std::time::Duration;

use lab::redis_server::{Family, Local, SOCKET, Settings};
use lab::suite::Suite;
use lab::trial::{Trial, is_whole, play_on};
use lab::writer::Rate;

fn tour(settings: Settings) -> Trial {
    play_on(
        settings,
        Rate::PerSecond(200),
        "tour",
        Suite::OURS,
        |record, _| {
            is_whole(record);
            assert!(
                record.gap("failover") < Duration::from_millis(3500),
                "{record}"
            );
            for phase in ["failback", "handover"] {
                assert!(record.gap(phase) < Duration::from_secs(1), "{record}");
            }
        },
    )
}

#[test]
fn a_pair_of_ipv6_alone_fails_over_and_back_and_hands_over() {
    let trial = tour(Settings {
        family: Family::V6,
        ..Settings::DEFAULT
    });
    assert!(
        trial
            .story
            .contains("took the role over from [fd00:158::c]:6379"),
        "{}",
        trial.story
    );
}

#[test]
fn a_local_redis_behind_a_unix_socket_fails_over_and_back_and_hands_over() {
    let trial = tour(Settings {
        local: Local::Socket,
        ..Settings::DEFAULT
    });
    assert!(
        trial
            .story
            .contains(&format!("[Check] ok: unix:{SOCKET}: alive")),
        "{}",
        trial.story
    );
}
