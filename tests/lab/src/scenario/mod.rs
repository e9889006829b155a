//! What happens to a pair. Each scenario is a row of the table that `lab compare` prints.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::host::Host;
use crate::keepalived::{self, Supervision};
use crate::lab::Lab;
use crate::record::Record;
use crate::redis_server;
use crate::run::{Goal, Run};
use crate::suite::Suite;
use crate::writer::Rate;

mod by_hand;
mod cold;
mod cut_off;
mod empty;
mod power;

use self::cold::{A, B};

/// Longer than any sleep of the scripts, and than what ours needs.
const LIMIT: Duration = Duration::from_secs(40);

/// A row.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// For the command line.
    pub name: &'static str,
    /// For the table.
    pub title: &'static str,
    play: fn(&mut Run<'_>) -> Result<()>,
}

/// All of the table.
pub const ALL: [Scenario; 13] = [
    Scenario {
        name: "kill-redis",
        title: "`kill -9` of the serving redis, and back again",
        play: kill_redis,
    },
    Scenario {
        name: "big-copy",
        title: "the same with 600 MB to copy over a 20 MB/s link",
        play: big_copy,
    },
    Scenario {
        name: "kill-keepalived",
        title: "`kill -9` of keepalived, and back",
        play: kill_keepalived,
    },
    Scenario {
        name: "stop-keepalived",
        title: "clean stop of keepalived, and start",
        play: stop_keepalived,
    },
    Scenario {
        name: "power-loss",
        title: "power loss of the serving host, and back",
        play: power::loss,
    },
    Scenario {
        name: "late-network",
        title: "the same, its network up 3 s after its keepalived",
        play: power::late_network,
    },
    Scenario {
        name: "cold-start",
        title: "both hosts cold, the newest data on the second",
        play: power::cold_start,
    },
    Scenario {
        name: "freeze",
        title: "freeze of the serving host for 6 s",
        play: freeze,
    },
    Scenario {
        name: "backup-restarts",
        title: "backup's redis restarts quickly",
        play: backup_restarts,
    },
    Scenario {
        name: "serving-restarts",
        title: "the serving redis restarts quickly",
        play: empty::serving_restarts,
    },
    Scenario {
        name: "hang",
        title: "redis hung (SIGSTOP), then SIGCONT",
        play: hang,
    },
    Scenario {
        name: "partition",
        title: "partition of the two hosts for 20 s, then healed",
        play: partition,
    },
    Scenario {
        name: "flapping",
        title: "five stop/start cycles of keepalived two seconds apart",
        play: flapping,
    },
];

/// More of them: what has to be put right, and hosts that are cut off.
pub const MORE: [Scenario; 17] = [
    more("tour", tour),
    more("replicas-by-hand", by_hand::replicas),
    more("masters-by-hand", by_hand::masters),
    more("empty", empty::empty),
    more("cut-off", cut_off::serving),
    more("cut-off-shortly", cut_off::shortly),
    more("backup-cut-off", cut_off::backup),
    more("restart-alone", cut_off::restart_alone),
    more("unplugged", cut_off::unplugged),
    more("cold-b-newest-a-first-5", cold::cold::<B, A, 5>),
    more("cold-b-newest-b-first-5", cold::cold::<B, B, 5>),
    more("cold-a-newest-b-first-5", cold::cold::<A, B, 5>),
    more("cold-a-newest-a-first-5", cold::cold::<A, A, 5>),
    more("cold-b-newest-a-first-40", cold::cold::<B, A, 40>),
    more("cold-b-newest-b-first-40", cold::cold::<B, B, 40>),
    more("cold-a-newest-b-first-40", cold::cold::<A, B, 40>),
    more("cold-a-newest-a-first-40", cold::cold::<A, A, 40>),
];

/// The phases of the scenario "tour".
pub const TOUR: [&str; 3] = ["failover", "failback", "handover"];

const fn more(name: &'static str, play: fn(&mut Run<'_>) -> Result<()>) -> Scenario {
    Scenario {
        name,
        title: name,
        play,
    }
}

/// The scenario with that name.
pub fn named(name: &str) -> Result<Scenario> {
    let names: Vec<&str> = ALL.iter().chain(&MORE).map(|s| s.name).collect();
    let found = ALL
        .into_iter()
        .chain(MORE)
        .find(|scenario| scenario.name == name);
    found.with_context(|| format!("no scenario {name}; there are: {}", names.join(" ")))
}

impl Scenario {
    /// Plays it on a fresh lab.
    pub fn run(&self, lab: &Lab, suite: Suite, rate: Rate) -> Result<Record> {
        self.run_in_step(lab, suite, rate, &[])
    }

