//! The notify programs beside nodes that talk rubbish, and with memory and configuration damaged
//! while they work.

use std::time::Duration;

use lab::host::Host;
use lab::redis_server;
use lab::wait;

use super::{Impostor, Peer, drips, endless, says};
use crate::pair::{CONFIG, MEMORY, Pair, SOON, Version, ask, info, journal};
use crate::runs::{run, start};

/// INFO of a master with everything in it but sense.
fn wrong_info(stream: std::net::TcpStream, over: &std::sync::atomic::AtomicBool) {
    let info = "redis_version:7.0.15\r\nrun_id:0123456789abcdef0123456789abcdef01234567\r\nrole:master\r\n\
                master_replid:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nmaster_repl_offset:-99999999999999999999\r\n\
                db0:keys=99999999999999999999,expires=-1\r\n";
    let text = format!("${}\r\n{info}\r\n", info.len()).repeat(6);
    says(stream, over, format!("+OK\r\n{text}").as_bytes());
}

#[test]
fn a_node_that_answers_with_nonsense_is_promoted_over_and_never_followed() {
    let peers: [(&str, Peer); 3] = [
        ("drips", drips),
        ("a wrong INFO", wrong_info),
        ("no end", |stream, over| endless(stream, over, b"*1\r\n")),
    ];
    for (what, peer) in peers {
        let pair = Pair::new(Version::Own);
        let (a, b) = (pair.a(), pair.b());
        ask(a, &["SET", "kept", "1"]);
        wait::until("it is replicated", SOON, || {
            ask(b, &["GET", "kept"]).text() == "1"
        })
        .expect("a replica");
        assert_eq!(
            run(b, "check_redis", &["--eligible"]).code,
            Some(0),
            "{what}"
        );
        redis_server::kill(a).expect("killed");
        let _impostor = Impostor::start(a, peer);
        pair.vip(b);
        let ran = run(b, "redis_master", &[]);
        assert_eq!(ran.code, Some(0), "{what}: {}\n{}", ran.said, pair.story());
        assert_eq!(info(b, "role").as_deref(), Some("master"), "{what}");
        // It holds the VIP now, as far as anybody can see.
        pair.vip(a);
        let mut backup = start(b, "redis_backup");
        let waits = || {
            journal(b)
                .lines()
                .any(|line| line.contains("[Backup] waiting:"))
        };
        wait::until("redis_backup waits", SOON, waits)
            .unwrap_or_else(|error| panic!("{what}: {error}\n{}", pair.story()));
        // Longer than the grace, after which things are done without the other node.
        let followed = wait::until("it follows", Duration::from_secs(7), || {
            info(b, "role").as_deref() != Some("master")
        });
        assert!(
            followed.is_err() && backup.is_at_work(),
            "{what}: {}",
            pair.story()
        );
        assert_eq!(ask(b, &["GET", "kept"]).text(), "1", "{what}");
    }
}

/// Both programs run to their end, and the role follows the VIP.
fn moves(pair: &Pair, to: &Host, what: &str) {
    pair.vip(to);
    let ran = run(to, "redis_master", &[]);
    assert_eq!(ran.code, Some(0), "{what}: {}\n{}", ran.said, pair.story());
    let ran = run(pair.other(to), "redis_backup", &[]);
    assert_eq!(ran.code, Some(0), "{what}: {}\n{}", ran.said, pair.story());
    pair.until_serves(to);
}

#[test]
fn a_memory_that_is_damaged_again_and_again_holds_up_no_move_of_the_role() {
    let pair = Pair::new(Version::Own);
    moves(&pair, pair.b(), "a healthy memory");
    let damage = format!(
        "cd {MEMORY} && while [ ! -e /tmp/over ]; do \
             for f in $(ls) served.toml synced.toml alone.toml turn acting copy-delay.toml \
             in-file.toml; do \
                 head -c 300 /dev/urandom >$f; done; done"
    );
    for host in [pair.a(), pair.b()] {
        host.spawn("sh", &["-c", &damage]).expect("a shell");
    }
    for round in ["once", "twice", "three times"] {
        moves(&pair, pair.a(), round);
        assert_eq!(pair.write_through_vip(round), "OK");
        moves(&pair, pair.b(), round);
    }
    for host in [pair.a(), pair.b()] {
        host.write("/tmp/over", "", 0o600).expect("written");
    }
    assert_eq!(
        info(pair.b(), "db0")
            .and_then(|db0| db0.split(',').next().map(str::to_owned))
            .as_deref(),
        Some("keys=3")
    );
    moves(&pair, pair.a(), "a memory that is left alone again");
}

#[test]
fn a_configuration_of_random_bytes_is_an_alarm_and_the_last_good_one_goes_on() {
    let pair = Pair::new(Version::Own);
    for host in [pair.a(), pair.b()] {
        assert_eq!(run(host, "check_redis", &[]).code, Some(0));
    }
    for (round, to) in [("once", pair.b()), ("twice", pair.a())] {
        for host in [pair.a(), pair.b()] {
            host.sh(&format!("head -c 500 /dev/urandom >{CONFIG}"))
                .expect("a shell");
            for question in [&["-v"][..], &["-v", "--eligible"]] {
                let ran = run(host, "check_redis", question);
                assert!(
                    ran.code == Some(0) && ran.said.contains("ALARM"),
                    "{question:?}: {}",
                    ran.said
                );
                assert!(
                    ran.said.lines().count() == 1 && !ran.said.trim().contains(char::is_control),
                    "{:?}",
                    ran.said
                );
            }
        }
        moves(&pair, to, round);
        for host in [pair.a(), pair.b()] {
            let journal = journal(host);
            assert!(
                journal.contains("ALARM") && !journal.contains('\u{fffd}'),
                "{}",
                pair.story()
            );
        }
    }
}
