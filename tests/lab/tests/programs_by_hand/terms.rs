//! The term travels with the data: written by each promotion and handover, no key, there after any
//! restart, and it tells two cold nodes who served last.

use lab::redis_server;
use lab::wait;

use crate::pair::{Pair, SOON, Version, ask, fetch_five, info, journal, until_on_disk};
use crate::runs::run;
use lab::host::Host;

fn term(host: &Host) -> String {
    ask(host, &["FCALL_RO", "keepalived_redis_term", "0"]).text()
}

fn number(term: &str) -> u64 {
    term.split(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("no term: {term}"))
}

fn serve(pair: &Pair, host: &Host) {
    pair.vip(host);
    let ran = run(host, "redis_master", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
}

#[test]
fn each_handover_and_promotion_has_a_later_term_that_is_no_key_and_outlives_a_crash() {
    let pair = Pair::new(Version::Own);
    let keys = ask(pair.a(), &["DBSIZE"]).text();
    let mut last = 0;
    for host in [pair.a(), pair.b(), pair.a()] {
        serve(&pair, host);
        let now = term(host);
        assert!(
            number(&now) > last && now.contains(&host.address.to_string()),
            "{now}\n{}",
            pair.story()
        );
        last = number(&now);
        let other = pair.other(host);
        wait::until("replicated", SOON, || term(other) == now)
            .unwrap_or_else(|e| panic!("{e}\n{}", pair.story()));
    }
    // It remembers that it was in sync; otherwise it would not know whether it has all, and its
    // reign would be an unsure one of the same number.
    run(pair.b(), "redis_backup", &[]);
    redis_server::kill(pair.a()).expect("killed");
    serve(&pair, pair.b());
    assert!(number(&term(pair.b())) > last, "{}", pair.story());
    pair.start_redis(pair.a());
    assert_eq!(
        number(&term(pair.a())),
        last,
        "the term did not outlive a crash"
    );
    for host in [pair.a(), pair.b()] {
        assert_eq!(ask(host, &["DBSIZE"]).text(), keys, "it is a key");
    }
    // Looked at again there is nothing to write.
    let before = term(pair.b());
    serve(&pair, pair.b());
    assert_eq!(term(pair.b()), before);
}

/// b served last and both were down; both come up as masters by themselves, and the VIP comes to
/// the older one.
fn both_cold(pair: &Pair) {
    serve(pair, pair.a());
    assert_eq!(ask(pair.a(), &["SET", "old", "1"]).text(), "OK");
    wait::until("b has it", SOON, || {
        ask(pair.b(), &["GET", "old"]).text() == "1"
    })
    .expect("b has it");
    until_on_disk(pair.a());
    run(pair.b(), "redis_backup", &[]);
    redis_server::kill(pair.a()).expect("killed");
    serve(pair, pair.b());
    assert_eq!(ask(pair.b(), &["SET", "newest", "1"]).text(), "OK");
    until_on_disk(pair.b());
    redis_server::kill(pair.b()).expect("killed");
    for host in [pair.a(), pair.b()] {
        pair.start_redis(host);
        assert_eq!(info(host, "role").as_deref(), Some("master"));
    }
    pair.vip(pair.a());
    let ran = run(pair.a(), "redis_master", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
}

#[test]
fn of_two_cold_nodes_the_one_that_served_last_is_believed() {
    let pair = Pair::new(Version::Own);
    both_cold(&pair);
    let newest = pair
        .lab
        .ask(None, &["GET", "newest"])
        .expect("the VIP answers")
        .text();
    assert_eq!(newest, "1", "older data serves\n{}", pair.story());
    assert!(
        journal(pair.a()).contains("has data of term"),
        "{}",
        pair.story()
    );
}

#[test]
fn before_7_a_key_that_the_configuration_names_carries_it_and_without_one_there_is_none() {
    fetch_five();
    let pair = Pair::with(Version::Five, "[policy]\nterm_key = \"ha:term\"");
    both_cold(&pair);
    let newest = pair
        .lab
        .ask(None, &["GET", "newest"])
        .expect("the VIP answers")
        .text();
    assert_eq!(newest, "1", "older data serves\n{}", pair.story());
    let text = pair
        .lab
        .ask(None, &["GET", "ha:term"])
        .expect("the VIP answers")
        .text();
    assert!(number(&text) >= 3, "{text}");

    let pair = Pair::new(Version::Five);
    serve(&pair, pair.a());
    assert_eq!(
        ask(pair.a(), &["KEYS", "*"]).text(),
        "",
        "a key that nobody asked for"
    );
    assert!(!journal(pair.a()).contains("warning"), "{}", pair.story());
}

#[test]
fn without_the_right_to_write_it_there_is_a_warning_and_a_failover_all_the_same() {
    let pair = Pair::new(Version::Own);
    for host in [pair.a(), pair.b()] {
        ask(
            host,
            &["ACL", "SETUSER", "default", "-function", "-fcall_ro"],
        );
    }
    serve(&pair, pair.b());
    pair.until_serves(pair.b());
    assert!(
        journal(pair.b()).contains("warning: writing term"),
        "{}",
        pair.story()
    );
    let lines = journal(pair.b())
        .lines()
        .filter(|line| line.contains("writing term"))
        .count();
    assert_eq!(lines, 1, "{}", pair.story());
}