    /// The same, no phase earlier than `steps` say: see [`Run::in_step`].
    pub fn run_in_step(
        &self,
        lab: &Lab,
        suite: Suite,
        rate: Rate,
        steps: &[Duration],
    ) -> Result<Record> {
        let mut run = Run::start(lab, suite, rate)?;
        run.in_step = steps.to_vec();
        (self.play)(&mut run)?;
        run.goes_on();
        run.keep_step();
        run.finish(self.name)
    }
}

/// Redis is there again, and keepalived too if it is not: what an administrator does.
fn repair(suite: Suite, host: &Arc<Host>) -> Result<()> {
    redis_server::start(host)?;
    if !keepalived::runs(host) {
        redis_server::until_up(host)?;
        suite.start_keepalived(host)?;
    }
    Ok(())
}

/// What is reached once everything is repaired.
fn at_the_end<'a>(run: &Run<'a>) -> Goal<'a> {
    match run.suite {
        Suite::Ours { sticky: true, .. } => Goal::Settled,
        _ => Goal::Serves(run.lab.a()),
    }
}

fn failback(run: &mut Run<'_>, limit: Duration, act: impl FnOnce() -> Result<()>) -> Result<()> {
    run.phase("failback", limit, at_the_end(run), act)
}

fn kill_redis(run: &mut Run<'_>) -> Result<()> {
    let (suite, a, b) = (run.suite, run.lab.a(), run.lab.b());
    run.phase("failover", LIMIT, Goal::ServesAlone(b), || {
        redis_server::kill(a)
    })?;
    failback(run, LIMIT, || repair(suite, a))
}

/// What [`crate::matrix`] plays: the serving Redis dies and comes back, and then the role is moved
/// with both alive.
fn tour(run: &mut Run<'_>) -> Result<()> {
    kill_redis(run)?;
    let (a, b) = (run.lab.a(), run.lab.b());
    run.phase(TOUR[2], LIMIT, Goal::Serves(b), || keepalived::stop(a))
}

fn big_copy(run: &mut Run<'_>) -> Result<()> {
    let (suite, a, b) = (run.suite, run.lab.a(), run.lab.b());
    run.phase("failover", LIMIT, Goal::ServesAlone(b), || {
        redis_server::kill(a)
    })?;
    run.fill(b, 600)?;
    run.until_written(100)?;
    a.rate(Some(160))?;
    failback(run, 3 * LIMIT, || repair(suite, a))?;
    a.rate(None)
}

fn kill_keepalived(run: &mut Run<'_>) -> Result<()> {
    let (suite, a, b) = (run.suite, run.lab.a(), run.lab.b());
    run.phase("failover", LIMIT, Goal::Promoted(b), || {
        keepalived::kill_all(a);
        Ok(())
    })?;
    // Where it is started again by itself, an administrator waits for that.
    failback(run, LIMIT, || match suite.supervision() {
        Supervision::Restart => Ok(()),
        Supervision::None => suite.start_keepalived(a),
    })
}

fn stop_keepalived(run: &mut Run<'_>) -> Result<()> {
    let (suite, a, b) = (run.suite, run.lab.a(), run.lab.b());
    let goal = if suite == Suite::Scripts {
        Goal::Promoted(b)
    } else {
        Goal::Serves(b)
    };
    run.phase("failover", LIMIT, goal, || keepalived::stop(a))?;
    failback(run, LIMIT, || suite.start_keepalived(a))
}

fn freeze(run: &mut Run<'_>) -> Result<()> {
    let a = run.lab.a();
    run.phase("freeze", LIMIT, at_the_end(run), || {
        a.freeze();
        std::thread::sleep(Duration::from_secs(6));
        a.thaw();
        Ok(())
    })
}

fn backup_restarts(run: &mut Run<'_>) -> Result<()> {
    let b = run.lab.b();
    run.phase("restart", LIMIT, at_the_end(run), || {
        redis_server::kill(b)?;
        redis_server::start(b)
    })
}

fn hang(run: &mut Run<'_>) -> Result<()> {
    let (a, b) = (run.lab.a(), run.lab.b());
    run.phase("failover", LIMIT / 2, Goal::ServesAlone(b), || {
        redis_server::hang(a);
        Ok(())
    })?;
    failback(run, LIMIT, || {
        redis_server::wake(a);
        Ok(())
    })
}

fn partition(run: &mut Run<'_>) -> Result<()> {
    let lab = run.lab;
    run.phase("partition", 2 * LIMIT, at_the_end(run), || {
        lab.partition(true)?;
        std::thread::sleep(Duration::from_secs(20));
        lab.partition(false)
    })
}

fn flapping(run: &mut Run<'_>) -> Result<()> {
    let (suite, a) = (run.suite, run.lab.a());
    run.phase("flapping", LIMIT, at_the_end(run), || {
        for _ in 0..5 {
            keepalived::stop(a)?;
            std::thread::sleep(Duration::from_secs(2));
            suite.start_keepalived(a)?;
            std::thread::sleep(Duration::from_secs(2));
        }
        Ok(())
    })
}
