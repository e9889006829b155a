//! One host is cut off from everybody, clients too, while the other one goes on.

use std::time::Duration;

use anyhow::Result;

use super::{LIMIT, at_the_end};
use crate::keepalived;
use crate::run::{Goal, Run};

/// Long enough for the other one to serve for a while.
const LONG: Duration = Duration::from_secs(10);
/// The other one has hardly been promoted.
const SHORT: Duration = Duration::from_secs(4);

/// Its network is silent: it goes on as MASTER, and nobody hears it. A mere ancestor when it is
/// back, it has the VIP.
pub(super) fn serving(run: &mut Run<'_>) -> Result<()> {
    silent(run, LONG)
}

/// The same, as short as may be.
pub(super) fn shortly(run: &mut Run<'_>) -> Result<()> {
    silent(run, SHORT)
}

fn silent(run: &mut Run<'_>, time: Duration) -> Result<()> {
    let a = run.lab.a();
    run.phase("cut off", 2 * LIMIT, at_the_end(run), || {
        a.silence()?;
        std::thread::sleep(time);
        a.hear()
    })
}

/// The other one is: it becomes MASTER all alone.
pub(super) fn backup(run: &mut Run<'_>) -> Result<()> {
    let b = run.lab.b();
    run.phase("cut off", 2 * LIMIT, at_the_end(run), || {
        b.silence()?;
        std::thread::sleep(LONG);
        b.hear()
    })
}

/// The cable is out, and the host knows.
pub(super) fn unplugged(run: &mut Run<'_>) -> Result<()> {
    let a = run.lab.a();
    run.phase("unplugged", 2 * LIMIT, at_the_end(run), || {
        a.link(false)?;
        std::thread::sleep(LONG);
        a.link(true)
    })
}

/// The other one is off: the one that serves has nobody to ask, and needs nobody.
pub(super) fn restart_alone(run: &mut Run<'_>) -> Result<()> {
    let (suite, a, b) = (run.suite, run.lab.a(), run.lab.b());
    run.phase("the other one goes", LIMIT, Goal::ServesAlone(a), || {
        b.power_off()
    })?;
    run.phase("restart", LIMIT, Goal::ServesAlone(a), || {
        keepalived::stop(a)?;
        suite.start_keepalived(a)
    })?;
    // It may find out only now that it would like to ask somebody.
    run.phase("and then", LIMIT, Goal::ServesAlone(a), || {
        std::thread::sleep(Duration::from_secs(2));
        Ok(())
    })
}
