//! Models `src/act/bring_along.rs`: the other nodes of three follow the new master.

use crate::decide::pair;
use std::net::SocketAddr;

use super::handover::observed;
use super::program::{Ended, Program, Trouble};
use super::server::Command;
use super::world::NOBODY;
use crate::decide::view::View;

impl Program {
    pub async fn bring_along(&mut self, master: SocketAddr) -> Result<(), Ended> {
        if self.world.borrow().setup.nodes < 3 {
            return Ok(());
        }
        let view = self.look(false).await;
        for node in pair::stragglers(&view, master) {
            match self.bring(&view, node, master).await {
                Ok(()) => self.tell(|| format!("brought {node} along")),
                Err(Trouble::Ended) => return Err(Ended),
                Err(Trouble::Failed(why)) => {
                    self.tell(|| format!("did not bring {node} along: {why}"))
                }
            }
        }
        Ok(())
    }

    async fn bring(
        &mut self,
        view: &View,
        node: SocketAddr,
        master: SocketAddr,
    ) -> Result<(), Trouble> {
        let (seen, theirs) = (observed(view, node)?, observed(view, master)?);
        let brought = self
            .world
            .borrow()
            .resolve(self.node, node)
            .unwrap_or(self.node);
        let _acting = self.act().await?;
        self.order(brought, Command::Slaveof(Some(master))).await?;
        // Read in the same round trip: no step between.
        let last = self.world.borrow().observe(brought).replication.lineage;
        if last.offset != seen.replication.lineage.offset && !pair::contains(theirs, seen, &last) {
            let _ = self.order(brought, Command::Slaveof(Some(NOBODY))).await;
            return Ok(());
        }
        let _ = self.order(brought, Command::Rewrite).await;
        Ok(())
    }
}
