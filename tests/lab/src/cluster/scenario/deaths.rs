//! Something dies, and comes back.

use std::time::Duration;

use anyhow::Result;

use crate::cluster::play::{Goal, Play};
use crate::keepalived;
use crate::redis_server;

pub(super) fn redis(play: &mut Play<'_>) -> Result<()> {
    let a = play.serving()?;
    play.phase("failover", Goal::Beside(&a), |_| redis_server::kill(&a))?;
    play.phase("back", Goal::Whole, |_| redis_server::start(&a))
}

pub(super) fn keepalived(play: &mut Play<'_>) -> Result<()> {
    let a = play.serving()?;
    play.phase("failover", Goal::Whole, |_| {
        keepalived::kill_all(&a);
        Ok(())
    })
}

/// The VIP stays on the dead one's interface (K9), beside that of its successor.
pub(super) fn keepalived_for_good(play: &mut Play<'_>) -> Result<()> {
    let a = play.serving()?;
    play.phase("failover", Goal::Beside(&a), |_| {
        keepalived::kill_for_good(&a)
    })?;
    play.phase("back", Goal::Whole, |cluster| cluster.start_keepalived(&a))
}

pub(super) fn both(play: &mut Play<'_>) -> Result<()> {
    let a = play.serving()?;
    play.phase("failover", Goal::Beside(&a), |_| {
        keepalived::kill_for_good(&a)?;
        redis_server::kill(&a)
    })?;
    play.phase("back", Goal::Whole, |cluster| {
        redis_server::start(&a)?;
        cluster.start_keepalived(&a)
    })
}

pub(super) fn host(play: &mut Play<'_>) -> Result<()> {
    let a = play.serving()?;
    play.phase("failover", Goal::Beside(&a), |_| a.power_off())?;
    play.phase("back", Goal::Whole, |cluster| cluster.power_on(&a))
}

pub(super) fn keepalived_again_and_again(play: &mut Play<'_>) -> Result<()> {
    let a = play.serving()?;
    play.phase("flapping", Goal::Whole, |cluster| {
        for _ in 0..5 {
            keepalived::stop(&a)?;
            std::thread::sleep(Duration::from_secs(2));
            cluster.start_keepalived(&a)?;
            std::thread::sleep(Duration::from_secs(2));
        }
        Ok(())
    })
}

pub(super) fn redis_again_and_again(play: &mut Play<'_>) -> Result<()> {
    let a = play.serving()?;
    play.phase("flapping", Goal::Whole, |_| {
        for _ in 0..3 {
            redis_server::kill(&a)?;
            std::thread::sleep(Duration::from_secs(2));
            redis_server::start(&a)?;
            std::thread::sleep(Duration::from_secs(2));
        }
        Ok(())
    })
}
