//! One run of the world from a seed or a plan, and the smallest one that still shows a violation.

use std::cell::RefCell;
use std::rc::Rc;

use super::data::Millis;
use super::faults::{Fault, Timed};
use super::ledger::Ledger;
use super::processes::Tasks;
use super::random::Random;
use super::setup::Setup;
use super::world::{TICK, World};

/// The first fault, and the last, at most.
const FAULTS: (Millis, Millis) = (15_000, 90_000);
/// Everything is repaired then.
const REPAIR: Millis = 100_000;
/// The pair has this long to come to rest ...
const HEALING: Millis = 150_000;
/// ... and then nothing changes for this long.
const QUIET: Millis = 60_000;

/// A run, as it can be replayed.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub setup: Setup,
    pub faults: Vec<Timed>,
    pub repair: Millis,
    pub end: Millis,
    /// How many writes may end in rollback files alone.
    pub files: Option<u64>,
}

impl Plan {
    /// Random faults, overlapping.
    pub fn random(seed: u64) -> Plan {
        let mut random = Random::new(seed);
        let setup = Setup::random(&mut random);
        let count = random.between(1, 6);
        let mut faults: Vec<Timed> = (0..count)
            .map(|_| Timed::random(&mut random, &setup, FAULTS.0, FAULTS.1))
            .collect();
        faults.sort_by_key(|timed| timed.at);
        Plan {
            seed,
            setup,
            faults,
            repair: REPAIR,
            end: REPAIR + HEALING + QUIET,
            files: None,
        }
    }

    /// Random faults on three nodes.
    pub fn three(seed: u64) -> Plan {
        let mut random = Random::new(seed);
        let setup = Setup {
            nodes: 3,
            ..Setup::random(&mut random)
        };
        let count = random.between(1, 6);
        let mut faults: Vec<Timed> = (0..count)
            .map(|_| Timed::random(&mut random, &setup, FAULTS.0, FAULTS.1))
            .collect();
        faults.sort_by_key(|timed| timed.at);
        Plan {
            seed,
            setup,
            faults,
            repair: REPAIR,
            end: REPAIR + HEALING + QUIET,
            files: None,
        }
    }

    /// Moves that a person or a reload makes, and nothing else.
    pub fn planned(seed: u64) -> Plan {
        let mut random = Random::new(seed);
        // Two masters that nobody has ever told to follow each other are no plan.
        let setup = Setup {
            all_masters: false,
            ..Setup::random(&mut random)
        };
        let at = |index: u64| FAULTS.0 + index * 25_000;
        let faults = (0..3)
            .map(|index| Timed::planned(&mut random, &setup, at(index)))
            .collect();
        Plan {
            seed,
            setup,
            faults,
            repair: REPAIR,
            end: REPAIR + 40_000 + QUIET,
            files: None,
        }
    }

    pub fn run(&self, telling: bool) -> Ledger {
        let world = Rc::new(RefCell::new(World::new(
            self.setup.clone(),
            self.seed,
            telling,
        )));
        let mut tasks = Tasks::default();
        let mut quiet_network = None;
        while world.borrow().now < self.end {
            {
                let mut world = world.borrow_mut();
                let now = world.now;
                for timed in &self.faults {
                    if timed.at == now {
                        world.begin(timed.fault);
                    }
                    if timed.until == now && now < self.repair {
                        world.end(timed.fault);
                        if let Fault::PowerAndLateNetwork(node) = timed.fault {
                            quiet_network = Some((now + 3000, node));
                        }
                    }
                }
                if let Some((_, node)) = quiet_network.take_if(|(at, _)| *at <= now) {
                    world.end(Fault::Isolate(node));
                }
                if now == 0 {
                    for node in 0..self.setup.nodes {
                        world.start_keepalived(node);
                    }
                }
                if now == self.repair {
                    world.repair();
                }
                world.tick();
            }
            tasks.tick(&world);
            world.borrow_mut().now += TICK;
        }
        drop(tasks);
        let mut world = world.borrow_mut();
        world.settled(QUIET);
        let kept = world.ledger.only_in_files;
        if self.files.is_some_and(|most| kept > most) {
            world.violation(format!("cost: {kept} writes are in a rollback file alone"));
        }
        std::mem::take(&mut world.ledger)
    }

    /// Leaves out what is not needed for `goes_wrong`.
    pub fn shrunk(mut self, goes_wrong: &dyn Fn(&Plan) -> bool) -> Plan {
        let mut index = 0;
        while index < self.faults.len() {
            let mut fewer = self.clone();
            fewer.faults.remove(index);
            if goes_wrong(&fewer) {
                self = fewer
            } else {
                index += 1
            }
        }
        self
    }
}

/// Does `work` as the report of a failed assertion: the plan and everything that happened.
pub fn report(plan: &Plan) -> String {
    let ledger = plan.run(true);
    let faults: String = plan
        .faults
        .iter()
        .map(|timed| format!("\n  {timed:?}"))
        .collect();
    let story = ledger.story.join("\n");
    let violations = ledger.violations.join("\n  ");
    format!(
        "seed {}\n{:?}\nfaults:{faults}\nstory:\n{story}\nviolations:\n  {violations}\n",
        plan.seed, plan.setup
    )
}
