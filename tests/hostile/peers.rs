//! A peer that says anything at all: the look at it ends in time, in bounded memory, with a short
//! sentence.

use std::time::Duration;

use proptest::prelude::*;

use crate::peer::{MASTER, Peer, Talk, bulk, redis_that_says};

const BUDGET: Duration = Duration::from_millis(200);
/// What may come on top of a budget: on a quiet machine, and on a very busy one.
const SLACK: Duration = Duration::from_millis(50);
const BUSY: Duration = Duration::from_millis(500);
/// A sentence ends up in a journal.
const LONGEST: usize = 400;

fn looks(what: &str, talk: Talk) -> Option<String> {
    let peer = Peer::new(talk);
    let mut quickest = Duration::MAX;
    // A busy machine is late now and then; a program that waits for too long is so each time.
    for _ in 0..3 {
        let (seen, took) = peer.observed(BUDGET);
        quickest = quickest.min(took);
        let sentence = match seen {
            Ok(seen) => return Some(format!("{what}: taken for a Redis: {seen:?}")),
            Err(failure) => failure.to_string(),
        };
        if sentence.len() > LONGEST || sentence.contains('\n') {
            return Some(format!(
                "{what}: {} bytes: {:?}...",
                sentence.len(),
                sentence.get(..80)
            ));
        }
        if took > BUDGET + BUSY {
            return Some(format!("{what}: {took:?}: {sentence}"));
        }
        if quickest < BUDGET + SLACK {
            return None;
        }
    }
    Some(format!("{what}: never before {quickest:?}"))
}

fn says(text: &[u8]) -> Talk {
    Talk::Says(text.to_vec())
}

/// The highest use of memory by this process, in kB: in RAM, and asked for.
fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let field = |name: &str| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .expect("a field");
        line.trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("a number")
    };
    (field("VmHWM:"), field("VmPeak:"))
}

