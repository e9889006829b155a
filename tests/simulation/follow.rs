//! Models `src/act/follow.rs` and `src/act/keep.rs`: becoming a replica, where nothing is dropped
//! that is not elsewhere.

use crate::decide::pair;
use std::net::SocketAddr;

use super::data::Millis;
use super::handover::{failed, observed};
use super::program::{COMMAND, Program, Trouble};
use super::server::Command;
use super::world::{NOBODY, address};
use crate::decide::view::View;
use crate::node::memory::{Lacking, Outdated};
use crate::server::info::Observation;

const HOLD: Millis = 5000;
const RENEW: Millis = 1000;

/// What has to be undone on every way out.
#[derive(Default)]
struct Held {
    /// Writes are stopped until then.
    ends: Option<Millis>,
    lapsed: bool,
    /// A replica was made a master for the time of a dump.
    stands_alone: bool,
    /// The length of the history that is in the file.
    kept_to: Option<i64>,
}

/// The data of a Redis, as its run, history and offset tell it.
pub type InFile = (String, String, i64);

fn place(seen: &Observation) -> InFile {
    (
        seen.run_id.clone(),
        seen.replication.lineage.replid.clone(),
        seen.replication.lineage.offset,
    )
}

impl Program {
    /// Makes the local Redis a replica of `peer`.
    pub async fn follow(
        &mut self,
        view: &View,
        peer: SocketAddr,
        why: &str,
    ) -> Result<(), Trouble> {
        let (mine, theirs) = (observed(view, address(self.node))?, observed(view, peer)?);
        let _acting = self.act().await?;
        let mut held = Held::default();
        if mine.is_master() {
            self.stop_writes(&mut held).await?;
        }
        let dropped = self.drop_for(peer, theirs, &mut held).await;
        if dropped.is_err() && held.stands_alone {
            let _ = self.order(self.node, Command::Slaveof(Some(NOBODY))).await;
        }
        if held.ends.is_some() {
            let _ = self.order(self.node, Command::Unpause).await;
        }
        dropped?;
        self.forget_served();
        self.tell(|| format!("now a replica of {peer}, because {why}"));
        let _ = self.order(self.node, Command::Rewrite).await;
        Ok(())
    }

    async fn stop_writes(&self, held: &mut Held) -> Result<(), Trouble> {
        let until = self.now() + HOLD + 2 * COMMAND;
        self.order(self.node, Command::Pause(until)).await?;
        held.lapsed |= held.ends.is_some_and(|ends| ends <= self.now());
        held.ends = Some(until);
        Ok(())
    }

    async fn drop_for(
        &mut self,
        peer: SocketAddr,
        theirs: &Observation,
        held: &mut Held,
    ) -> Result<(), Trouble> {
        let mine = self.ask(self.node).await?;
        if mine.is_master() && held.ends.is_none() {
            return Err(failed("the local Redis has become a master meanwhile"));
        }
        self.keep(&mine, theirs, held).await?;
        self.check_turn()?;
        let view = self.look(false).await;
        let now = observed(&view, peer)?;
        if !now.is_master() || now.run_id != theirs.run_id {
            return Err(failed("it is not what it was when this was decided"));
        }
        if held.lapsed || held.ends.is_some_and(|ends| ends < self.now() + COMMAND) {
            return Err(failed("the local writes went on, or soon may"));
        }
        let outdated = Outdated {
            node: peer,
            why: Lacking::Copy,
            at: String::new(),
        };
        self.world.borrow_mut().nodes[self.node].memory.outdated = Some(outdated);
        self.order(self.node, Command::Slaveof(Some(peer))).await?;
        // Read in the same round trip: no step between.
        let last = self.world.borrow().nodes[self.node].redis.offset;
        let kept_to = held.kept_to.unwrap_or(mine.replication.lineage.offset);
        if held.ends.is_some() && last != kept_to {
            let _ = self.order(self.node, Command::Slaveof(Some(NOBODY))).await;
            self.world.borrow_mut().nodes[self.node].memory.outdated = None;
            return Err(failed("the local writes went on"));
        }
        if self.ask(self.node).await?.follows(peer) {
            Ok(())
        } else {
            Err(failed("it said OK and does not follow it"))
        }
    }

    async fn keep(
        &mut self,
        mine: &Observation,
        theirs: &Observation,
        held: &mut Held,
    ) -> Result<(), Trouble> {
        let (contained, _) = pair::containment(mine, theirs);
        let in_file = self.world.borrow().nodes[self.node].in_file.clone();
        if contained || in_file == Some(place(mine)) {
            return Ok(());
        }
        if mine.following().is_some_and(|following| !following.link_up) {
            self.stop_writes(held).await?;
            held.stands_alone = true;
            self.stand_alone().await?;
        }
        self.dump(&mine.run_id, held).await?;
        let now = self.ask(self.node).await?;
        let unchanged = match held.ends {
            Some(ends) => !held.lapsed && ends > self.now(),
            None => place(&now) == place(mine),
        };
        if unchanged && now.run_id == mine.run_id {
            held.kept_to = Some(now.replication.lineage.offset);
            self.world.borrow_mut().nodes[self.node].in_file = Some(place(&now));
        }
        Ok(())
    }

    /// A replica without a link gives nobody a copy of its data: it is a master for as long as that
    /// takes. What follows it would drop its own data for ours, and is parked first.
    async fn stand_alone(&mut self) -> Result<(), Trouble> {
        let view = self.look(false).await;
        for peer in view.peers.iter().filter(|peer| {
            peer.seen
                .as_ref()
                .is_ok_and(|seen| seen.follows(address(self.node)))
        }) {
            self.check_turn()?;
            let peer = self
                .world
                .borrow()
                .resolve(self.node, peer.address)
                .unwrap_or(self.node);
            self.order(peer, Command::Slaveof(Some(NOBODY))).await?;
        }
        self.promote(self.node).await.map(|_| ())
    }

    async fn dump(&mut self, run_id: &str, held: &mut Held) -> Result<(), Trouble> {
        let data = self.world.borrow_mut().dumped(self.node);
        let done = self.now() + self.world.borrow().setup.keeping;
        while self.now() < done {
            let next = RENEW.min(done - self.now());
            self.world.borrow_mut().nodes[self.node].redis.dumped_until = self.now() + next + 500;
            self.pause(next).await;
            if held.ends.is_some() {
                let _ = self.stop_writes(held).await;
            }
            self.check_turn()?;
            let now = self.ask(self.node).await?;
            if now.run_id != run_id || now.following().is_some_and(|following| !following.link_up) {
                return Err(failed("redis-cli --rdb failed"));
            }
        }
        self.world.borrow_mut().kept(self.node, &data.writes);
        Ok(())
    }
}
