//! One run: a cluster, an application that writes, and phases whose gaps are measured.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use super::played::{Played, Side};
use super::{Cluster, LIMIT, Profile, quiet};
use crate::host::Host;
use crate::readback::read_back;
use crate::record::Phase;
use crate::redis_server;
use crate::run::tell_of;
use crate::sentinel::client::{Asking, Heed};
use crate::wait;
use crate::writer::{Direct, Rate, TIMEOUT, Writer, Written};

/// How long a goal must hold before it counts.
const STEADY: Duration = Duration::from_secs(1);
/// The numbers of an application on a host begin here.
const BESIDE: u64 = 1_000_000_000;

/// What a phase waits for.
#[derive(Clone, Copy)]
pub enum Goal<'a> {
    /// One host serves, the others follow, all sentinels know that.
    Whole,
    /// The same, and it is not that host that serves.
    Moved(&'a Host),
    /// Another host serves; what that one does is of no matter.
    Beside(&'a Host),
    /// That host serves, whatever the sentinels say.
    Stays(&'a Host),
    /// Nobody has the VIP.
    NoVip,
}

/// A run under way.
pub struct Play<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// How long what has to last lasts: a silence of the sentinels, and the quiet time at the end.
    pub long: Duration,
    /// Of faults at random.
    pub seed: u64,
    /// What has moved while nothing should.
    pub moved: Vec<String>,
    rate: Rate,
    writer: Writer,
    beside: Option<Writer>,
    sides: Vec<(String, Written)>,
    phases: Vec<Phase>,
}

impl<'a> Play<'a> {
    /// Starts writing, and comes back at a moment that no clock of the cluster knows.
    pub fn start(cluster: &'a Cluster, rate: Rate, long: Duration, seed: u64) -> Result<Play<'a>> {
        let writer = cluster.writer(rate, 0);
        let (beside, sides, phases, moved) = (None, Vec::new(), Vec::new(), Vec::new());
        let play = Play {
            cluster,
            long,
            seed,
            moved,
            rate,
            writer,
            beside,
            sides,
            phases,
        };
        play.until_written(100)?;
        let noise = SystemTime::now()
            .duration_since(UNIX_EPOCH)?
            .subsec_micros()
            % 1000;
        std::thread::sleep(Duration::from_millis(noise.into()));
        Ok(play)
    }

    /// The host that serves.
    pub fn serving(&self) -> Result<std::sync::Arc<Host>> {
        self.cluster.serving().context("nobody serves")
    }

    /// Does something and waits for the goal. A goal that is not reached is no error: it stands in
    /// what comes out.
    pub fn phase(
        &mut self,
        name: &'static str,
        goal: Goal<'_>,
        act: impl FnOnce(&Cluster) -> Result<()>,
    ) -> Result<()> {
        let story = &self.cluster.lab.story;
        let from = story.now();
        act(self.cluster)?;
        let last = self.writer.acknowledged().1;
        let writes = || matches!(goal, Goal::NoVip) || self.writer.acknowledged().1 > last;
        let mut why = String::new();
        let waited = wait::until_steady(&format!("the goal of {name}"), STEADY, LIMIT, || {
            let missing = self
                .missing(goal)
                .or_else(|| (!writes()).then(|| "nothing is written".to_owned()));
            why = missing.unwrap_or_default();
            why.is_empty()
        });
        if let Err(e) = &waited {
            story.add("lab", "does", format!("{e:#}: {why}"));
        }
        let (to, reached) = (story.now(), waited.is_ok());
        let (gap, acknowledged, took) = (Duration::ZERO, 0, to - from);
        self.phases.push(Phase {
            name,
            from,
            gap,
            acknowledged,
            took,
            reached,
        });
        Ok(())
    }

    fn missing(&self, goal: Goal<'_>) -> Option<String> {
        let cluster = self.cluster;
        let is_served_by = |host: &Host| {
            cluster
                .serving()
                .is_some_and(|serving| serving.name == host.name)
        };
        let no = |what: bool, why: &str| (!what).then(|| why.to_owned());
        match goal {
            Goal::Whole => cluster.wrong().or_else(|| cluster.without_keepalived()),
            Goal::Moved(host) => {
                no(!is_served_by(host), "the same host serves").or_else(|| cluster.wrong())
            }
            Goal::Beside(host) => no(cluster.served_beside(host), "no other host serves"),
            Goal::Stays(host) => no(is_served_by(host), "another host serves, or none"),
            Goal::NoVip => no(cluster.lab.holders().is_empty(), "somebody has the VIP"),
        }
    }

    /// Waits until `count` more writes of the client were acknowledged.
    pub fn until_written(&self, count: usize) -> Result<()> {
        let (before, _) = self.writer.acknowledged();
        wait::until(&format!("{count} more writes"), LIMIT, || {
            self.writer.acknowledged().0 >= before + count
        })
    }

    /// A second application, on that host, until [`Play::end_beside`].
    pub fn begin_beside(&mut self, host: &Host) -> Result<()> {
        let net = host.net().context("off")?;
        let story = &self.cluster.lab.story;
        let writer = if self.cluster.setup.profile == Profile::Alone {
            let mut asking = Asking::new(&net, &[host.address], Heed::Errors);
            Writer::with(BESIDE, &net, self.rate, story, move |number| {
                asking.write(number)
            })
        } else {
            let mut vip = Direct::new(
                SocketAddr::new(crate::lab::VIP, redis_server::PORT),
                TIMEOUT,
                TIMEOUT,
            );
            Writer::with(BESIDE, &net, self.rate, story, move |number| {
                vip.write(number)
            })
        };
        self.beside = Some(writer);
        Ok(())
    }

    /// A second application, which writes to that host's own address whatever has the VIP, until
    /// [`Play::end_beside`].
    pub fn begin_direct(&mut self, host: &Host) {
        let lab = &self.cluster.lab;
        let mut own = Direct::new(
            SocketAddr::new(host.address, redis_server::PORT),
            TIMEOUT,
            TIMEOUT,
        );
        let write = move |number| own.write(number);
        self.beside = Some(Writer::with(
            BESIDE,
            &lab.client,
            self.rate,
            &lab.story,
            write,
        ));
    }

    /// Ends it.
    pub fn end_beside(&mut self, name: &str) -> Result<()> {
        if let Some(writer) = self.beside.take() {
            self.sides.push((name.to_owned(), writer.stop()?));
        }
        Ok(())
    }

    /// Lets some time go by in which nothing may move, ends the client, reads everything back, and
    /// sums up.
    pub fn finish(mut self, scenario: &'static str) -> Result<Played> {
        let cluster = self.cluster;
        if let Err(e) = self.until_written(100) {
            cluster.lab.story.add("lab", "does", format!("{e:#}"));
        }
        self.moved.extend(quiet::moved(cluster, self.long));
        let written = self.writer.stop()?;
        let wrong = cluster.wrong();
        let phases = self.phases.into_iter().map(|phase| {
            let (from, to) = (phase.from, phase.from + phase.took);
            Phase {
                gap: written.longest_gap(from, to).0,
                acknowledged: written.count(from, to),
                ..phase
            }
        });
        let phases = phases.collect();
        let errors = written.errors.clone().into_iter().collect();
        self.sides.insert(0, ("client".to_owned(), written));
        let mut sides = Vec::new();
        for (name, written) in self.sides {
            let fate = read_back(&cluster.lab, &written)?;
            tell_of(
                &cluster.lab.story,
                &fate.lost,
                &format!("by the {name}, lost"),
            );
            tell_of(
                &cluster.lab.story,
                &fate.in_files,
                &format!("by the {name}, in a rollback file only"),
            );
            sides.push(Side { name, fate });
        }
        let setup = cluster.setup;
        let played = Played {
            scenario,
            setup,
            phases,
            sides,
            errors,
            moved: self.moved,
            wrong,
        };
        cluster.lab.story.add("lab", "does", played.to_string());
        Ok(played)
    }
}
