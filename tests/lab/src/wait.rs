//! Waiting for a condition, with a bound.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Looks until `condition` holds; an error that names `what` when it does not within `limit`.
pub fn until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) -> Result<()> {
    let end = Instant::now() + limit;
    while !condition() {
        if Instant::now() >= end {
            bail!("waited {} s in vain: {what}", limit.as_secs_f32());
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// Looks until `condition` has held for `hold` without a break.
pub fn until_steady(
    what: &str,
    hold: Duration,
    limit: Duration,
    mut condition: impl FnMut() -> bool,
) -> Result<()> {
    let mut since = None;
    until(what, limit, || {
        if !condition() {
            since = None;
            return false;
        }
        since.get_or_insert_with(Instant::now).elapsed() >= hold
    })
}
