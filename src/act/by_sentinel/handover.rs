//! A planned move of the role through Sentinel: the master lives, and nothing that it acknowledges
//! may be lost.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Attempt, MADE_KNOWN, NOBODY, TICK};
use crate::act::party::{Party, connected};
use crate::act::record;
use crate::act::trouble::{Trouble, failed, observed};
use crate::deadline::{Deadline, Stopwatch, ms};
use crate::decide::sentinel;
use crate::exit::Outcome;
use crate::node::hook::Event;
use crate::server::failure::Failure;
use crate::server::fence::Fence;
use crate::server::info::{Replication, Role, Version};
use crate::server::new_role;

/// The master's writes stay stopped for so long while its replicas catch up; after it they go on,
/// and all starts over.
const CATCH_UP: Duration = Duration::from_millis(500);
/// If we die after a sentinel was asked, the old master's writes stay stopped this long: Sentinel
/// makes it a replica 8 to 11 s later (R22).
const DEMOTED: Duration = Duration::from_secs(20);

/// Those of the other nodes that answer.
struct Replicas {
    /// They have all that the master has.
    reached: Vec<SocketAddr>,
    lagging: Vec<SocketAddr>,
}

impl Attempt<'_> {
    /// The master lives: its writes stop first, so that nothing is acknowledged there which the new
    /// one has not (R21).
    pub(crate) fn hand_over(mut self) -> Result<Option<Outcome>, Trouble> {
        let (master, command) = (self.master, self.worker.config.timing.command);
        let version = observed(&self.scene.view, master)?.version;
        let _acting = self.turn.act()?;
        let clock = Stopwatch::start();
        let giver = connected(&mut self.worker.survey, master)?;
        // Three sentinels are asked in between.
        let pause = CATCH_UP + 6 * command;
        let (mut fence, held) = Fence::raise(giver, version, pause, command)
            .map_err(|failure| self.unstopped(failure))?;
        let moved = self
            .ask_fenced(&held, &mut fence)
            .and_then(|()| self.finish(&clock, &mut fence));
        // What waited there gets its READONLY: the writes go on only where they are no longer
        // taken.
        let followed = moved
            .as_ref()
            .ok()
            .map(|promoted| self.demote(*promoted, version));
        let lowered = self
            .worker
            .survey
            .node(master)
            .and_then(|giver| fence.lower(giver, command));
        let promoted = moved?;
        if let Err(failure) = lowered {
            self.worker.voice.warn(format_args!(
                "letting the writers of {master} go on: {failure}"
            ));
        }
        if let Some(Err(trouble)) = followed {
            self.worker
                .voice
                .warn(format_args!("{trouble}; leaving it to Sentinel"));
        } else {
            self.tidy();
        }
        let (took, total) = (ms(clock.elapsed()), ms(self.worker.clock.elapsed()));
        let why = self.why;
        self.worker.voice.transition(
            Event::TookOver,
            &format!("Sentinel moved the role from {master} to {promoted}: {why}"),
            &[
                ("took_ms", &took),
                ("since_start_ms", &total),
                ("offset", &held.lineage.offset),
                ("peer", &master),
            ],
        );
        self.chosen(promoted)
    }

    fn unstopped(&self, failure: Failure) -> Trouble {
        failed("stopping the writes on", self.master, failure)
    }

    /// With the writes stopped: waits for the replicas, and asks a sentinel that would promote one
    /// which has everything. `held` is what was seen of the master when they had stopped.
    fn ask_fenced(&mut self, held: &Replication, fence: &mut Fence) -> Result<(), Trouble> {
        let command = self.worker.config.timing.command;
        if held.role != Role::Master {
            return Err(self.failed("it is no master any more"));
        }
        let Replicas { reached, lagging } = self.gather(held.lineage.offset);
        self.turn.check()?;
        let mut reason = NOBODY.to_string();
        let mut safe: Vec<(SocketAddr, SocketAddr)> = Vec::new();
        for (sentinel, chosen) in self.choices() {
            match sentinel::is_safe(chosen, &reached, &lagging, self.waited) {
                Ok(()) => safe.push((sentinel, chosen)),
                Err(why) => reason = why,
            }
        }
        // This node, if one of them would choose it: then the VIP need not move again.
        let best = safe
            .iter()
            .find(|(_, chosen)| *chosen == self.worker.local)
            .or(safe.first());
        let Some((sentinel, _)) = best else {
            return Err(self.failed(reason));
        };
        self.turn.check()?;
        if fence.has_lapsed() || fence.left() < command {
            return Err(self.failed("its writes may soon go on; starting over"));
        }
        // From here on a write there would be lost, whether we live or not.
        let giver = connected(&mut self.worker.survey, self.master)?;
        let renewed = fence.renew(giver, DEMOTED, command);
        renewed.map_err(|failure| self.unstopped(failure))?;
        self.fail_over(*sentinel)
    }

    /// Waits until there is a new master that enough sentinels name: then the old one may be made
    /// its replica, as Sentinel would do some seconds later (R22). No newer notification ends it:
    /// the writes must not go on before.
    fn finish(&mut self, clock: &Stopwatch, fence: &mut Fence) -> Result<SocketAddr, Trouble> {
        let (master, command) = (self.master, self.worker.config.timing.command);
        let promoted = self.until_promoted()?;
        let (took, total) = (ms(clock.elapsed()), ms(self.worker.clock.elapsed()));
        self.worker.voice.line(
            &format!("{promoted} is master; {master} takes no writes until it is its replica"),
            &[("took_ms", &took), ("since_start_ms", &total)],
        );
        let limit = Deadline::after(MADE_KNOWN);
        while !self.is_named(promoted) {
            if !limit.pause(TICK) {
                // Nobody is made a replica of what Sentinel does not call master.
                return Err(self.failed(format_args!("{promoted} is master, and not named")));
            }
            if fence.left() < 4 * command
                && let Ok(giver) = self.worker.survey.node(master)
            {
                let _ = fence.renew(giver, DEMOTED, command);
            }
        }
        Ok(promoted)
    }

    /// What Sentinel has decided is carried out; it does so by itself, should this fail.
    fn demote(&mut self, promoted: SocketAddr, version: Version) -> Result<(), Trouble> {
        let command = self.worker.config.timing.command;
        Party::connected(&mut self.worker.survey, self.master, version)?
            .follow(promoted, command)
            .map(|_| ())
    }

    /// The clients of the old master lead to a replica now, and its role has to outlive a restart.
    /// Not before the fence is lowered, which must not be written down.
    fn tidy(&mut self) {
        let (old, command) = (self.master, self.worker.config.timing.command);
        let Ok(server) = self.worker.survey.node(old) else {
            return;
        };
        let disconnected = new_role::disconnect_clients(server, command);
        record::rewrite(self.worker, &[old]).warn(&self.worker.voice);
        if let Err(failure) = disconnected {
            self.worker.voice.warn(format_args!(
                "disconnecting the clients of {old}: {failure}"
            ));
        }
    }

    /// Which of them have reached `offset` of the master after [`CATCH_UP`] at most, or by when a
    /// newer notification came.
    fn gather(&mut self, offset: i64) -> Replicas {
        let (master, command) = (self.master, self.worker.config.timing.command);
        let nodes = self.scene.view.nodes();
        let answering = nodes
            .filter(|node| node.address != master && node.seen.is_ok())
            .map(|node| node.address);
        let mut replicas = Replicas {
            reached: Vec::new(),
            lagging: answering.collect(),
        };
        let limit = Deadline::after(CATCH_UP);
        loop {
            replicas.lagging.retain(|node| {
                let seen = self
                    .worker
                    .survey
                    .node(*node)
                    .and_then(|server| server.replication(Deadline::after(command)));
                match seen {
                    Ok(seen) => match &seen.role {
                        Role::Replica(of)
                            if of.address() == Some(master)
                                && of.link_up
                                && seen.lineage.offset >= offset =>
                        {
                            replicas.reached.push(*node);
                            false
                        }
                        _ => true,
                    },
                    // Who answers no more is not promoted either.
                    Err(_) => false,
                }
            });
            if replicas.lagging.is_empty()
                || self.turn.check().is_err()
                || !limit.pause(Duration::from_millis(1))
            {
                return replicas;
            }
        }
    }
}
