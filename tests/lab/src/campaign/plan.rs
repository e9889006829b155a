//! What will be done to the pair, all of it computed from the seed before anything starts.

use std::time::Duration;

use super::dice::Dice;
use super::kind::{Class, Kind};
use crate::redis_server::{Boot, Persistence, Settings};

/// Faults of one round begin within this many milliseconds of each other.
const DELAY: u64 = 3000;
/// No fault lasts longer, in milliseconds.
const LASTS: u64 = 8000;
/// Attempts to find another fault that goes with those that a round has.
const TRIES: usize = 20;

/// Whom a fault befalls. Who serves is not known before the round begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// The node that serves when the round begins.
    Serving,
    /// The one that follows it then.
    Other,
    /// Both at once.
    Both,
}

/// One fault.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What happens.
    pub kind: Kind,
    /// To whom.
    pub victim: Victim,
    /// When, in the round.
    pub after: Duration,
    /// For how long, where it has an end.
    pub lasts: Duration,
    /// Decides what else there is to decide.
    pub salt: u64,
}

impl Fault {
    /// When it is over, in the round.
    pub fn end(&self) -> Duration {
        self.after + self.lasts
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let victim = format!("{:?}", self.victim).to_lowercase();
        write!(
            f,
            "{} of {victim} at {:.1}",
            self.kind.name(),
            self.after.as_secs_f32()
        )?;
        if self.kind.lasts() {
            write!(f, "-{:.1} s", self.end().as_secs_f32())
        } else {
            write!(f, " s")
        }
    }
}

/// Faults that overlap, beginning with a settled pair.
#[derive(Clone, Debug)]
pub struct Round {
    /// Counted from 1.
    pub number: usize,
    /// In no order; the first one begins at once.
    pub faults: Vec<Fault>,
}

impl std::fmt::Display for Round {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let faults: Vec<String> = self.faults.iter().map(Fault::to_string).collect();
        write!(f, "{:3}  {}", self.number, faults.join("; "))
    }
}

/// Rounds with `faults` faults in all, or one or two more.
pub fn plan(seed: u64, faults: usize, settings: Settings) -> Vec<Round> {
    plan_of(&Kind::ALL, seed, faults, settings)
}

/// The same with faults that [`plan`] has not: of the term, of TCP alone, of passwords, disks and
/// scripts, and a client that leaves nothing.
pub fn wide_plan(seed: u64, faults: usize, settings: Settings) -> Vec<Round> {
    plan_of(&Kind::wide(), seed, faults, settings)
}

fn plan_of(kinds: &[(Kind, u64)], seed: u64, faults: usize, settings: Settings) -> Vec<Round> {
    let mut rounds: Vec<Round> = Vec::new();
    let mut planned = 0;
    while planned < faults {
        let number = rounds.len() + 1;
        let mut dice = Dice::new(seed, u64::try_from(number).unwrap_or_default());
        let round = Round {
            number,
            faults: round(&mut dice, kinds, settings),
        };
        planned += round.faults.len();
        rounds.push(round);
    }
    rounds
}

fn round(dice: &mut Dice, kinds: &[(Kind, u64)], settings: Settings) -> Vec<Fault> {
    let wanted = dice.weighted(&[(1, 3), (2, 4), (3, 3)]).unwrap_or(1);
    let mut faults = vec![fault(dice, kinds, settings, Duration::ZERO)];
    // One that changes nothing by itself comes with one that does.
    while faults.len() < wanted
        || faults
            .iter()
            .all(|fault| fault.kind.class() == Class::Quiet)
    {
        let after = dice.millis(DELAY);
        let found = (0..TRIES)
            .map(|_| fault(dice, kinds, settings, after))
            .find(|new| goes_with(&faults, new, settings));
        let Some(found) = found else { break };
        faults.push(found);
    }
    faults
}

