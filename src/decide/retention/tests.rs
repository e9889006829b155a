//! What stays and what goes, as tables.

use proptest::prelude::*;

use super::Go::{Aged, Between, OneTooMany, Replaced};
use super::Stay::{AmongKept, Due, Newest, NotLookedAt};
use super::Verdict::{Goes, Stays};
use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);
const DAYS: Duration = Duration::from_secs(14 * 24 * 3600);

fn line(replid: &str, offset: i64) -> Lineage {
    Lineage {
        replid: replid.into(),
        replid2: None,
        second_offset: -1,
        offset,
    }
}

/// Of data that nothing else is known of.
fn alone(name: &str, days: u32) -> Filed {
    Filed {
        whole: true,
        contained: false,
        looked_at: false,
        age: Some(days * DAY),
        data: Some(Data {
            before: line(name, 100),
            after: Some(line(name, 120)),
            came_up_beside: None,
        }),
    }
}

fn contained(name: &str, days: u32) -> Filed {
    Filed {
        contained: true,
        ..alone(name, days)
    }
}

fn looked_at(name: &str, days: u32) -> Filed {
    Filed {
        looked_at: true,
        ..alone(name, days)
    }
}

/// A turn of a crash loop: the ids say nothing, the master is in the run `beside`.
fn came_up(name: &str, beside: &str, days: u32) -> Filed {
    let mut file = alone(name, days);
    if let Some(data) = &mut file.data {
        data.came_up_beside = Some(beside.into());
    }
    file
}

/// The data of `name` once more, by when it has come to `offset`.
fn again(name: &str, offset: i64) -> Filed {
    let mut file = alone(name, 0);
    file.data = Some(Data {
        before: line(name, offset),
        after: Some(line(name, offset + 20)),
        came_up_beside: None,
    });
    file
}

/// As a text from before these things were written down, or none.
fn of_old(days: u32) -> Filed {
    Filed {
        data: None,
        ..alone("", days)
    }
}

fn damaged(file: Filed) -> Filed {
    Filed {
        whole: false,
        ..file
    }
}

/// The name has a time that is still to come, or none.
fn ageless(file: Filed) -> Filed {
    Filed { age: None, ..file }
}

