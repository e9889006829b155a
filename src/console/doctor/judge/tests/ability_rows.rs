//! Each line on what a Redis takes: writes and connections.

use super::pair_rows::{Row, revive};
use super::redis_case::*;
use crate::console::doctor::finding::Level;

fn says(case: &mut Case, name: &str, value: &str) {
    let info = &mut up(case.a()).info;
    info.insert(name.to_owned(), value.to_owned());
}

pub(crate) const ABLE: &[Row] = &[
    (
        "takes-writes",
        Level::Fail,
        |case| up(case.a()).observation.disk.aof_failed = true,
        Some(revive),
    ),
    (
        "takes-writes",
        Level::Fail,
        |case| up(case.b()).observation.disk.save_failed = true,
        Some(revive),
    ),
    (
        "takes-writes",
        Level::Warn,
        |case| {
            up(case.b()).observation.disk.save_failed = true;
            set(case.b(), "stop-writes-on-bgsave-error", "no");
        },
        Some(revive),
    ),
    (
        "takes-writes",
        Level::Fail,
        |case| says(case, "used_memory", "100000000"),
        Some(revive),
    ),
    (
        "maxclients",
        Level::Warn,
        |case| says(case, "connected_clients", "9000"),
        Some(revive),
    ),
];
