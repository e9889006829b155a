//! Sentinels that say anything at all: the poll ends in time, and nobody is named by them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use keepalived_redis::config::{Sentinel, SilentSentinels, Timing};
use keepalived_redis::deadline::Deadline;
use keepalived_redis::decide::sentinel::{Named, Poll};
use keepalived_redis::look::sentinels::Sentinels;
use keepalived_redis::server::access::Access;
use proptest::prelude::*;

use crate::peer::{Peer, Talk};

const BUDGET: Duration = Duration::from_millis(150);
/// What may come on top of it on a very busy machine.
const BUSY: Duration = Duration::from_millis(500);
const LONGEST: usize = 400;

fn sentinels(nodes: Vec<SocketAddr>) -> Sentinels {
    let (master_name, quorum, auth) = (
        "mymaster".to_string(),
        nodes.len() / 2 + 1,
        Access::default(),
    );
    let config = Sentinel {
        master_name,
        nodes,
        quorum,
        when_silent: SilentSentinels::Hold,
        auth,
    };
    Sentinels::new(&config, &Timing::default())
}

fn asked(peers: &[Peer]) -> (Poll, Duration) {
    let clock = Instant::now();
    let poll =
        sentinels(peers.iter().map(|peer| peer.address).collect()).ask(Deadline::after(BUDGET));
    (poll, clock.elapsed())
}

fn list(words: &[&str]) -> String {
    let texts: String = words
        .iter()
        .map(|word| format!("${}\r\n{word}\r\n", word.len()))
        .collect();
    format!("*{}\r\n{texts}", words.len())
}

/// What a sentinel says of the master at `ip`.
fn word(ip: &str, more: &[&str]) -> Vec<u8> {
    let mut state = vec![
        "ip",
        ip,
        "port",
        "6379",
        "flags",
        "master",
        "last-ok-ping-reply",
        "40",
    ];
    state.extend(more);
    format!("{}{}", list(&[ip, "6379"]), list(&state)).into_bytes()
}

#[test]
fn the_sentinel_of_these_tests_is_taken_for_one_where_it_speaks_like_one() {
    let peers = [
        Peer::new(Talk::Says(word("10.0.0.1", &[]))),
        Peer::new(Talk::Closes(vec![])),
    ];
    let (poll, _) = asked(&peers[..1]);
    assert_eq!(
        poll.named(),
        Named::Node("10.0.0.1:6379".parse().expect("an address")),
        "{poll:?}"
    );
    let (poll, _) = asked(&peers);
    assert_eq!(poll.named(), Named::Silent, "{poll:?}");
}

#[test]
fn a_sentinel_that_is_none_names_nobody_and_is_not_waited_for() {
    let good = word("10.0.0.1", &[]);
    let half = good[..good.len() / 2].to_vec();
    let all = [
        ("accepts and says nothing", Talk::Says(vec![])),
        ("closes at once", Talk::Closes(vec![])),
        ("closes in the middle", Talk::Closes(half.clone())),
        ("half a word", Talk::Says(half)),
        (
            "drips",
            Talk::Drips(good.clone(), Duration::from_millis(20)),
        ),
        (
            "a Redis",
            Talk::Says(
                b"-ERR unknown command 'SENTINEL'\r\n-ERR unknown command 'SENTINEL'\r\n".to_vec(),
            ),
        ),
        (
            "wants a password",
            Talk::Says(b"-NOAUTH x\r\n-NOAUTH x\r\n".to_vec()),
        ),
        (
            "knows no such master",
            Talk::Says(b"*-1\r\n-ERR No such master with that name\r\n".to_vec()),
        ),
        ("a name for an address", Talk::Says(word("redis-a", &[]))),
        (
            "no port",
            Talk::Says([list(&["10.0.0.1"]).into_bytes(), good.clone()].concat()),
        ),
        ("a long name", Talk::Says(word(&"x".repeat(1 << 20), &[]))),
        (
            "HTTP",
            Talk::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ),
        (
            "an endless list",
            Talk::Endless(b"*2147483647\r\n".to_vec(), b":1\r\n".to_vec()),
        ),
    ];
    for (what, talk) in all {
        let (poll, took) = asked(&[Peer::new(talk)]);
        assert_eq!(poll.named(), Named::Silent, "{what}: {poll:?}");
        assert!(took < BUDGET + BUSY, "{what}: {took:?}");
        let sentence = poll.words[0]
            .1
            .as_ref()
            .err()
            .map(ToString::to_string)
            .unwrap_or_default();
        assert!(
            !sentence.is_empty() && sentence.len() < LONGEST && !sentence.contains('\n'),
            "{what}: {sentence}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 20, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn no_state_of_a_master_makes_it_panic_or_names_another(
        fields in prop::collection::vec(("[a-z-]{1,24}", "[ -~]{0,30}"), 0..12), cut in 0usize..400,
    ) {
        let more: Vec<&str> = fields.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect();
        let mut text = word("10.0.0.1", &more);
        text.truncate(text.len().saturating_sub(cut % 7));
        let (poll, took) = asked(&[Peer::new(Talk::Closes(text))]);
        prop_assert!(took < BUDGET + BUSY, "{:?}", took);
        let named = poll.named();
        prop_assert!(named == Named::Silent || named == Named::Node("10.0.0.1:6379".parse().expect("an address")), "{:?}", poll);
    }
}
