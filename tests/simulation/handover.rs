//! Models `src/act/handover.rs`, and the promotion in `src/act/party.rs`.

use std::net::SocketAddr;

use super::data::Millis;
use super::program::{COMMAND, Program, Trouble};
use super::server::Command;
use super::world::{TICK, address};
use crate::decide::view::View;
use crate::server::info::{Observation, Role};

const CATCH_UP: Millis = 500;
const DRAIN: Millis = 200;

pub fn failed(why: impl Into<String>) -> Trouble {
    Trouble::Failed(why.into())
}

/// What a node said in the look that a step rests on.
pub fn observed(view: &View, node: SocketAddr) -> Result<&Observation, Trouble> {
    match view.seen(node) {
        Some(Ok(seen)) => Ok(seen),
        _ => Err(failed("it was not seen")),
    }
}

fn follows(seen: &Observation, node: usize) -> bool {
    seen.follows(address(node))
}

impl Program {
    /// Moves the role; answers with the history that the taker makes.
    pub async fn swap(&self, giver: usize, taker: usize) -> Result<String, Trouble> {
        let ends = self.now() + CATCH_UP + 3 * COMMAND;
        self.order(giver, Command::Pause(ends)).await?;
        let moved = self.swap_fenced(giver, taker, ends).await;
        let _ = self.order(giver, Command::Unpause).await;
        moved
    }

    async fn swap_fenced(
        &self,
        giver: usize,
        taker: usize,
        ends: Millis,
    ) -> Result<String, Trouble> {
        let held = self.ask(giver).await?;
        if !held.is_master() {
            return Err(failed("the giver is no master any more"));
        }
        self.reach(taker, giver, held.replication.lineage.offset, CATCH_UP)
            .await?;
        self.check_turn()?;
        if ends < self.now() + COMMAND {
            return Err(failed("its writes may soon go on"));
        }
        let moved = self.demote_and_promote(giver, taker).await;
        if moved.is_err() {
            // Only the giver is sure to have everything, unless another program has promoted the
            // taker.
            let replica = |seen: Result<Observation, _>| seen.is_ok_and(|seen| !seen.is_master());
            if replica(self.ask(taker).await) && replica(self.ask(giver).await) {
                let _ = self.order(giver, Command::Slaveof(None)).await;
            }
        }
        moved
    }

    async fn demote_and_promote(&self, giver: usize, taker: usize) -> Result<String, Trouble> {
        self.order(giver, Command::Slaveof(Some(address(taker))))
            .await?;
        // Read in the same round trip: no step between.
        let last = self.world.borrow().nodes[giver].redis.offset;
        self.reach(taker, giver, last, TICK).await?;
        self.promote_once(taker).await
    }

    async fn reach(
        &self,
        replica: usize,
        master: usize,
        offset: i64,
        budget: Millis,
    ) -> Result<(), Trouble> {
        let until = self.now() + budget;
        loop {
            let seen = self.ask(replica).await?;
            if !follows(&seen, master) {
                return Err(failed("it no longer follows the master"));
            }
            if seen.replication.lineage.offset >= offset {
                return Ok(());
            }
            if self.now() >= until {
                return Err(failed("bytes were still missing"));
            }
            self.pause(1).await;
        }
    }

    pub(super) async fn promote_once(&self, node: usize) -> Result<String, Trouble> {
        self.order(node, Command::Slaveof(None)).await?;
        let seen = self.ask(node).await?;
        if seen.is_master() {
            Ok(seen.replication.lineage.replid)
        } else {
            Err(failed("it said OK and is still a replica"))
        }
    }

    /// Promotes a replica whose master is gone, when what has arrived is applied.
    pub async fn promote(&self, node: usize) -> Result<String, Trouble> {
        let until = self.now() + DRAIN;
        let mut last = None;
        loop {
            let seen = self.ask(node).await?;
            let lineage = &seen.replication.lineage;
            let Role::Replica(following) = &seen.replication.role else {
                return Ok(lineage.replid.clone());
            };
            if !following.link_up || last == Some(lineage.offset) || self.now() >= until {
                break;
            }
            last = Some(lineage.offset);
            self.pause(1).await;
        }
        self.check_turn()?;
        self.promote_once(node).await
    }
}
