//! Hosts that do not reach each other.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::cluster::play::{Goal, Play};
use crate::redis_server;

/// So many writes of the majority's client before the cut ends.
const SOME: usize = 500;
/// The name of the second application.
pub const MINORITY: &str = "minority";
/// Longer than keepalived needs to hear nobody, and than `down-after`.
const ALONE: Duration = Duration::from_secs(8);
/// The majority has a master for so long before the cut ends.
const LONG: Duration = Duration::from_secs(3);

/// The client is with the majority; an application on the serving host writes to what it takes for
/// the master.
pub(super) fn minority(play: &mut Play<'_>) -> Result<()> {
    let a = play.serving()?;
    play.begin_beside(&a)?;
    play.phase("partition", Goal::Beside(&a), |_| a.silence())?;
    play.until_written(SOME)?;
    std::thread::sleep(LONG);
    play.end_beside(MINORITY)?;
    play.phase("healed", Goal::Whole, |_| a.hear())
}

/// The client reaches both sides, and writes to whoever spoke last of the VIP.
pub(super) fn minority_seen(play: &mut Play<'_>) -> Result<()> {
    let a = play.serving()?;
    play.begin_beside(&a)?;
    let rest: Vec<_> = play
        .cluster
        .lab
        .hosts
        .iter()
        .filter(|host| host.name != a.name)
        .cloned()
        .collect();
    play.phase("partition", Goal::Beside(&a), |cluster| {
        rest.iter()
            .try_for_each(|host| cluster.lab.cut_between(&a, host, true))
    })?;
    play.until_written(SOME)?;
    std::thread::sleep(LONG);
    play.end_beside(MINORITY)?;
    play.phase("healed", Goal::Whole, |cluster| {
        rest.iter()
            .try_for_each(|host| cluster.lab.cut_between(&a, host, false))
    })
}

/// It takes itself for the one that has to serve, and is back a moment before it hears that another
/// one does.
pub(super) fn replica(play: &mut Play<'_>) -> Result<()> {
    let a = play.serving()?;
    let last = play.cluster.lab.hosts.last().cloned().context("no host")?;
    play.phase("cut off", Goal::Stays(&a), |_| {
        last.silence()?;
        std::thread::sleep(ALONE);
        last.hear()
    })?;
    left_alone(play)
}

/// A virtual machine that is moved, or saved: what was sent to it meanwhile is gone, too.
pub(super) fn replica_stands_still(play: &mut Play<'_>) -> Result<()> {
    let a = play.serving()?;
    let last = play.cluster.lab.hosts.last().cloned().context("no host")?;
    play.phase("stands still", Goal::Stays(&a), |_| {
        last.silence()?;
        last.freeze();
        std::thread::sleep(ALONE);
        last.hear()?;
        last.thaw();
        Ok(())
    })?;
    left_alone(play)
}

fn left_alone(play: &mut Play<'_>) -> Result<()> {
    play.phase("back", Goal::Whole, |_| Ok(()))?;
    // To try it stops the writes of the one that serves.
    let events = play.cluster.lab.told(true);
    let tries = events.iter().filter(|event| {
        event.what.contains("moving the role") || event.what.contains("moved the role")
    });
    play.moved
        .extend(tries.map(|event| format!("{}: {}", event.who, event.what)));
    Ok(())
}

/// Whoever takes over reaches two of three nodes: itself, and the host whose Redis is dead.
pub(super) fn half_blind(play: &mut Play<'_>) -> Result<()> {
    let a = play.serving()?;
    let mut rest = play
        .cluster
        .lab
        .hosts
        .iter()
        .filter(|host| host.name != a.name)
        .cloned();
    let (b, c) = (
        rest.next().context("no second host")?,
        rest.next().context("no third host")?,
    );
    play.cluster.lab.cut_between(&b, &c, true)?;
    play.until_written(SOME)?;
    play.phase("failover", Goal::Beside(&a), |_| redis_server::kill(&a))?;
    play.until_written(SOME)?;
    play.phase("healed", Goal::Whole, |cluster| {
        cluster.lab.cut_between(&b, &c, false)?;
        redis_server::start(&a)
    })
}
