//! Whom a sentinel would promote, and whether that loses anything.

use super::*;

fn candidate(last: u8, priority: u32, offset: i64) -> Candidate {
    Candidate {
        address: node(last),
        reachable: true,
        heard: Some(Duration::from_millis(400)),
        looked_at: Some(Duration::from_secs(7)),
        link_down: Duration::ZERO,
        down_after: Duration::from_secs(5),
        priority,
        offset,
        run_id: format!("{last}"),
    }
}

#[test]
fn a_sentinel_promotes_by_priority_then_by_offset_then_by_the_run_id() {
    let chosen =
        |candidates: &[Candidate]| choice(candidates, false).map(|candidate| candidate.address);
    assert_eq!(
        chosen(&[candidate(B, 100, 9), candidate(C, 100, 10)]),
        Some(node(C))
    );
    assert_eq!(
        chosen(&[candidate(B, 10, 9), candidate(C, 100, 10)]),
        Some(node(B))
    );
    assert_eq!(
        chosen(&[candidate(C, 100, 10), candidate(B, 100, 10)]),
        Some(node(B))
    );
    assert_eq!(chosen(&[candidate(B, 0, 9)]), None);
    assert_eq!(
        chosen(&[
            Candidate {
                reachable: false,
                ..candidate(B, 1, 9)
            },
            candidate(C, 100, 1)
        ]),
        Some(node(C))
    );
    let cut_off = Candidate {
        link_down: Duration::from_secs(51),
        ..candidate(B, 1, 9)
    };
    assert_eq!(chosen(std::slice::from_ref(&cut_off)), None);
    assert_eq!(
        choice(&[cut_off], true),
        None,
        "what is known of it is older than 5 s"
    );
    assert_eq!(chosen(&[]), None);
}

#[test]
fn a_planned_move_waits_for_whoever_might_be_promoted() {
    let (soon, late) = (Duration::from_secs(1), Duration::from_secs(6));
    assert_eq!(is_safe(node(B), &[node(B), node(C)], &[], soon), Ok(()));
    assert!(
        is_safe(node(C), &[node(B)], &[node(C)], late).is_err(),
        "it would be promoted without all data"
    );
    assert!(is_safe(node(B), &[node(B)], &[node(C)], soon).is_err());
    assert_eq!(is_safe(node(B), &[node(B)], &[node(C)], late), Ok(()));
    assert!(
        is_safe(node(9), &[node(B)], &[], late).is_err(),
        "nothing is known of it"
    );
}

#[test]
fn the_replica_with_most_data_is_waited_for_until_sentinel_has_surely_looked() {
    let (soon, late) = (Duration::from_secs(1), Duration::from_secs(12));
    let alike = [(node(B), 10), (node(C), 10)];
    assert_eq!(is_best(node(C), &alike, soon), Ok(()));
    let apart = [(node(B), 10), (node(C), 9)];
    assert_eq!(is_best(node(B), &apart, soon), Ok(()));
    assert!(is_best(node(C), &apart, soon).is_err_and(|why| why.contains("1 bytes less")));
    assert_eq!(is_best(node(C), &apart, late), Ok(()));
    assert!(
        is_best(node(A), &apart, late).is_err(),
        "an ex-master that was not made a replica yet"
    );
}
