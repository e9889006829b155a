//! The versions of Redis, and Valkey: each fails over, fails back and hands over, and nothing
//! acknowledged is lost. The table of them is `lab matrix`.

use std::time::Duration;

use lab::lab::Lab;
use lab::redis_server::{self, Settings};
use lab::server::Server;
use lab::suite::Suite;
use lab::trial::{self, is_whole};
use lab::writer::Rate;

fn tour(server: Server) {
    let settings = Settings {
        server,
        ..Settings::DEFAULT
    };
    trial::play_on(
        settings,
        Rate::PerSecond(200),
        "tour",
        Suite::OURS,
        |record, story| {
            is_whole(record);
            assert!(
                record.gap("failover") < Duration::from_millis(3500),
                "{record}"
            );
            for phase in ["failback", "handover"] {
                assert!(record.gap(phase) < Duration::from_secs(1), "{record}");
            }
            // What came back had been master, and its server's files have to be read to be sure of
            // one.
            assert!(story.contains("kept the local data in "), "{story}");
        },
    );
}

#[test]
fn redis_5_fails_over_and_back_and_hands_over() {
    tour(Server::Redis5);
}

#[test]
fn redis_6_2_fails_over_and_back_and_hands_over() {
    tour(Server::Redis6);
}

#[test]
fn redis_8_2_fails_over_and_back_and_hands_over() {
    tour(Server::Redis8);
}

#[test]
fn valkey_8_1_fails_over_and_back_and_hands_over() {
    tour(Server::Valkey8);
}

/// The machine's own is what all other tests run on.
#[test]
fn what_a_host_runs_is_the_server_that_was_asked_for() {
    for (server, version) in [(Server::Redis5, "v=5.0.6 "), (Server::Valkey8, "v=8.1.8 ")] {
        let lab = Lab::new(Settings {
            server,
            ..Settings::DEFAULT
        })
        .expect("a lab can be set up (root?)");
        redis_server::start(lab.a()).expect("it starts");
        redis_server::until_up(lab.a()).expect("it is up");
        let said = lab
            .a()
            .sh("/proc/$(pgrep -f redis-server | head -n 1)/exe --version")
            .expect("a shell");
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.contains(version), "{server}: {said}");
    }
}
