//! `kill -9` of the serving Redis: how long nobody can write, with the scripts, with ours, with
//! Redis Sentinel.

use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::Say;
use super::figures::{Figures, milliseconds, shown, table};
use super::rig::{Outcome, PATIENCE, RATE, Rig};
use super::sentinels::{self, Sentinels};
use crate::suite::Suite;

/// The scripts' outages of eleven seconds disturb nobody, and each other least of all: so many
/// pairs at once.
const SCRIPTS_AT_ONCE: usize = 4;
/// A side that fails so often is given up.
const FAILURES: usize = 3;

/// Who keeps the service going.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Side {
    /// keepalived with one of the suites.
    Keepalived(Suite),
    /// Redis Sentinel, with its `down-after-milliseconds`.
    Sentinel(Duration),
}

/// A pair that can be hurt again and again.
enum Contender {
    Rig(Box<Rig>),
    Sentinels(Box<Sentinels>),
}

impl Contender {
    fn new(side: Side) -> Result<Contender> {
        Ok(match side {
            Side::Keepalived(suite) => Contender::Rig(Box::new(Rig::new(suite)?)),
            Side::Sentinel(down_after) => {
                Contender::Sentinels(Box::new(Sentinels::new(down_after)?))
            }
        })
    }

    fn crash(&mut self) -> Result<Outcome> {
        match self {
            Contender::Rig(rig) => rig.crash(),
            Contender::Sentinels(sentinels) => sentinels.crash(),
        }
    }
}

/// All outcomes of one side.
pub struct Runs {
    side: Side,
    /// In order.
    pub outcomes: Vec<Outcome>,
    failures: Vec<String>,
    contender: Option<Contender>,
}

impl Runs {
    /// None yet.
    pub fn new(side: Side) -> Runs {
        Runs {
            side,
            outcomes: Vec::new(),
            failures: Vec::new(),
            contender: None,
        }
    }

    /// One more, on the pair of the last one if that has come to no harm.
    pub fn once_more(&mut self, say: Say<'_>) {
        if self.failures.len() >= FAILURES {
            return;
        }
        let mut contender = match self
            .contender
            .take()
            .map_or_else(|| Contender::new(self.side), Ok)
        {
            Ok(contender) => contender,
            Err(e) => return self.failed(format!("{e:#}"), say),
        };
        match contender.crash() {
            Ok(outcome) => {
                let Outcome {
                    gap,
                    acknowledged,
                    lost,
                    in_files,
                } = &outcome;
                say(&format!(
                    "crash, {}: {}; {acknowledged} acknowledged, {lost} lost, {in_files} in files",
                    name(self.side),
                    shown(*gap)
                ));
                self.outcomes.push(outcome);
                self.contender = Some(contender);
            }
            Err(e) => self.failed(format!("{e:#}"), say),
        }
    }

    fn failed(&mut self, why: String, say: Say<'_>) {
        say(&format!("crash, {}: {why}", name(self.side)));
        self.failures.push(why);
    }
}

fn name(side: Side) -> String {
    match side {
        Side::Keepalived(Suite::Scripts) => "shell scripts".to_owned(),
        Side::Keepalived(Suite::FAST) => "keepalived-redis, fast profile".to_owned(),
        Side::Keepalived(_) => "keepalived-redis, plain profile".to_owned(),
        Side::Sentinel(after) => format!("Redis Sentinel, down-after {} ms", after.as_millis()),
    }
}

/// The benchmark.
pub fn crash(runs: usize, say: Say<'_>) -> Result<String> {
    let scripts = scripts(runs, say)?;
    let sides = [
        Side::Keepalived(Suite::OURS),
        Side::Keepalived(Suite::FAST),
        Side::Sentinel(Duration::from_millis(200)),
        Side::Sentinel(Duration::from_secs(1)),
    ];
    let mut others = sides.map(Runs::new);
    for _ in 0..runs {
        others.iter_mut().for_each(|side| side.once_more(say));
    }
    let gaps = |runs: &Runs| Figures::times(runs.outcomes.iter().map(|outcome| outcome.gap));
    let [plain, fast, ..] = &others;
    let (plain, fast) = (gaps(plain), gaps(fast));
    let rows = std::iter::once(&scripts).chain(&others).map(|runs| {
        let gap = gaps(runs);
        let mut row = vec![name(runs.side), gap.count().to_string()];
        row.extend(gap.cells(milliseconds));
        row.extend([gap.times_of(&plain), gap.times_of(&fast)]);
        row.extend(fates(&runs.outcomes));
        row.push(runs.failures.len().to_string());
        row
    });
    let head = [
        "",
        "runs",
        "median",
        "95 %",
        "lowest - highest",
        "÷ plain",
        "÷ fast",
        "acknowledged",
        "lost",
        "in files",
        "failed runs",
    ];
    Ok(format!(
        "The longest time without an acknowledged write when the Redis that serves is killed, at \
         {RATE} writes a second \
         (an answer and a connection are waited for {} ms at most, by all), at a random moment \
         between two checks. keepalived's \
         clients write through the VIP; Sentinel's ask three sentinels for the master after every \
         error, and when one of \
         them says that it has moved; quorum 2, failover-timeout {} ms. *Lost* are acknowledged \
         writes that the survivor \
         does not have, and that no rollback file has later. Ours and Sentinel in turns, each on \
         a pair that is repaired \
         after each run; the scripts before them, {SCRIPTS_AT_ONCE} pairs at a time.\n\n{}",
        PATIENCE.as_millis(),
        sentinels::FAILOVER_TIMEOUT.as_millis(),
        table(&head, &rows.collect::<Vec<_>>())
    ))
}

/// Acknowledged, lost, in files: of all outcomes together.
pub fn fates(outcomes: &[Outcome]) -> [String; 3] {
    let sum = |what: fn(&Outcome) -> usize| outcomes.iter().map(what).sum::<usize>().to_string();
    [
        sum(|o| o.acknowledged),
        sum(|o| o.lost),
        sum(|o| o.in_files),
    ]
}

fn scripts(runs: usize, say: Say<'_>) -> Result<Runs> {
    let all = Mutex::new(Runs::new(Side::Keepalived(Suite::Scripts)));
    let left = Mutex::new(runs);
    std::thread::scope(|scope| {
        for _ in 0..SCRIPTS_AT_ONCE.min(runs) {
            scope.spawn(|| {
                let mut own = Runs::new(Side::Keepalived(Suite::Scripts));
                while left.lock().is_ok_and(|mut left| {
                    let more = *left > 0;
                    *left = left.saturating_sub(1);
                    more
                }) {
                    own.once_more(say);
                }
                own.contender = None;
                if let Ok(mut all) = all.lock() {
                    all.outcomes.append(&mut own.outcomes);
                    all.failures.append(&mut own.failures);
                }
            });
        }
    });
    all.into_inner().map_err(|_| anyhow!("a thread died"))
}
