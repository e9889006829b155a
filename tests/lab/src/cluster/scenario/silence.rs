//! No sentinel answers.

use std::time::Duration;

use anyhow::Result;

use crate::cluster::play::{Goal, Play};
use crate::cluster::{Cluster, quiet};
use crate::redis_server;
use crate::sentinel::server;
use crate::wait;

/// Longer than a sentinel's clock may stand still before it mistrusts itself (TILT).
const JUMP: Duration = Duration::from_secs(3);

fn stop_all(cluster: &Cluster) {
    cluster.watchers().for_each(|host| server::hang(host));
}

fn wake_all(cluster: &Cluster) -> Result<()> {
    cluster.watchers().for_each(|host| server::wake(host));
    Ok(())
}

/// While all is well: nothing moves, then or later.
pub(super) fn hang(play: &mut Play<'_>) -> Result<()> {
    quietly(play, |cluster| {
        stop_all(cluster);
        Ok(())
    })?;
    play.phase("awake", Goal::Whole, wake_all)
}

pub(super) fn die(play: &mut Play<'_>) -> Result<()> {
    quietly(play, |cluster| {
        cluster.watchers().try_for_each(|host| server::kill(host))
    })?;
    play.phase("awake", Goal::Whole, |cluster| {
        cluster.watchers().try_for_each(|host| server::start(host))
    })
}

fn quietly(play: &mut Play<'_>, act: impl FnOnce(&Cluster) -> Result<()>) -> Result<()> {
    let (a, long, mut moved) = (play.serving()?, play.long, Vec::new());
    play.phase("silence", Goal::Stays(&a), |cluster| {
        act(cluster)?;
        moved = quiet::moved(cluster, long);
        Ok(())
    })?;
    play.moved.extend(moved);
    Ok(())
}

/// Where the VIP is to be given up, it is; and comes back.
pub(super) fn release(play: &mut Play<'_>) -> Result<()> {
    play.phase("silence", Goal::NoVip, |cluster| {
        stop_all(cluster);
        Ok(())
    })?;
    play.phase("awake", Goal::Whole, wake_all)
}

/// A sentinel whose clock has jumped does nothing for half a minute, and says yes to a failover all
/// the same.
pub(super) fn tilt(play: &mut Play<'_>) -> Result<()> {
    let a = play.serving()?;
    stop_all(play.cluster);
    std::thread::sleep(JUMP);
    wake_all(play.cluster)?;
    let all_answer = || {
        play.cluster
            .watchers()
            .all(|host| play.cluster.view(host).is_ok())
    };
    wait::until("the sentinels answer again", JUMP, all_answer)?;
    play.phase("failover", Goal::Beside(&a), |_| redis_server::kill(&a))?;
    play.phase("back", Goal::Whole, |_| redis_server::start(&a))
}