#[test]
fn a_look_at_a_peer_that_is_none_ends_in_time_and_in_little_memory() {
    let before = memory();
    let good = redis_that_says(MASTER);
    let half = good[..good.len() / 2].to_vec();
    let slow = Duration::from_millis(50);
    let mut all = vec![
        ("accepts and says nothing", says(b"")),
        ("closes at once", Talk::Closes(vec![])),
        ("closes in the middle", Talk::Closes(half.clone())),
        ("resets in the middle", Talk::Resets(half.clone())),
        ("half an answer", says(&half)),
        ("all but the last byte", says(&good[..good.len() - 1])),
        ("a byte every 50 ms", Talk::Drips(good.clone(), slow)),
        (
            "answers, a byte every ms",
            Talk::Drips(bulk(&"x".repeat(3000)), Duration::from_millis(1)),
        ),
        ("a gigantic text", says(b"+OK\r\n$9999999999\r\n")),
        (
            "a gigantic text that comes",
            Talk::Endless(b"+OK\r\n$9999999999\r\n".to_vec(), vec![b'x']),
        ),
        (
            "a text of a length that overflows",
            says(b"+OK\r\n$99999999999999999999999\r\n"),
        ),
        ("a text of negative length", says(b"+OK\r\n$-2\r\n")),
        ("an error of negative length", says(b"+OK\r\n!-1\r\n")),
        ("a gigantic list", says(b"+OK\r\n*9223372036854775807\r\n")),
        (
            "a gigantic list that comes",
            Talk::Endless(b"+OK\r\n*2147483647\r\n".to_vec(), b":1\r\n".to_vec()),
        ),
        ("a gigantic map", says(b"+OK\r\n%9223372036854775807\r\n")),
        ("a map of negative length", says(b"+OK\r\n%-1\r\n")),
        (
            "a gigantic attribute",
            says(b"+OK\r\n|4611686018427387903\r\n"),
        ),
        (
            "long simple texts",
            says(&[&b"+"[..], &[b'x'; 1 << 18], b"\r\n"].concat().repeat(6)),
        ),
        (
            "long errors",
            says(
                &[&b"-ERR "[..], &[b'x'; 1 << 18], b"\r\n"]
                    .concat()
                    .repeat(6),
            ),
        ),
        (
            "long words of errors",
            says(&[&b"-"[..], &[b'X'; 1 << 18], b"\r\n"].concat().repeat(6)),
        ),
        (
            "errors in many lines",
            says(&b"!22\r\nERR one\ntwo\nthree\rfour\r\n".repeat(6)),
        ),
        (
            "a long refusal",
            says(
                &[
                    &b"-ERR max number of clients"[..],
                    &[b'x'; 1 << 20],
                    b"\r\n",
                ]
                .concat(),
            ),
        ),
        (
            "an endless line",
            Talk::Endless(b"+OK\r\n+".to_vec(), b"words ".to_vec()),
        ),
        ("endless lines", Talk::Endless(vec![], b"+OK\r\n".to_vec())),
        ("endless zeroes", Talk::Endless(vec![], vec![0])),
        (
            "HTTP",
            says(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
        ),
        ("SMTP", says(b"220 mail.example.net ESMTP\r\n")),
        ("TLS", says(b"\x15\x03\x01\x00\x02\x02\x46")),
        ("SSH", says(b"SSH-2.0-OpenSSH_9.2p1\r\n")),
        (
            "lists for texts",
            says(b"+OK\r\n*1\r\n+x\r\n*1\r\n+x\r\n*1\r\n+x\r\n*1\r\n+x\r\n*1\r\n+x\r\n"),
        ),
        (
            "nothing for texts",
            says(b"+OK\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n"),
        ),
        (
            "numbers for texts",
            says(b"+OK\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n"),
        ),
    ];
    let long = "x".repeat(1 << 20);
    for (what, text) in [
        ("empty", String::new()),
        ("no INFO", "+hello".to_string()),
        (
            "a long role",
            MASTER.replace("role:master", &format!("role:{long}")),
        ),
        (
            "a long run_id",
            MASTER.replace("run_id:0", &format!("run_id:{long}")),
        ),
        (
            "a long offset",
            MASTER.replace(
                "master_repl_offset:1",
                &format!("master_repl_offset:{}", "9".repeat(1 << 20)),
            ),
        ),
        (
            "lines without an end",
            MASTER.replace("role:master", &"\n".repeat(1 << 20)),
        ),
    ] {
        all.push((what, says(&redis_that_says(&text))));
    }
    for open in ["*1", "%1", "|1", "~1", ">1", "*2", "*100000"] {
        // The deepest that is read, one more, and very deep.
        for depth in [99, 100, 101, 200_000] {
            let text = [
                &b"+OK\r\n"[..],
                format!("{open}\r\n").repeat(depth).as_bytes(),
                &b"+x\r\n".repeat(300),
            ]
            .concat();
            all.push(("nested lists", Talk::Says(text)));
        }
    }
    let wrong: Vec<String> = all
        .into_iter()
        .filter_map(|(what, talk)| looks(what, talk))
        .collect();
    let after = memory();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(
        after.0 - before.0 < 100 << 10,
        "in RAM: {before:?} {after:?}"
    );
    assert!(
        after.1 - before.1 < 1 << 20,
        "asked for: {before:?} {after:?}"
    );
}

#[test]
fn the_peer_of_these_tests_is_taken_for_a_redis_where_it_speaks_like_one() {
    let (seen, took) = Peer::new(Talk::Says(redis_that_says(MASTER))).observed(BUDGET);
    assert!(
        seen.as_ref()
            .is_ok_and(|seen| seen.is_master() && seen.keys == 300),
        "{seen:?} {took:?}"
    );
}

/// Pieces of the protocol, and rubbish.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "+OK\r\n",
        "-ERR x\r\n",
        "-NOAUTH\r\n",
        "-LOADING\r\n",
        "-\r\n",
        "+\r\n",
        ":1\r\n",
        ":x\r\n",
        "$-1\r\n",
        "$0\r\n\r\n",
        "$3\r\nabc\r\n",
        "$3\r\nabcd\r\n",
        "*0\r\n",
        "*-1\r\n",
        "*3\r\n",
        "%1\r\n",
        "|1\r\n",
        "~2\r\n",
        ">2\r\n",
        ">0\r\n",
        "_\r\n",
        ",1.5\r\n",
        ",inf\r\n",
        "#t\r\n",
        "#x\r\n",
        "(123\r\n",
        "(\r\n",
        "!3\r\nERR\r\n",
        "=7\r\ntxt:abc\r\n",
        "=3\r\nabc\r\n",
        "\r\n",
        "\n",
        "$",
        "*",
        "|0\r\n",
        "role:master\r\n",
    ]);
    let info =
        (0..MASTER.len(), 0..MASTER.len()).prop_map(|(a, b)| bulk(&MASTER[a.min(b)..a.max(b)]));
    let number = any::<i64>().prop_flat_map(|n| {
        prop::sample::select(vec!['$', '*', '%', '|', '~', '>', '!', '=', ':'])
            .prop_map(move |c| format!("{c}{n}\r\n"))
    });
    prop_oneof![
        word.prop_map(|word| word.as_bytes().to_vec()),
        info,
        number.prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 20, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn any_conversation_ends_in_time(
        pieces in prop::collection::vec((piece(), 0u64..12), 0..10), closes in any::<bool>(),
    ) {
        let budget = Duration::from_millis(60);
        let talk = if closes {
            Talk::Closes(pieces.into_iter().flat_map(|(text, _)| text).collect())
        } else {
            Talk::Pieces(pieces.into_iter().map(|(text, ms)| (text, Duration::from_millis(ms))).collect())
        };
        let (seen, took) = Peer::new(talk).observed(budget);
        prop_assert!(took < budget + BUSY, "{:?}: {:?}", took, seen);
        if let Err(failure) = seen {
            prop_assert!(failure.to_string().len() < LONGEST, "{}", failure);
        }
    }
}