fn fault(dice: &mut Dice, kinds: &[(Kind, u64)], settings: Settings, after: Duration) -> Fault {
    let kinds: Vec<(Kind, u64)> = kinds
        .iter()
        .copied()
        .filter(|(kind, _)| is_fair(*kind, settings))
        .collect();
    let kind = dice.weighted(&kinds).unwrap_or(Kind::KillRedis);
    let victims: Vec<(Victim, u64)> = kind
        .victims()
        .iter()
        .copied()
        .filter(|(victim, _)| spares_the_data(kind, *victim, settings))
        .collect();
    let victim = dice.weighted(&victims).unwrap_or(Victim::Other);
    // Short ones meet the programs between two steps, long ones outlast a failover.
    let longest = dice
        .weighted(&[(600, 2), (4000, 3), (LASTS, 5)])
        .unwrap_or(LASTS);
    let lasts = if kind.lasts() {
        dice.millis(longest)
    } else {
        Duration::ZERO
    };
    Fault {
        kind,
        victim,
        after,
        lasts,
        salt: dice.next(),
    }
}

/// What Redis loses by itself is no fault of the pair's: booting as its redis.conf says, a master
/// that is back at once with less than it had wipes its replica (R8), and one whose role could not
/// be written follows the other (R10). Nor what only the memory of both has.
fn is_fair(kind: Kind, settings: Settings) -> bool {
    let (aof, as_replica) = (
        settings.persistence == Persistence::Aof,
        settings.boot == Boot::AsReplica,
    );
    match kind {
        Kind::ColdStart | Kind::LostInCopy | Kind::NoDisk => aof,
        Kind::CrashLoop => aof && as_replica,
        Kind::RestartRedis => aof || as_replica,
        Kind::ReadOnlyRedisConf => as_replica,
        _ => true,
    }
}

fn spares_the_data(kind: Kind, victim: Victim, settings: Settings) -> bool {
    let forgetful = settings.persistence != Persistence::Aof;
    match (kind, victim) {
        (Kind::EmptyRedis, Victim::Serving) => settings.boot == Boot::AsReplica,
        (kind, Victim::Both) => !(forgetful && kind.ends_redis()),
        _ => true,
    }
}

/// Whether `new` may overlap the others.
fn goes_with(faults: &[Fault], new: &Fault, settings: Settings) -> bool {
    let class = |fault: &Fault| fault.kind.class();
    let all = || faults.iter().chain([new]);
    // What a person's SLAVEOF drops is gone, and what the disk loses too: nothing may differ
    // between the nodes then.
    if all().any(|fault| class(fault) == Class::Hand) {
        return class(new) == Class::Quiet && !faults.iter().any(|fault| fault.kind == new.kind);
    }
    // Without AOF a Redis that ends takes with it what only it had.
    let forgetful = settings.persistence != Persistence::Aof;
    if forgetful && all().any(|fault| fault.kind.ends_redis()) && class(new) != Class::Quiet {
        return false;
    }
    faults
        .iter()
        .all(|fault| fault.kind != new.kind && fault.kind.part() != new.kind.part())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_is_the_same_plan() {
        let settings = Settings {
            boot: Boot::AsReplica,
            ..Settings::default()
        };
        let text = |seed| {
            plan(seed, 300, settings)
                .iter()
                .map(Round::to_string)
                .collect::<String>()
        };
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
    }

    #[test]
    fn a_long_plan_has_every_fault() {
        let settings = Settings {
            boot: Boot::AsReplica,
            ..Settings::default()
        };
        let plans = [
            (plan(1, 1200, settings), Kind::ALL.to_vec()),
            (wide_plan(1, 1200, settings), Kind::wide()),
        ];
        for (rounds, kinds) in plans {
            for (kind, _) in kinds {
                let times = rounds
                    .iter()
                    .flat_map(|round| &round.faults)
                    .filter(|fault| fault.kind == kind)
                    .count();
                assert!(times > 3, "{} only {times} times", kind.name());
            }
        }
    }

    #[test]
    fn what_a_person_does_begins_a_round_and_nothing_moves_beside_it() {
        let usual = plan(2, 600, Settings::default());
        let wide = wide_plan(2, 600, Settings::default());
        for round in usual.into_iter().chain(wide) {
            let hand = round
                .faults
                .iter()
                .position(|fault| fault.kind.class() == Class::Hand);
            if let Some(at) = hand {
                assert_eq!(at, 0, "{round}");
                assert!(
                    round.faults[1..]
                        .iter()
                        .all(|fault| fault.kind.class() == Class::Quiet),
                    "{round}"
                );
            }
        }
    }
}
