//! What happens to a cluster that Sentinel looks after.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::play::{Goal, Play, Played};
use super::{Cluster, Profile, Setup, Shape, Silent};
use crate::keepalived;
use crate::redis_server;
use crate::sentinel::server::{self, NAME};
use crate::writer::Rate;

mod cut;
mod faults;
mod silence;

/// A row.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// For the command line.
    pub name: &'static str,
    /// For the table.
    pub title: &'static str,
    /// The clusters that it makes sense on.
    pub shapes: &'static [Shape],
    /// It makes sense without keepalived.
    pub alone: bool,
    silent: Silent,
    play: fn(&mut Play<'_>) -> Result<()>,
}

const BOTH: &[Shape] = &[Shape::Three, Shape::Witness];
const THREE: &[Shape] = &[Shape::Three];

/// All of them.
pub const ALL: [Scenario; 20] = [
    row(
        "planned-move",
        "planned move of the role and back to a whole cluster",
        BOTH,
        true,
        planned_move,
    ),
    row(
        "planned-move-seen",
        "the same, another application writes to the master's own address",
        THREE,
        false,
        planned_move_seen,
    ),
    row(
        "move-beside-ex-master",
        "planned move while the ex-master is back and not yet demoted",
        THREE,
        false,
        move_beside_ex_master,
    ),
    row(
        "redis-dies",
        "`kill -9` of the serving Redis, and back again",
        BOTH,
        true,
        redis_dies,
    ),
    row(
        "keepalived-dies",
        "`kill -9` of keepalived, started again by systemd",
        THREE,
        false,
        keepalived_dies,
    ),
    row(
        "keepalived-stays-dead",
        "the same, started again by a person",
        THREE,
        false,
        keepalived_stays_dead,
    ),
    row(
        "both-die",
        "`kill -9` of Redis and keepalived, and back",
        THREE,
        false,
        both_die,
    ),
    row(
        "host-lost",
        "power loss of the serving host, and back",
        BOTH,
        true,
        host_lost,
    ),
    row(
        "minority",
        "the serving host cut off from all, its own clients write on",
        THREE,
        true,
        cut::minority,
    ),
    row(
        "minority-seen",
        "the same, but the client reaches both sides",
        THREE,
        true,
        cut::minority_seen,
    ),
    row(
        "replica-cut-off",
        "a host that does not serve is cut off, and back",
        BOTH,
        true,
        cut::replica,
    ),
    row(
        "replica-freezes",
        "a host that does not serve stands still, and goes on",
        BOTH,
        true,
        cut::replica_stands_still,
    ),
    row(
        "half-blind",
        "`kill -9` of the serving Redis while the two others are cut off",
        THREE,
        true,
        cut::half_blind,
    ),
    row(
        "sentinels-hang",
        "all sentinels stopped (SIGSTOP) for a while",
        THREE,
        true,
        silence::hang,
    ),
    row(
        "sentinels-die",
        "all sentinels killed, and started again after a while",
        THREE,
        true,
        silence::die,
    ),
    row(
        "drain",
        "a planned move by hand, and out until it is resumed",
        BOTH,
        false,
        drain,
    ),
    Scenario {
        silent: Silent::Release,
        ..row(
            "sentinels-hang-release",
            "all sentinels stopped, `release`",
            THREE,
            false,
            silence::release,
        )
    },
    row(
        "tilt",
        "`kill -9` of the serving Redis just after all sentinels were stopped",
        THREE,
        true,
        silence::tilt,
    ),
    row(
        "flapping",
        "five stop/start cycles of keepalived two seconds apart",
        THREE,
        false,
        flapping,
    ),
    row(
        "redis-flaps",
        "the serving Redis killed three times in a row",
        THREE,
        true,
        redis_flaps,
    ),
];

/// Only where it is asked for: what comes out has to be read.
pub const MORE: [Scenario; 1] = [row(
    "faults",
    "faults at random (`--seed`)",
    BOTH,
    true,
    faults::faults,
)];

