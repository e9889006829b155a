//! Keeping the data of the local Redis in a rollback file, before it is dropped for a peer's that
//! does not contain it.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use super::copy_delay;
use super::in_file::{self, OnDisk};
use super::party::{self, Party};
use super::rollback::{self, About, History, Ids, Kept, Worth};
use super::trouble::{Trouble, failed};
use super::worker::Worker;
use crate::config::RollbackMode;
use crate::deadline::{Deadline, Stopwatch, ms};
use crate::decide::pair;
use crate::node::hook::Event;
use crate::node::memory::{InFile, Served};
use crate::node::turn::Turn;
use crate::server::fence::Fence;
use crate::server::info::Observation;

/// The writes stay stopped for this long, and two answers more, at a time. That is renewed long
/// before it ends; should we die, they go on.
const HOLD: Duration = Duration::from_secs(5);
const RENEW: Duration = Duration::from_secs(1);

/// The local Redis is about to drop its data for that of `peer`; and what has to be undone on every
/// way out.
pub(super) struct Dropping<'a> {
    pub worker: &'a mut Worker,
    pub turn: &'a Turn,
    pub peer: SocketAddr,
    /// What the peer said when this was decided.
    pub theirs: &'a Observation,
    pub why: &'a str,
    pub fence: Option<Fence>,
    /// A replica was made a master for the time of a dump.
    pub stands_alone: bool,
    /// The length of the history that is in the file: whatever comes after it is nowhere else.
    pub kept_to: Option<i64>,
    /// The file that all of it is in, where there has to be one.
    pub file: Option<OnDisk>,
}

/// Keeps the data of the local Redis `mine`, a master that somebody else is about to make a replica
/// of `peer`, where it is not contained in the peer's; answers with the file, where there has to be
/// one. Its writes are not stopped: no client reaches it through the VIP.
///
/// # Errors
/// [`Trouble`]; nothing was kept.
pub(crate) fn keep_before(
    worker: &mut Worker,
    turn: &Turn,
    mine: &Observation,
    peer: SocketAddr,
    theirs: &Observation,
    why: &str,
) -> Result<Option<OnDisk>, Trouble> {
    let _acting = turn.act()?;
    let mut dropping = Dropping::new(worker, turn, peer, theirs, why);
    dropping.keep(mine)?;
    Ok(dropping.file)
}

