//! One Redis that takes part in a change of roles, and the commands that change its role. Each but
//! [`park`] looks again before it says that it was done.

use std::net::SocketAddr;
use std::time::Duration;

use redis::{Cmd, Value, cmd};

use super::trouble::{Trouble, failed};
use crate::deadline::Deadline;
use crate::look::survey::Survey;
use crate::node::turn::Ended;
use crate::server::Server;
use crate::server::failure::Failure;
use crate::server::info::{Lineage, Replication, Role, Version};

/// How long data that has already arrived may take to be applied before a promotion.
const DRAIN: Duration = Duration::from_millis(200);
/// An offset that has not moved for this long rests.
const REST: Duration = Duration::from_millis(5);

/// The connection to `node`, one of the nodes.
///
/// # Errors
/// [`Trouble`].
pub(crate) fn connected(survey: &mut Survey, node: SocketAddr) -> Result<&mut Server, Trouble> {
    survey
        .node(node)
        .map_err(|failure| failed("connecting to", node, failure))
}

pub(crate) struct Party<'a> {
    pub server: &'a mut Server,
    /// The address that the other party is told to follow.
    pub address: SocketAddr,
    pub version: Version,
}

impl<'a> Party<'a> {
    /// `node`, which said that it is of this `version`.
    ///
    /// # Errors
    /// [`Trouble`].
    pub(crate) fn connected(
        survey: &'a mut Survey,
        node: SocketAddr,
        version: Version,
    ) -> Result<Party<'a>, Trouble> {
        Ok(Party {
            server: connected(survey, node)?,
            address: node,
            version,
        })
    }

    pub(crate) fn replication(
        &mut self,
        doing: &str,
        deadline: Deadline,
    ) -> Result<Replication, Trouble> {
        self.server
            .replication(deadline)
            .map_err(|failure| failed(doing, self.address, failure))
    }

    /// Makes it a replica of `master`, and reads in the same round trip that it is, and its history
    /// at that moment: of a master the history ends with its time as one.
    ///
    /// # Errors
    /// [`Trouble`].
    pub(crate) fn follow(
        &mut self,
        master: SocketAddr,
        command: Duration,
    ) -> Result<Lineage, Trouble> {
        let doing = format!("SLAVEOF {master} on");
        let seen = self
            .server
            .call_and_look(slaveof(master), Deadline::after(command));
        let seen = seen.map_err(|failure| failed(&doing, self.address, failure))?;
        match &seen.role {
            Role::Replica(following) if following.address() == Some(master) => Ok(seen.lineage),
            _ => Err(failed(
                &doing,
                self.address,
                "it said OK and does not follow it",
            )),
        }
    }

    /// Makes it a master as it is. Answers with the history that the new master makes.
    ///
    /// # Errors
    /// [`Trouble`].
    pub(crate) fn follow_nobody(&mut self, command: Duration) -> Result<String, Trouble> {
        let doing = "SLAVEOF NO ONE on";
        let seen = self
            .server
            .call_and_look(no_one(), Deadline::after(command));
        let seen = seen.map_err(|failure| failed(doing, self.address, failure))?;
        match seen.role {
            Role::Master => Ok(seen.lineage.replid),
            Role::Replica(_) => Err(failed(
                doing,
                self.address,
                "it said OK and is still a replica",
            )),
        }
    }
    /// Promotes a replica whose master is gone. What has already arrived is applied first: until
    /// its link is seen down, or its offset rests (a frozen master keeps the link up, R3). Answers
    /// with the history that it makes from then on.
    ///
    /// # Errors
    /// [`Trouble`]; nothing was changed unless the sentence says otherwise.
    pub(crate) fn promote(
        &mut self,
        command: Duration,
        go_on: &dyn Fn() -> Result<(), Ended>,
    ) -> Result<String, Trouble> {
        let limit = Deadline::after(DRAIN);
        let mut last = None;
        loop {
            let seen = self.replication("looking at", Deadline::after(command))?;
            let Role::Replica(following) = &seen.role else {
                return Ok(seen.lineage.replid);
            };
            let applied = following
                .received
                .is_none_or(|received| received <= seen.lineage.offset);
            let rests = last == Some(seen.lineage.offset);
            if applied && (!following.link_up || rests) || limit.is_over() {
                break;
            }
            last = Some(seen.lineage.offset);
            limit.pause(REST);
        }
        go_on()?;
        self.follow_nobody(command)
    }
}

/// Makes a replica follow nobody: it keeps its data, takes no writes, and waits.
pub(crate) fn park(server: &mut Server, command: Duration) -> Result<(), Failure> {
    // Nobody listens there.
    server
        .call(
            cmd("SLAVEOF").arg("127.0.0.1").arg(1),
            Deadline::after(command),
        )
        .map(|_: Value| ())
}

fn slaveof(master: SocketAddr) -> Cmd {
    // Accepted by every version from 2.8 on, and by Valkey (R1).
    cmd("SLAVEOF")
        .arg(master.ip().to_string())
        .arg(master.port())
        .clone()
}

pub(crate) fn no_one() -> Cmd {
    cmd("SLAVEOF").arg("NO").arg("ONE").clone()
}
