//! A Redis comes back without its data.

use anyhow::Result;

use super::{LIMIT, at_the_end};
use crate::host::Host;
use crate::redis_server::{self, Boot};
use crate::run::{Goal, Run};

fn comes_back_empty(host: &Host) -> Result<()> {
    redis_server::kill(host)?;
    redis_server::wipe(host)?;
    redis_server::start(host)
}

pub(super) fn empty(run: &mut Run<'_>) -> Result<()> {
    let (a, b) = (run.lab.a(), run.lab.b());
    run.phase(
        "the replica comes back empty",
        LIMIT,
        at_the_end(run),
        || comes_back_empty(b),
    )?;
    run.phase(
        "the replica comes back as an empty master",
        LIMIT,
        at_the_end(run),
        || {
            redis_server::kill(b)?;
            redis_server::forget_role(b)?;
            redis_server::wipe(b)?;
            redis_server::start(b)
        },
    )?;
    run.phase("the serving one dies", LIMIT, Goal::ServesAlone(b), || {
        redis_server::kill(a)
    })?;
    run.phase("it comes back empty", LIMIT, at_the_end(run), || {
        redis_server::wipe(a)?;
        redis_server::start(a)
    })?;
    // As a master it would wipe its replica before any program can look (R8).
    if run.lab.settings.boot == Boot::AsReplica {
        run.phase(
            "the serving one comes back empty at once",
            LIMIT,
            at_the_end(run),
            || comes_back_empty(a),
        )?;
    }
    Ok(())
}

/// Nobody misses it: it is back before a check has failed twice.
pub(super) fn serving_restarts(run: &mut Run<'_>) -> Result<()> {
    let a = run.lab.a();
    run.phase("restart", LIMIT, at_the_end(run), || {
        redis_server::kill(a)?;
        redis_server::start(a)
    })
}
