//! Starts from cold, and peers that are not ready yet.

use std::time::Duration;

use lab::redis_server;
use lab::wait;

use crate::pair::{Pair, SOON, Version, ask, info, journal};
use crate::runs::{run, start};

/// b is older: it was off while a took more writes. Both lose power; a takes seconds to load its
/// data.
fn older_b_beside_a_loading_a(delay: &str) -> Pair {
    let pair = Pair::new(Version::Own);
    for chunk in 0..10 {
        let script = format!("for i=1,2000 do redis.call('set','k{chunk}:'..i,'x') end");
        ask(pair.a(), &["EVAL", &script, "0"]);
    }
    let same = || info(pair.b(), "slave_repl_offset") == info(pair.a(), "master_repl_offset");
    wait::until("b has it all", SOON, same).expect("b has it all");
    redis_server::kill(pair.b()).expect("killed");
    assert_eq!(ask(pair.a(), &["SET", "newest", "1"]).text(), "OK");
    wait::until("on disk", SOON, || {
        info(pair.a(), "aof_pending_bio_fsync").as_deref() == Some("0")
    })
    .expect("synced");
    redis_server::kill(pair.a()).expect("killed");
    pair.start_redis(pair.b());
    pair.a()
        .sh(&format!(
            "echo 'key-load-delay {delay}' >> /etc/redis/redis.conf"
        ))
        .expect("slow to load");
    pair.boot_redis(pair.a());
    wait::until("it loads", SOON, || {
        info(pair.a(), "loading").as_deref() == Some("1")
    })
    .expect("it loads");
    pair
}

#[test]
fn a_peer_that_is_loading_newer_data_is_waited_for() {
    let pair = older_b_beside_a_loading_a("150");
    pair.vip(pair.b());
    let ran = run(pair.b(), "redis_master", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    let newest = pair
        .lab
        .ask(None, &["GET", "newest"])
        .expect("the VIP answers")
        .text();
    assert_eq!(
        newest,
        "1",
        "older data serves, and the newer was just being loaded\n{}",
        pair.story()
    );
    let lines = journal(pair.b()).lines().count();
    assert!(lines < 20, "{lines} lines in the journal\n{}", pair.story());
}

#[test]
fn a_node_with_older_data_beside_one_that_is_loading_is_not_eligible() {
    let pair = older_b_beside_a_loading_a("300");
    let ran = run(pair.b(), "check_redis", &["--eligible", "-v"]);
    assert_eq!(
        info(pair.a(), "loading").as_deref(),
        Some("1"),
        "it had loaded already"
    );
    assert_eq!(ran.code, Some(1), "{}", ran.said);
}

#[test]
fn two_replicas_of_each_other_get_a_master_where_the_vip_is() {
    let pair = Pair::new(Version::Own);
    ask(pair.a(), &["SET", "kept", "1"]);
    wait::until("b has it", SOON, || {
        ask(pair.b(), &["GET", "kept"]).text() == "1"
    })
    .expect("b has it");
    ask(
        pair.a(),
        &["SLAVEOF", &pair.b().address.to_string(), "6379"],
    );
    wait::until("no master", SOON, || {
        info(pair.a(), "role").as_deref() == Some("slave")
    })
    .expect("no master");
    for host in [pair.b(), pair.a()] {
        let mut backup = start(pair.other(host), "redis_backup");
        pair.vip(host);
        let ran = run(host, "redis_master", &[]);
        assert_eq!(ran.code, Some(0), "{}", ran.said);
        backup.until_ended(SOON);
        pair.until_serves(host);
        assert_eq!(
            pair.lab
                .ask(None, &["GET", "kept"])
                .expect("an answer")
                .text(),
            "1"
        );
    }
}

#[test]
fn a_stall_of_the_living_master_is_not_its_death() {
    let pair = Pair::new(Version::Own);
    assert_eq!(run(pair.b(), "check_redis", &["--eligible"]).code, Some(0));
    assert_eq!(run(pair.b(), "redis_backup", &[]).code, Some(0));
    // A long command, as KEYS on many: longer than timing.command, and then it goes on.
    let net = pair.a().net().expect("on");
    let address = std::net::SocketAddr::new(pair.a().address, redis_server::PORT);
    let stall = std::thread::spawn(move || {
        net.within(|| {
            let open = lab::redis_client::Connection::open(
                address,
                redis_server::PASSWORD,
                Duration::from_secs(5),
            );
            Ok(open?.call(&["DEBUG", "SLEEP", "0.8"])?)
        })
    });
    let stalled =
        || redis_server::call_within(pair.a(), &["PING"], Duration::from_millis(50)).is_err();
    wait::until("it stalls", SOON, stalled).expect("it stalls");
    pair.vip(pair.b());
    let ran = run(pair.b(), "redis_master", &[]);
    stall.join().expect("ended").expect("slept");
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert_eq!(
        info(pair.a(), "role").as_deref(),
        Some("slave"),
        "two masters: {}",
        ran.said
    );
}

#[test]
fn a_silent_local_redis_keeps_the_last_word_on_its_data_for_a_while() {
    let pair = Pair::new(Version::Own);
    let eligible = || run(pair.a(), "check_redis", &["--eligible", "-v"]);
    redis_server::hang(pair.a());
    assert_eq!(eligible().code, Some(1), "nothing was known before");
    redis_server::wake(pair.a());
    wait::until("eligible", SOON, || eligible().code == Some(0)).expect("it answers");
    redis_server::hang(pair.a());
    let silent = eligible();
    assert_eq!(
        silent.code,
        Some(0),
        "one slow answer moves the VIP: {}",
        silent.said
    );
    assert!(
        silent.said.contains("as before") && silent.said.contains("no answer in time"),
        "{}",
        silent.said
    );
    assert_eq!(
        run(pair.a(), "check_redis", &[]).code,
        Some(1),
        "it is not alive"
    );
    wait::until("it counts no longer", 2 * SOON, || {
        eligible().code == Some(1)
    })
    .expect("silent for long");
    redis_server::wake(pair.a());
}
