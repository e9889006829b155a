//! Does a Redis take writes? Asked without writing anything.

use std::net::SocketAddr;

use redis::cmd;

use super::survey::Survey;
use crate::deadline::Deadline;
use crate::decide::ability::Refusal;
use crate::server::Server;
use crate::server::failure::Failure;
use crate::server::info::{Memory, Observation};

impl Survey {
    /// Why `node`, which said `seen`, refuses writes, or would as a master; `None` where it takes
    /// them, or does not say.
    pub(crate) fn refusal(
        &mut self,
        node: SocketAddr,
        seen: &Observation,
        deadline: Deadline,
    ) -> Option<Refusal> {
        let server = self.node(node).ok()?;
        if let Some(says) = refused_by_its_disk(server, seen, deadline) {
            return Some(Refusal::Disk(says));
        }
        let memory = server.memory(deadline)?;
        if !memory.is_full() {
            return None;
        }
        let peers: Vec<SocketAddr> = self.nodes().filter(|peer| *peer != node).collect();
        let has_room = |peer: &SocketAddr| {
            let asked = self.node(*peer).ok();
            asked
                .and_then(|server| server.memory(deadline))
                .is_some_and(|memory: Memory| memory.has_room())
        };
        let room = peers.into_iter().filter(has_room).collect();
        Some(Refusal::Memory {
            used: memory.used,
            limit: memory.limit,
            room,
        })
    }
}

/// Nothing is asked where INFO shows no sign of it.
fn refused_by_its_disk(
    server: &mut Server,
    seen: &Observation,
    deadline: Deadline,
) -> Option<String> {
    if !seen.disk.aof_failed && !seen.disk.save_failed {
        return None;
    }
    if seen.is_master() {
        // PING is refused wherever a write would be (R44).
        return match server.call_again(&cmd("PING"), deadline) {
            Err(Failure::Denied(denial)) if denial.code == "MISCONF" => Some(denial.to_string()),
            _ => None,
        };
    }
    if seen.disk.aof_failed {
        return Some("aof_last_write_status:err".to_string());
    }
    // What a person has set on purpose is no refusal; where it can't be asked, the defaults are.
    let mut is_set = |name: &str, to: &str| {
        let value = server.setting(name, deadline).ok().flatten();
        value.is_some_and(|value| value == to)
    };
    let stops = !is_set("stop-writes-on-bgsave-error", "no") && !is_set("save", "");
    stops.then(|| "rdb_last_bgsave_status:err".to_string())
}