#[test]
fn what_stays_and_what_goes() {
    let left = |days: u32| Stays(NotLookedAt(Some(days * DAY)));
    let cases: Vec<(&str, usize, Vec<Filed>, Vec<Verdict>)> = vec![
        ("none", 3, vec![], vec![]),
        (
            "one, at whatever age",
            1,
            vec![alone("a", 900)],
            vec![Stays(Newest)],
        ),
        (
            "copies beyond keep",
            2,
            vec![contained("a", 3), contained("b", 2), contained("c", 1)],
            vec![Goes(OneTooMany), Stays(AmongKept), Stays(Newest)],
        ),
        (
            "keep = 1 protects the one just taken, though it is worth least",
            1,
            vec![looked_at("a", 1), contained("b", 0)],
            vec![Goes(OneTooMany), Stays(Newest)],
        ),
        (
            "keep = 1, and what may be alone is not looked at",
            1,
            vec![alone("a", 4), contained("b", 0)],
            vec![left(10), Stays(Newest)],
        ),
        (
            "what may be alone outlives copies, looked at or not",
            3,
            vec![
                alone("a", 9),
                looked_at("b", 8),
                contained("c", 7),
                contained("d", 0),
            ],
            vec![
                Stays(AmongKept),
                Stays(AmongKept),
                Goes(OneTooMany),
                Stays(Newest),
            ],
        ),
        (
            "a crash loop of five beside one that was served: the first and the last stay",
            1,
            vec![
                alone("precious", 1),
                came_up("1", "p", 1),
                came_up("2", "p", 1),
                came_up("3", "p", 0),
                came_up("4", "p", 0),
                came_up("5", "p", 0),
            ],
            vec![
                left(13),
                left(13),
                Goes(Between(1, 5)),
                Goes(Between(1, 5)),
                Goes(Between(1, 5)),
                Stays(Newest),
            ],
        ),
        (
            "five copies beside one that may be alone",
            3,
            vec![
                alone("precious", 1),
                contained("1", 1),
                contained("2", 1),
                contained("3", 0),
                contained("4", 0),
                contained("5", 0),
            ],
            vec![
                Stays(AmongKept),
                Goes(OneTooMany),
                Goes(OneTooMany),
                Goes(OneTooMany),
                Stays(AmongKept),
                Stays(Newest),
            ],
        ),
        (
            "another run of the master is another loop",
            1,
            vec![
                came_up("1", "p", 0),
                came_up("2", "q", 0),
                came_up("3", "q", 0),
            ],
            vec![left(14), left(14), Stays(Newest)],
        ),
        (
            "the same data twice",
            3,
            vec![again("a", 100), again("a", 120)],
            vec![Goes(Replaced(1)), Stays(Newest)],
        ),
        (
            "the same data, but the file of it was longer",
            3,
            vec![again("a", 100), again("a", 119)],
            vec![Stays(AmongKept), Stays(Newest)],
        ),
        (
            "the same data twice, and the newer file is damaged",
            1,
            vec![again("a", 100), damaged(again("a", 130)), contained("b", 0)],
            vec![left(14), left(14), Stays(Newest)],
        ),
        (
            "looked at: one of the newest, then not",
            2,
            vec![looked_at("a", 3), looked_at("b", 2), looked_at("c", 1)],
            vec![Goes(OneTooMany), Stays(AmongKept), Stays(Newest)],
        ),
        (
            "days: beyond keep only, the oldest first, one at a time",
            2,
            vec![
                alone("a", 40),
                alone("b", 30),
                alone("c", 20),
                alone("d", 0),
            ],
            vec![Goes(Aged), Stays(Due), Stays(AmongKept), Stays(Newest)],
        ),
        (
            "to the day",
            1,
            vec![alone("a", 14), alone("b", 13), alone("c", 0)],
            vec![Goes(Aged), left(1), Stays(Newest)],
        ),
        (
            "the clock went back (NTP, or what was set by hand): the order stands",
            1,
            vec![
                ageless(alone("a", 0)),
                ageless(contained("b", 0)),
                contained("c", 0),
            ],
            vec![Stays(NotLookedAt(None)), Goes(OneTooMany), Stays(Newest)],
        ),
        (
            "files of the old names come first, whatever their time (zone, DST)",
            2,
            vec![
                ageless(of_old(0)),
                of_old(15),
                contained("c", 3),
                contained("d", 0),
            ],
            vec![
                Stays(NotLookedAt(None)),
                Stays(AmongKept),
                Goes(OneTooMany),
                Stays(Newest),
            ],
        ),
    ];
    for (name, keep, files, expected) in cases {
        assert_eq!(sort_out(&files, keep, DAYS), expected, "{name}");
    }
}

#[test]
fn a_replica_that_was_promoted_for_the_copy_is_known_again() {
    let mut first = alone("", 0);
    first.data = Some(Data {
        before: line("master", 100),
        after: Some(Lineage {
            replid: "own".into(),
            replid2: Some("master".into()),
            second_offset: 101,
            offset: 110,
        }),
        came_up_beside: None,
    });
    let mut second = again("own", 110);
    assert!(second.has_all_of(&first));
    // It has followed somebody in between.
    second.data = again("another", 500).data;
    assert!(!second.has_all_of(&first));
}

proptest! {
    #[test]
    fn the_one_just_taken_stays_and_what_may_be_alone_goes_only_for_a_reason(
        kinds in proptest::collection::vec((0..5_u8, 0..40_u32), 1..12), keep in 1..5_usize,
    ) {
        let file = |(at, (kind, days)): (usize, &(u8, u32))| match kind {
            0 => alone(&at.to_string(), *days),
            1 => contained(&at.to_string(), *days),
            2 => looked_at(&at.to_string(), *days),
            3 => came_up(&at.to_string(), "p", *days),
            _ => damaged(of_old(*days)),
        };
        let files: Vec<Filed> = kinds.iter().enumerate().map(file).collect();
        let verdicts = sort_out(&files, keep, DAYS);
        prop_assert_eq!(verdicts.last(), Some(&Stays(Newest)));
        let stay = verdicts.iter().filter(|verdict| matches!(verdict, Stays(_))).count();
        let aged = verdicts.iter().filter(|verdict| **verdict == Goes(Aged)).count();
        prop_assert!(aged <= 1 && stay >= 1);
        for (file, verdict) in files.iter().zip(&verdicts) {
            let alone = !file.contained && !file.looked_at;
            prop_assert!(!(alone && *verdict == Goes(OneTooMany)));
            prop_assert!(*verdict != Goes(Aged) || file.age >= Some(DAYS));
        }
    }
}
