//! What happens to a cluster that Sentinel looks after.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};

use super::play::Play;
use super::played::Played;
use super::{Cluster, Setup, Shape, Silent};
use crate::writer::Rate;

mod cut;
mod deaths;
mod faults;
mod moves;
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
        moves::planned,
    ),
    row(
        "planned-move-seen",
        "the same, another application writes to the master's own address",
        THREE,
        false,
        moves::planned_seen,
    ),
    row(
        "move-beside-ex-master",
        "planned move while the ex-master is back and not yet demoted",
        THREE,
        false,
        moves::beside_ex_master,
    ),
    row(
        "redis-dies",
        "`kill -9` of the serving Redis, and back again",
        BOTH,
        true,
        deaths::redis,
    ),
    row(
        "keepalived-dies",
        "`kill -9` of keepalived, started again by systemd",
        THREE,
        false,
        deaths::keepalived,
    ),
    row(
        "keepalived-stays-dead",
        "the same, started again by a person",
        THREE,
        false,
        deaths::keepalived_for_good,
    ),
    row(
        "both-die",
        "`kill -9` of Redis and keepalived, and back",
        THREE,
        false,
        deaths::both,
    ),
    row(
        "host-lost",
        "power loss of the serving host, and back",
        BOTH,
        true,
        deaths::host,
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
        moves::drain,
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
        deaths::keepalived_again_and_again,
    ),
    row(
        "redis-flaps",
        "the serving Redis killed three times in a row",
        THREE,
        true,
        deaths::redis_again_and_again,
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
