//! Both hosts were off, one after the other, and come back one after the other.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::power::boot;
use super::{LIMIT, at_the_end};
use crate::host::{Cable, Host};
use crate::keepalived;
use crate::redis_server::{self, Persistence};
use crate::run::{Goal, Run};

/// The host with this number, of two.
pub(super) const A: usize = 0;
pub(super) const B: usize = 1;

/// Redis's own RDB rules keep nothing of the last minute when the power goes: there it is shut
/// down, as by init.
fn off(host: &Arc<Host>, persistence: Persistence) -> Result<()> {
    if persistence == Persistence::Rdb {
        keepalived::stop(host)?;
        redis_server::stop(host)?;
    }
    host.power_off()
}

/// The host `NEWEST` serves alone at the end, and has the newest data. The host `FIRST` is back
/// `SECONDS` before the other one.
pub(super) fn cold<const NEWEST: usize, const FIRST: usize, const SECONDS: u64>(
    run: &mut Run<'_>,
) -> Result<()> {
    let (suite, hosts) = (run.suite, &run.lab.hosts);
    let (newest, older) = (&hosts[NEWEST], &hosts[1 - NEWEST]);
    let (first, second) = (&hosts[FIRST], &hosts[1 - FIRST]);
    let persistence = run.lab.settings.persistence;
    run.phase(
        "the older one goes",
        LIMIT,
        Goal::ServesAlone(newest),
        || off(older, persistence),
    )?;
    run.until_written(200)?;
    off(newest, persistence)?;
    // The outage in between is the lab's doing.
    run.phase("both back", 2 * LIMIT, at_the_end(run), || {
        boot(suite, first, Cable::Ready)?;
        std::thread::sleep(Duration::from_secs(SECONDS));
        boot(suite, second, Cable::Ready)
    })
}
