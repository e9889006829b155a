//! The role is moved while all live.

use anyhow::{Result, ensure};

use crate::cluster::Profile;
use crate::cluster::play::{Goal, Play};
use crate::keepalived;
use crate::redis_server;
use crate::sentinel::server::{self, NAME};

/// Where the programs are.
const BIN: &str = "/usr/libexec/keepalived";

/// With keepalived that is stopped, and started; with Sentinel alone its own command.
pub(super) fn planned(play: &mut Play<'_>) -> Result<()> {
    let a = play.serving()?;
    if play.cluster.setup.profile == Profile::Alone {
        return play.phase("move", Goal::Moved(&a), |cluster| {
            cluster.lab.story.add("lab", "does", "SENTINEL FAILOVER");
            let password = cluster.setup.terms.password;
            let said = server::call(
                &cluster.lab.client,
                a.address,
                password,
                &["FAILOVER", NAME],
            )?
            .text();
            ensure!(said == "OK", "SENTINEL FAILOVER: {said}");
            Ok(())
        });
    }
    play.phase("move", Goal::Moved(&a), |_| keepalived::stop(&a))?;
    play.phase("start", Goal::Whole, |cluster| cluster.start_keepalived(&a))
}

/// By a person: `keepalived-redis drain`, and `resume` when the node has stayed out for a while.
pub(super) fn drain(play: &mut Play<'_>) -> Result<()> {
    let a = play.serving()?;
    let by_hand = |words: &str| {
        a.tell(format!("keepalived-redis {words}"));
        let out = a.sh(&format!("{BIN}/keepalived-redis {words} 2>&1"))?;
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        ensure!(out.status.success(), "keepalived-redis {words}: {said}");
        Ok(())
    };
    play.phase("drain", Goal::Moved(&a), |_| by_hand("drain"))?;
    play.until_written(2000)?;
    play.phase("resume", Goal::Moved(&a), |_| by_hand("resume"))
}

/// An application that knows the master's own address is still there when the VIP has gone.
pub(super) fn planned_seen(play: &mut Play<'_>) -> Result<()> {
    let a = play.serving()?;
    play.begin_direct(&a);
    play.until_written(500)?;
    planned(play)?;
    play.end_beside("direct")
}

/// There are two masters then, and the third node moves the role away from the one that Sentinel
/// names.
pub(super) fn beside_ex_master(play: &mut Play<'_>) -> Result<()> {
    let a = play.serving()?;
    play.phase("failover", Goal::Beside(&a), |_| redis_server::kill(&a))?;
    play.until_written(500)?;
    let b = play.serving()?;
    play.phase("move", Goal::Moved(&b), |_| {
        redis_server::start(&a)?;
        redis_server::until_up(&a)?;
        keepalived::stop(&b)
    })?;
    play.phase("start", Goal::Whole, |cluster| cluster.start_keepalived(&b))
}