const fn row(
    name: &'static str,
    title: &'static str,
    shapes: &'static [Shape],
    alone: bool,
    play: fn(&mut Play<'_>) -> Result<()>,
) -> Scenario {
    Scenario {
        name,
        title,
        shapes,
        alone,
        silent: Silent::Hold,
        play,
    }
}

/// The scenario with that name.
pub fn named(name: &str) -> Result<Scenario> {
    let names: Vec<&str> = ALL
        .iter()
        .chain(&MORE)
        .map(|scenario| scenario.name)
        .collect();
    let found = ALL
        .into_iter()
        .chain(MORE)
        .find(|scenario| scenario.name == name);
    found.with_context(|| format!("no scenario {name}; there are: {}", names.join(" ")))
}

/// Where the programs are.
const BIN: &str = "/usr/libexec/keepalived";

/// How a scenario is played.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Writes a second.
    pub rate: u32,
    /// How long what has to last lasts: a silence of the sentinels, and the quiet time at the end.
    pub long: Duration,
    /// Of faults at random.
    pub seed: u64,
}

impl Scenario {
    /// How its cluster is set up, which is else as `setup` says.
    pub fn setup(&self, setup: Setup) -> Setup {
        Setup {
            silent: self.silent,
            ..setup
        }
    }

    /// Plays it on a cluster that was booted with [`Scenario::setup`]. While something is measured
    /// `alone` is held: what else runs has to wait for it.
    pub fn run(&self, cluster: &Cluster, terms: Terms, alone: &Mutex<()>) -> Result<Played> {
        let guard = alone.lock().unwrap_or_else(PoisonError::into_inner);
        let mut play = Play::start(cluster, Rate::PerSecond(terms.rate), terms.long, terms.seed)?;
        (self.play)(&mut play)?;
        drop(guard);
        play.finish(self.name)
    }
}

/// With keepalived that is stopped, and started; with Sentinel alone its own command.
fn planned_move(play: &mut Play<'_>) -> Result<()> {
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
fn drain(play: &mut Play<'_>) -> Result<()> {
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
fn planned_move_seen(play: &mut Play<'_>) -> Result<()> {
    let a = play.serving()?;
    play.begin_direct(&a);
    play.until_written(500)?;
    planned_move(play)?;
    play.end_beside("direct")
}

/// There are two masters then, and the third node moves the role away from the one that Sentinel
/// names.
fn move_beside_ex_master(play: &mut Play<'_>) -> Result<()> {
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

fn redis_dies(play: &mut Play<'_>) -> Result<()> {
    let a = play.serving()?;
    play.phase("failover", Goal::Beside(&a), |_| redis_server::kill(&a))?;
    play.phase("back", Goal::Whole, |_| redis_server::start(&a))
}

fn keepalived_dies(play: &mut Play<'_>) -> Result<()> {
    let a = play.serving()?;
    play.phase("failover", Goal::Whole, |_| {
        keepalived::kill_all(&a);
        Ok(())
    })
}

/// The VIP stays on the dead one's interface (K9), beside that of its successor.
fn keepalived_stays_dead(play: &mut Play<'_>) -> Result<()> {
    let a = play.serving()?;
    play.phase("failover", Goal::Beside(&a), |_| {
        keepalived::kill_for_good(&a)
    })?;
    play.phase("back", Goal::Whole, |cluster| cluster.start_keepalived(&a))
}

fn both_die(play: &mut Play<'_>) -> Result<()> {
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

fn host_lost(play: &mut Play<'_>) -> Result<()> {
    let a = play.serving()?;
    play.phase("failover", Goal::Beside(&a), |_| a.power_off())?;
    play.phase("back", Goal::Whole, |cluster| cluster.power_on(&a))
}

fn flapping(play: &mut Play<'_>) -> Result<()> {
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

fn redis_flaps(play: &mut Play<'_>) -> Result<()> {
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