impl<'a> Dropping<'a> {
    pub(super) fn new(
        worker: &'a mut Worker,
        turn: &'a Turn,
        peer: SocketAddr,
        theirs: &'a Observation,
        why: &'a str,
    ) -> Dropping<'a> {
        Dropping {
            worker,
            turn,
            peer,
            theirs,
            why,
            fence: None,
            stands_alone: false,
            kept_to: None,
            file: None,
        }
    }

    pub(super) fn stop_writes(&mut self, mine: &Observation) -> Result<(), Trouble> {
        let (local, command) = (self.worker.local, self.worker.config.timing.command);
        let trouble = |failure| failed("stopping the writes on", local, failure);
        let server = self.worker.survey.local().map_err(trouble)?;
        let raised = Fence::raise(server, mine.version, HOLD + 2 * command, command);
        self.fence = Some(raised.map_err(trouble)?.0);
        Ok(())
    }

    /// A rollback file of the local Redis, where it is not contained in the peer's.
    pub(super) fn keep(&mut self, mine: &Observation) -> Result<(), Trouble> {
        let peer = self.peer;
        let (contained, diverged) = pair::containment(mine, self.theirs);
        let past = diverged.map_or_else(|| "unknown".to_string(), |bytes| bytes.to_string());
        match self.worker.config.rollback.mode {
            RollbackMode::Auto | RollbackMode::Never if contained => return Ok(()),
            RollbackMode::Always if mine.keys == 0 => return Ok(()),
            RollbackMode::Never => {
                self.worker.voice.transition(
                    Event::Dropped,
                    &format!("dropping the local data for that of {peer}; rollback.mode is never"),
                    &[("keys", &mine.keys), ("diverged_bytes", &past)],
                );
                return Ok(());
            }
            RollbackMode::Auto | RollbackMode::Always => {}
        }
        if let Some(file) = in_file::holding(self.worker, mine) {
            self.worker
                .voice
                .line(&format!("the local data is in {file} already"), &[]);
            self.file = Some(file);
            return Ok(());
        }
        let clock = Stopwatch::start();
        if mine.following().is_some_and(|following| !following.link_up) {
            self.stop_writes(mine)?;
            self.stands_alone = true;
            self.stand_alone(mine)?;
        }
        let kept = self.take_file(self.about(mine, Ids::of(contained, diverged), diverged));
        // What ended it was a newer notification, not the disk.
        self.turn.check()?;
        let kept = kept.map_err(|error| failed("following", peer, format!("{error:#}")))?;
        self.file = Some(OnDisk::of(&kept));
        self.remember_file(mine, &kept);
        let keys = kept
            .keys
            .map_or_else(|| "unknown".to_string(), |keys| keys.to_string());
        let sentence = format!(
            "kept the local data in {} before following {peer}",
            kept.path.display()
        );
        let (took, file) = (ms(clock.elapsed()), kept.path.display());
        let mut pairs: Vec<(&str, &dyn Display)> = vec![
            ("keys", &keys),
            ("diverged_bytes", &past),
            ("bytes", &kept.bytes),
            ("took_ms", &took),
        ];
        self.worker.voice.line(&sentence, &pairs);
        pairs.extend([("file", &file as &dyn Display), ("peer", &peer)]);
        self.worker.voice.tell(Event::Kept, &sentence, &pairs);
        self.retire(&kept);
        Ok(())
    }

    /// Lets go of older files that need not stay, and says so of each.
    fn retire(&self, kept: &Kept) {
        let config = &self.worker.config;
        let whose = rollback::whose(&config.instance, self.worker.local);
        for removal in rollback::retire::retire(&config.rollback, &whose, &kept.path) {
            match &removal.refused {
                None => self.worker.voice.line(&removal.to_string(), &[]),
                Some(_) => self.worker.voice.warn(&removal),
            }
        }
    }

    /// What is known of the file before it is there.
    fn about(&self, mine: &Observation, ids: Ids, diverged: Option<u64>) -> About {
        let (local, peer, why) = (self.worker.local, self.peer, self.why);
        let served = self.worker.store.get::<Served>();
        let role = if mine.is_master() {
            "master"
        } else {
            "replica"
        };
        let worth = Worth {
            role: role.to_string(),
            ids,
            served: match self.worker.config.sentinel {
                Some(_) => None,
                None => Some(served.is_some_and(|served| served.run_id == mine.run_id)),
            },
            followed_run_id: self.theirs.run_id.clone(),
            lineage_after: None,
        };
        About {
            file: String::new(),
            at: String::new(),
            why: format!("{local} was about to follow {peer}: {why}"),
            instance: self.worker.config.instance.clone(),
            node: local,
            followed: peer,
            run_id: mine.run_id.clone(),
            redis_version: mine.version.to_string(),
            keys: None,
            bytes: 0,
            diverged_bytes: diverged,
            lineage: History::of(mine),
            followed_lineage: History::of(self.theirs),
            look: String::new(),
            worth: Some(worth),
        }
    }

    /// A replica without a link gives nobody a copy of its data (R25), so it is a master for as
    /// long as that takes, its writes stopped. What follows it would drop its own data for ours,
    /// and is parked first: its own program takes it from there.
    fn stand_alone(&mut self, mine: &Observation) -> Result<(), Trouble> {
        let (worker, turn) = (&mut *self.worker, self.turn);
        let (local, command) = (worker.local, worker.config.timing.command);
        let view = worker.look(false);
        for node in view
            .peers
            .iter()
            .filter(|node| node.seen.as_ref().is_ok_and(|seen| seen.follows(local)))
        {
            turn.check()?;
            let parked = worker
                .survey
                .node(node.address)
                .and_then(|peer| party::park(peer, command));
            parked.map_err(|failure| failed("parking", node.address, failure))?;
            worker.voice.line(
                &format!(
                    "made {} a replica of nobody: it follows this node",
                    node.address
                ),
                &[],
            );
        }
        let mut party = Party::connected(&mut worker.survey, local, mine.version)?;
        party.promote(command, &|| turn.check()).map(|_| ())
    }

    fn take_file(&mut self, mut about: About) -> anyhow::Result<Kept> {
        let (command, run_id) = (self.worker.config.timing.command, about.run_id.clone());
        let endpoint = self.worker.survey.local_endpoint().clone();
        let needed =
            self.worker
                .survey
                .local()?
                .number("memory", "used_memory", Deadline::after(command));
        rollback::room_for(&self.worker.config.rollback.dir, needed.unwrap_or(0))?;
        copy_delay::shorten(self.worker, &run_id);
        let config = &self.worker.config;
        let server = self.worker.survey.local()?;
        let (fence, turn) = (&mut self.fence, self.turn);
        let mut renewed = Stopwatch::start();
        let copied = rollback::copy(
            &config.rollback.dir,
            &rollback::whose(&about.instance, about.node),
            &endpoint,
            &config.auth,
            Deadline::after(config.timing.sync),
            &mut || {
                if let Some(fence) = fence.as_mut().filter(|_| renewed.elapsed() >= RENEW) {
                    // If this fails, `drop_data` finds out: it looks at the fence before it drops
                    // anything.
                    let _ = fence.renew(server, HOLD + 2 * command, command);
                    renewed = Stopwatch::start();
                }
                turn.check()
            },
        );
        copy_delay::put_back(self.worker, &run_id);
        let copied = copied?;
        let after = self.worker.survey.look_local(Deadline::after(command));
        if let (Ok(after), Some(worth)) = (after, &mut about.worth)
            && after.run_id == run_id
        {
            worth.lineage_after = Some(History::of(&after));
        }
        copied.publish(about)
    }

    /// Only where nothing can have been written since: from the dump on every write moves the
    /// offset, as a Redis that has once had a replica keeps a backlog.
    fn remember_file(&mut self, mine: &Observation, kept: &Kept) {
        let command = self.worker.config.timing.command;
        let Ok(now) = self.worker.survey.look_local(Deadline::after(command)) else {
            return;
        };
        let lineage = now.replication.lineage;
        let unchanged = match &self.fence {
            Some(fence) => !fence.has_lapsed(),
            None => lineage == mine.replication.lineage,
        };
        if unchanged && now.run_id == mine.run_id {
            self.kept_to = Some(lineage.offset);
            let file = InFile {
                run_id: now.run_id,
                replid: lineage.replid,
                offset: lineage.offset,
                path: kept.path.clone(),
                bytes: kept.bytes,
            };
            // Where it can't be written down the same data is kept twice, should we die.
            let _ = self.worker.store.set(&file);
            self.worker.kept = Some(file);
        }
    }
}
