//! Having the sentinels move the role, where it is Sentinel that decides who is master.

pub(crate) mod handover;

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use super::trouble::{Trouble, failed};
use super::worker::Worker;
use crate::deadline::{Deadline, ms};
use crate::decide::sentinel::{self, Named, Scene};
use crate::exit::Outcome;
use crate::look::sentinels::Sentinels;
use crate::node::hook::Event;
use crate::node::turn::Turn;
use crate::server::failure::Failure;
use crate::server::info::{Observation, Role};

/// Between two looks at what the sentinels say.
pub(crate) const TICK: Duration = Duration::from_millis(20);

/// Between two looks at who is master, while a role is about to change: that time is outage.
const SOON: Duration = Duration::from_millis(5);

/// From a sentinel's OK to a new master: it sends SLAVEOF NO ONE within two of its ticks of 0.1 s,
/// and looks every second.
const PROMOTED: Duration = Duration::from_secs(10);

/// From there until enough of them name it: they tell each other at once, or every 2 s.
const MADE_KNOWN: Duration = Duration::from_secs(5);

const NOBODY: &str = "no sentinel has a replica that it would promote now";

/// One attempt to have the role moved.
pub(crate) struct Attempt<'a> {
    pub worker: &'a mut Worker,
    pub turn: &'a Turn,
    pub sentinels: &'a mut Sentinels,
    /// What it rests on.
    pub scene: &'a Scene,
    /// The node that the role is moved away from.
    pub master: SocketAddr,
    /// For how long the role should have moved already.
    pub waited: Duration,
    pub why: &'a str,
}

impl Attempt<'_> {
    /// The master is dead: a sentinel that is asked does not wait for `down-after-milliseconds`,
    /// nor for the others.
    pub(crate) fn promote(mut self) -> Result<Option<Outcome>, Trouble> {
        let _acting = self.turn.act()?;
        let (view, master) = (&self.scene.view, self.master);
        // If the old master is a replica by now, any replica may be promoted.
        let headless = view.seen(master).is_some_and(|seen| seen.is_ok());
        let nodes = view.nodes().filter_map(|node| {
            let seen = node
                .up()
                .filter(|seen| seen.follows(master) || headless && !seen.is_master())?;
            Some((node.address, seen.replication.lineage.offset))
        });
        let replicas: Vec<(SocketAddr, i64)> = nodes.collect();
        let (mut best, mut reason) = (None, NOBODY.to_string());
        for (sentinel, chosen) in self.choices() {
            match sentinel::is_best(chosen, &replicas, self.waited) {
                // This node, if one of them would choose it: then the VIP need not move again.
                Ok(()) if chosen == self.worker.local => best = Some(sentinel),
                Ok(()) => best = best.or(Some(sentinel)),
                Err(why) => reason = why,
            }
        }
        let Some(sentinel) = best else {
            return Err(self.failed(reason));
        };
        // If this sentinel refuses, no other is asked: that one does not know what this one may
        // still do (R32).
        self.fail_over(sentinel)?;
        let promoted = self.until_promoted()?;
        let took = ms(self.worker.clock.elapsed());
        let keys = view.local.up().map_or(0, |seen| seen.keys);
        let why = self.why;
        self.worker.voice.transition(
            Event::Promoted,
            &format!("Sentinel, asked at once, promoted {promoted}: {master} is gone: {why}"),
            &[
                ("since_start_ms", &took),
                ("keys", &keys),
                ("peer", &master),
            ],
        );
        self.chosen(promoted)
    }

    fn failed(&self, cause: impl Display) -> Trouble {
        failed("moving the role away from", self.master, cause)
    }

    fn fail_over(&mut self, sentinel: SocketAddr) -> Result<(), Trouble> {
        self.sentinels
            .fail_over(sentinel)
            .map_err(|failure| failed("asking for a failover at", sentinel, failure))
    }

    /// Which replica each sentinel that names the master would promote.
    fn choices(&mut self) -> Vec<(SocketAddr, SocketAddr)> {
        let (poll, master) = (&self.scene.poll, self.master);
        let naming: Vec<SocketAddr> = poll.naming(master).collect();
        let choice = |sentinel: SocketAddr| {
            let candidates = self.sentinels.candidates(sentinel, master).ok()?;
            let down = poll
                .words
                .iter()
                .any(|(who, word)| *who == sentinel && word.as_ref().is_ok_and(|word| word.down));
            Some((sentinel, sentinel::choice(&candidates, down)?.address))
        };
        naming.into_iter().filter_map(choice).collect()
    }

    /// Waits for a new master: one that was none when this began, for an ex-master that Sentinel
    /// has not demoted yet is one as well (R22).
    fn until_promoted(&mut self) -> Result<SocketAddr, Trouble> {
        let command = self.worker.config.timing.command;
        let was_master = |node: SocketAddr| {
            self.scene
                .view
                .seen(node)
                .is_some_and(|seen| seen.is_ok_and(Observation::is_master))
        };
        let nodes = self.worker.config.nodes.iter().copied();
        let nodes: Vec<SocketAddr> = nodes
            .filter(|node| *node != self.master && !was_master(*node))
            .collect();
        let limit = Deadline::after(PROMOTED);
        let mut silent: Vec<SocketAddr> = Vec::new();
        loop {
            for node in &nodes {
                if silent.contains(node) {
                    continue;
                }
                match self
                    .worker
                    .survey
                    .node(*node)
                    .and_then(|server| server.replication(Deadline::after(command)))
                {
                    Ok(seen) if seen.role == Role::Master => return Ok(*node),
                    Ok(_) => {}
                    // Every look at it would be outage.
                    Err(Failure::NoConnection | Failure::TimedOut)
                        if *node != self.worker.local =>
                    {
                        silent.push(*node)
                    }
                    Err(_) => {}
                }
            }
            if !limit.pause(SOON) {
                return Err(self.failed("Sentinel was asked, and nobody was promoted"));
            }
        }
    }

    /// Where it is this node the next look finds Sentinel's word for it; where it is another, the
    /// VIP goes there.
    fn chosen(mut self, promoted: SocketAddr) -> Result<Option<Outcome>, Trouble> {
        if promoted == self.worker.local {
            return Ok(None);
        }
        let limit = Deadline::after(MADE_KNOWN);
        while self.worker.survey.holds_vip() && limit.pause(TICK) {
            self.turn.check()?;
            if self.is_named(promoted) {
                break;
            }
        }
        self.worker.voice.line(
            &format!("Sentinel chose {promoted}: the VIP follows when its check has passed"),
            &[],
        );
        Ok(Some(Outcome::No))
    }

    fn is_named(&mut self, node: SocketAddr) -> bool {
        let deadline = Deadline::after(self.worker.config.timing.command);
        self.sentinels.ask(deadline).named() == Named::Node(node)
    }
}
