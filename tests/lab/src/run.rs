//! One run: a suite on a lab, a writer, and phases whose gaps are measured.

use std::time::Duration;

use anyhow::Result;

use crate::host::Host;
use crate::lab::Lab;
use crate::readback::{bulk_missing, read_back};
use crate::record::{Phase, Record};
use crate::redis_server::{self, Settings};
use crate::story::Story;
use crate::suite::Suite;
use crate::wait;
use crate::writer::{Ack, Rate, Writer, Written};

/// How long a goal must hold before it counts.
const STEADY: Duration = Duration::from_secs(2);

/// What a phase waits for.
#[derive(Clone, Copy)]
pub enum Goal<'a> {
    /// This host serves; what the other one does is of no matter.
    ServesAlone(&'a Host),
    /// This host has the VIP, perhaps not alone, and is a master, perhaps not the only one.
    Promoted(&'a Host),
    /// This host serves and the other one follows.
    Serves(&'a Host),
    /// One of the two serves and the other one follows.
    Settled,
}

/// A run under way.
pub struct Run<'a> {
    /// The lab.
    pub lab: &'a Lab,
    /// The suite that is installed.
    pub suite: Suite,
    /// No phase begins earlier after the first write than the one of the same number here, and the
    /// end comes no earlier than the last: so runs of several suites can be drawn below each other.
    pub in_step: Vec<Duration>,
    began: Duration,
    writer: Writer,
    bulk: usize,
    phases: Vec<(&'static str, Duration, Duration, bool)>,
}

impl<'a> Run<'a> {
    /// Starts Redis, installs the suite, starts keepalived, waits until the first host serves,
    /// and starts the writer.
    pub fn start(lab: &'a Lab, suite: Suite, rate: Rate) -> Result<Run<'a>> {
        bring_up(lab, suite)?;
        let began = lab.story.now();
        let writer = lab.write(rate);
        let run = Run {
            lab,
            suite,
            in_step: Vec::new(),
            began,
            writer,
            bulk: 0,
            phases: Vec::new(),
        };
        run.until_written(100)?;
        Ok(run)
    }

    /// Does something and waits for the goal. A goal that is not reached is no error: it stands
    /// in the record.
    pub fn phase(
        &mut self,
        name: &'static str,
        limit: Duration,
        goal: Goal<'_>,
        act: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        self.keep_step();
        let from = self.lab.story.now();
        act()?;
        let (_, last) = self.writer.acknowledged();
        // A promotion may be the other host's last step before the VIP goes on.
        let hold = if matches!(goal, Goal::Promoted(_)) {
            STEADY / 2
        } else {
            STEADY
        };
        let waited = wait::until_steady(&format!("the goal of {name}"), hold, limit, || {
            self.holds(goal) && self.writer.acknowledged().1 > last
        });
        if let Err(e) = &waited {
            self.lab.story.add("lab", "does", format!("{e:#}"));
        }
        self.phases
            .push((name, from, self.lab.story.now(), waited.is_ok()));
        Ok(())
    }

    fn holds(&self, goal: Goal<'_>) -> bool {
        let lab = self.lab;
        let other = |host: &Host| lab.hosts.iter().find(|h| h.name != host.name);
        let pair = |host: &Host| {
            lab.serves(host)
                && other(host).is_some_and(|other| lab.follows(other))
                && !lab.hosts.iter().any(|host| self.suite.is_busy(host))
        };
        match goal {
            Goal::ServesAlone(host) => {
                // Programs of ours wait for the peer; the scripts' sleeps end.
                lab.serves(host) && (self.suite != Suite::Scripts || !self.suite.is_busy(host))
            }
            Goal::Promoted(host) => {
                lab.holders().contains(&host.name)
                    && lab.masters().contains(&host.name)
                    && !self.suite.is_busy(host)
            }
            Goal::Serves(host) => pair(host),
            Goal::Settled => lab.hosts.iter().any(|host| pair(host)),
        }
    }

    /// Waits until `count` more writes were acknowledged.
    pub fn until_written(&self, count: usize) -> Result<()> {
        let (before, _) = self.writer.acknowledged();
        let limit = Duration::from_secs(60);
        wait::until(&format!("{count} more writes"), limit, || {
            self.writer.acknowledged().0 >= before + count
        })
    }

    /// A hundred more writes are acknowledged; otherwise the last phase has not reached its goal.
    pub fn goes_on(&mut self) {
        let Err(e) = self.until_written(100) else {
            return;
        };
        self.lab.story.add("lab", "does", format!("{e:#}"));
        if let Some((.., reached)) = self.phases.last_mut() {
            *reached = false;
        }
    }

    /// Waits until [`Run::in_step`] lets the next phase begin, or the end come.
    pub fn keep_step(&self) {
        let Some(step) = self.in_step.get(self.phases.len()) else {
            return;
        };
        std::thread::sleep((self.began + *step).saturating_sub(self.lab.story.now()));
    }

    /// Writes megabytes on `host`, past the writer.
    pub fn fill(&mut self, host: &Host, megabytes: usize) -> Result<()> {
        self.bulk += megabytes;
        redis_server::fill(host, megabytes)
    }

    /// Acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.writer.acknowledged().0
    }

    /// Ends the writer, reads everything back, and sums up.
    pub fn finish(self, scenario: &'static str) -> Result<Record> {
        let written: Written = self.writer.stop()?;
        let (masters, holders) = (self.lab.masters(), self.lab.holders());
        let fate = read_back(self.lab, &written)?;
        let bulk = (self.bulk, bulk_missing(self.lab, self.bulk)?);
        tell_of(&self.lab.story, &fate.lost, "lost");
        tell_of(&self.lab.story, &fate.in_files, "in a rollback file only");
        let phases = self.phases.into_iter().map(|(name, from, to, reached)| {
            let (gap, _) = written.longest_gap(from, to);
            Phase {
                name,
                from,
                gap,
                acknowledged: written.count(from, to),
                took: to - from,
                reached,
            }
        });
        let record = Record {
            scenario,
            suite: self.suite,
            settings: self.lab.settings,
            began: self.began,
            phases: phases.collect(),
            acks: written.acks,
            errors: written.errors.into_iter().collect(),
            fate,
            bulk,
            masters,
            holders,
        };
        self.lab.story.add("lab", "does", format!("{record}"));
        Ok(record)
    }
}

/// Puts missing writes into the story: where each run of numbers began, and where it ended.
pub(crate) fn tell_of(story: &Story, missing: &[Ack], what: &str) {
    let mut sorted = missing.to_vec();
    sorted.sort_by_key(|ack| ack.number);
    for run in sorted.chunk_by(|one, next| next.number == one.number + 1) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            continue;
        };
        let text = format!(
            "acknowledged here, {what}: w:{} and so on, {}",
            first.number,
            run.len()
        );
        story.add_at(first.at, "writer", "missing", text);
        if run.len() > 1 {
            let text = format!("the last of these, w:{}", last.number);
            story.add_at(last.at, "writer", "missing", text);
        }
    }
}

/// Redis, the suite and keepalived on both hosts, until the first host serves.
pub fn bring_up(lab: &Lab, suite: Suite) -> Result<()> {
    suite.prepare()?;
    for host in &lab.hosts {
        redis_server::start(host)?;
    }
    for host in &lab.hosts {
        redis_server::until_up(host)?;
    }
    suite.install(lab)?;
    for host in &lab.hosts {
        suite.start_keepalived(host)?;
        if matches!(suite, Suite::Ours { sticky: true, .. }) {
            // Whoever comes first keeps the VIP.
            let first = || lab.holders() == [lab.a().name.as_str()];
            wait::until("the first host has the VIP", Duration::from_secs(60), first)?;
        }
    }
    let quiet = || !lab.hosts.iter().any(|host| suite.is_busy(host));
    wait::until_steady(
        "the first host serves, the others follow",
        Duration::from_secs(1),
        Duration::from_secs(60),
        || lab.all_follow(lab.a()) && quiet(),
    )
}

/// A lab with the usual settings.
pub fn usual_lab() -> Result<Lab> {
    Lab::new(Settings::default())
}
