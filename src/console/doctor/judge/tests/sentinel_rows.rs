//! Each line on the sentinels: what has to be wrong for it.

use super::pair_rows::{Row, revive};
use super::redis_case::*;
use crate::console::doctor::finding::Level;
use crate::console::doctor::look::sentinels::Said;
use crate::server::failure::Failure;

pub(crate) const BESIDE_SENTINEL: &[Row] = &[
    (
        "sentinel-answers",
        Level::Fail,
        |case| case.sentinels[2].said = Err(Failure::Refused),
        Some(revive),
    ),
    (
        "sentinel-answers",
        Level::Fail,
        |case| case.sentinels[2].said = Err(denied("NOAUTH", "")),
        Some(revive),
    ),
    (
        "sentinel-count",
        Level::Fail,
        |case| {
            case.sentinels
                .iter_mut()
                .skip(1)
                .for_each(|node| node.said = Err(Failure::TimedOut))
        },
        Some(revive),
    ),
    (
        "sentinel-count",
        Level::Warn,
        |case| case.config.sentinel.as_mut().expect("one").quorum = 1,
        Some(|case| case.config.sentinel.as_mut().expect("one").quorum = 2),
    ),
    (
        "sentinel-master",
        Level::Fail,
        |case| said(case).master = None,
        Some(revive),
    ),
    (
        "sentinel-master",
        Level::Fail,
        |case| said(case).master = Some(("192.168.158.13".to_owned(), "6379".to_owned())),
        Some(revive),
    ),
    (
        "sentinel-master",
        Level::Fail,
        |case| said(case).master = Some(("192.168.158.12".to_owned(), "6379".to_owned())),
        Some(revive),
    ),
    (
        "sentinel-quorum",
        Level::Fail,
        |case| said(case).no_quorum = Some("1 usable".to_owned()),
        Some(revive),
    ),
    (
        "down-after",
        Level::Fail,
        |case| {
            drop(
                said(case)
                    .fields
                    .insert("down-after-milliseconds".to_owned(), "500".to_owned()),
            )
        },
        None,
    ),
    (
        "tilt",
        Level::Warn,
        |case| said(case).tilt = true,
        Some(revive),
    ),
    (
        "sentinel-rights",
        Level::Fail,
        |case| said(case).refused = vec![("PSUBSCRIBE *", "allchannels")],
        None,
    ),
    (
        "sentinel-others",
        Level::Warn,
        |case| {
            drop(
                said(case)
                    .fields
                    .insert("num-other-sentinels".to_owned(), "4".to_owned()),
            )
        },
        None,
    ),
    (
        "replica-priority",
        Level::Warn,
        |case| set(case.b(), "replica-priority", "5"),
        None,
    ),
    (
        "replica-priority",
        Level::Fail,
        |case| set(case.b(), "replica-priority", "0"),
        None,
    ),
    (
        "announce-ip",
        Level::Fail,
        |case| set(case.b(), "replica-announce-ip", "10.0.0.1"),
        None,
    ),
    (
        "rights",
        Level::Fail,
        |case| refuse(case.a(), "+client|pause"),
        None,
    ),
];

fn said(case: &mut Case) -> &mut Said {
    case.sentinels[0].said.as_mut().expect("it answers")
}
