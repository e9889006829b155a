//! Hosts lose their power, and boot again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::{LIMIT, at_the_end, failback};
use crate::host::{Cable, Host};
use crate::redis_server;
use crate::run::{Goal, Run};
use crate::suite::Suite;

/// Everything starts as at boot, Redis first: the scripts' check would stop keepalived for good.
pub(super) fn boot(suite: Suite, host: &Arc<Host>, cable: Cable) -> Result<()> {
    host.power_on(cable)?;
    redis_server::start(host)?;
    redis_server::until_up(host)?;
    suite.start_keepalived(host)
}

pub(super) fn loss(run: &mut Run<'_>) -> Result<()> {
    let (suite, a, b) = (run.suite, run.lab.a(), run.lab.b());
    run.phase("failover", LIMIT, Goal::ServesAlone(b), || a.power_off())?;
    failback(run, LIMIT, || boot(suite, a, Cable::Ready))
}

pub(super) fn late_network(run: &mut Run<'_>) -> Result<()> {
    let (suite, a, b) = (run.suite, run.lab.a(), run.lab.b());
    run.phase("failover", LIMIT, Goal::ServesAlone(b), || a.power_off())?;
    failback(run, LIMIT, || {
        boot(suite, a, Cable::Silent)?;
        std::thread::sleep(Duration::from_secs(3));
        a.hear()
    })
}

pub(super) fn cold_start(run: &mut Run<'_>) -> Result<()> {
    let (suite, a, b) = (run.suite, run.lab.a(), run.lab.b());
    run.phase("failover", LIMIT, Goal::ServesAlone(b), || a.power_off())?;
    run.until_written(200)?;
    b.power_off()?;
    // Both together; the outage in between is the lab's doing.
    let goal = at_the_end(run);
    run.phase("both back", 2 * LIMIT, goal, || {
        boot(suite, a, Cable::Ready)?;
        boot(suite, b, Cable::Ready)
    })
}
