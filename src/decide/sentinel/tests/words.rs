//! What the words of the sentinels come to, and who may hold the VIP by them.

use proptest::prelude::*;

use super::*;
use crate::server::failure::Denial;

#[test]
fn only_what_a_quorum_names_is_named_and_too_few_words_are_silence() {
    for (words, named) in [
        (vec![A, A, A], Named::Node(node(A))),
        (vec![A, B, A], Named::Node(node(A))),
        (vec![A, 0, A], Named::Node(node(A))),
        (vec![A, B, 0], Named::Nobody),
        (vec![A, B, C], Named::Nobody),
        (vec![A, 0, 0], Named::Silent),
        (vec![0, 0, 0], Named::Silent),
        (vec![], Named::Silent),
    ] {
        assert_eq!(naming(&words).named(), named, "{words:?}");
    }
}

#[test]
fn a_poll_reads_as_a_sentence() {
    for (words, sentence) in [
        (vec![A, A, A], "3 of 3 sentinels name 10.0.0.1:6379"),
        (
            vec![A, B, B],
            "2 of 3 sentinels name 10.0.0.2:6379, 1 10.0.0.1:6379",
        ),
        (
            vec![0, B, B],
            "2 of 3 sentinels name 10.0.0.2:6379, 1 silent",
        ),
        (vec![0, 0, 0], "none of 3 sentinels answers"),
    ] {
        assert_eq!(naming(&words).to_string(), sentence);
    }
    // A wrong name is no silence.
    let mut poll = naming(&[0, 0, 0]);
    let denial = Denial {
        code: "ERR".to_owned(),
        text: "No such master with that name".to_owned(),
    };
    poll.words[1].1 = Err(Failure::Denied(denial));
    let (sentinel, _) = poll.words[1];
    let sentence = format!(
        "none of 3 sentinels names a master; {sentinel}: it says ERR No such master with that name"
    );
    assert_eq!(poll.to_string(), sentence);
}

#[test]
fn the_node_that_sentinel_names_is_eligible_and_an_ex_master_is_not() {
    let says = |local: Result<Observation, Failure>, words: &[u8]| {
        eligible(node(A), &local.expect("an observation"), &naming(words)).eligible
    };
    assert_eq!(says(master(), &[A, A, A]), Some(true));
    assert_eq!(says(master(), &[A, A, 0]), Some(true));
    assert_eq!(
        says(master(), &[B, B, A]),
        Some(false),
        "restarted, and another one was promoted meanwhile"
    );
    assert_eq!(says(master(), &[A, B, 0]), None);
    assert_eq!(says(master(), &[A, 0, 0]), None);
    assert_eq!(
        says(replica_of(B), &[A, A, A]),
        Some(false),
        "named, and not yet promoted"
    );
    assert_eq!(says(replica_of(B), &[0, 0, 0]), Some(false));
    let loading = Ok(Observation {
        loading: true,
        ..redis(Role::Master)
    });
    assert_eq!(says(loading, &[A, A, A]), Some(false));
}

pub(super) fn any_word() -> impl Strategy<Value = Option<Word>> {
    let word = (
        1u8..4,
        any::<bool>(),
        proptest::option::of(0u64..4000),
        any::<bool>(),
    )
        .prop_map(|(last, failing_over, heard, down)| Word {
            master: node(last),
            failing_over,
            heard: heard.map(Duration::from_millis),
            down,
            down_after: Duration::from_secs(3),
        });
    proptest::option::of(word)
}

proptest! {
    #[test]
    fn never_two_nodes_are_eligible_by_the_same_words(
        words in prop::collection::vec(any_word(), 0..6),
    ) {
        let words = Poll { quorum: words.len() / 2 + 1, ..poll(&words) };
        let local = redis(Role::Master);
        let is_eligible = |last: &u8| {
            eligible(node(*last), &local, &words).eligible == Some(true)
        };
        let eligible = [A, B, C].into_iter().filter(is_eligible).count();
        prop_assert!(eligible <= 1, "{words}");
    }
}
