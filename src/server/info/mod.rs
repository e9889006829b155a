//! What a Redis says of itself: the text of INFO, read into values. Pure.
//!
//! Fields come and go between versions, so only those without which nothing can be decided are
//! demanded.

mod fields;
mod memory;
mod software;

use std::net::{IpAddr, SocketAddr};

use self::fields::{Fields, fields, hex_id, keys, make, number, version};
pub(crate) use self::memory::Memory;
pub use self::software::{Make, Version};
use super::term::Term;
use crate::terminal::plain;

/// The replication role of a Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    Master,
    Replica(Following),
}

/// How a replica stands to the one it follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Following {
    /// The host as it was given to SLAVEOF: an address, or a name that a person chose.
    pub host: String,
    pub port: u16,
    /// `master_link_status:up`. Not the same as in sync, nor as alive (R2, R3).
    pub link_up: bool,
    /// A full copy is being received.
    pub syncing: bool,
    /// How much of the copy has come, where the server says (6.2, and before it where the copy was
    /// made on disk).
    pub copied: Option<Copied>,
    /// Bytes of the stream received, where the server says (7.0); the applied ones are
    /// [`Lineage::offset`].
    pub received: Option<i64>,
}

/// How far a copy has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    pub bytes: u64,
    /// All of them; a master that sends the copy while it makes it does not know.
    pub total: Option<u64>,
}

impl Copied {
    pub fn percent(self) -> Option<u8> {
        let total = self
            .total
            .filter(|total| *total >= self.bytes && *total > 0)?;
        u8::try_from(u128::from(self.bytes) * 100 / u128::from(total)).ok()
    }
}

impl Following {
    /// The address that it follows; `None` for a host name.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.host
            .parse::<IpAddr>()
            .ok()
            .map(|ip| SocketAddr::new(ip, self.port))
    }
}

/// The identity and length of a history (R6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    /// `master_replid`.
    pub replid: String,
    /// `master_replid2`, where there is one.
    pub replid2: Option<String>,
    /// `second_repl_offset`: the first byte that is not shared with the history `replid2`.
    pub second_offset: i64,
    /// Bytes of the stream that are in the data: `master_repl_offset`, on a replica
    /// `slave_repl_offset`.
    pub offset: i64,
}

/// The last bytes of the stream, which a master keeps for those that were away for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// The number of its first byte.
    pub first: i64,
    /// How many there are.
    pub bytes: i64,
    /// How many there may be; then the first are overwritten.
    pub size: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replication {
    pub role: Role,
    /// Which history the data is of.
    pub lineage: Lineage,
    /// How many replicas are attached, whatever their state.
    pub replicas: u32,
    pub backlog: Option<Backlog>,
}

/// What the disk has refused, as INFO says it: a master then refuses writes (R44).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// The last write to the AOF failed.
    pub aof_failed: bool,
    /// The last save failed. Whether writes are refused for that is a setting.
    pub save_failed: bool,
}

/// All that the programs know of one Redis at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Changes at every start (R7).
    pub run_id: String,
    pub version: Version,
    pub make: Make,
    /// The data set is being read from disk or from a master.
    pub loading: bool,
    pub keys: u64,
    /// Writes since it last saved its data; unlike the offset it does not move without them (R5).
    pub changes: u64,
    pub disk: Disk,
    pub replication: Replication,
    /// Which reign the data is of; not in INFO, and `None` where it can't be read or there is none.
    pub term: Option<Term>,
}

/// These sections have some 2 kB, and a line of 40 bytes for each database.
const LONGEST: usize = 512 << 10;

impl Observation {
    /// Reads the sections server, replication, persistence and keyspace.
    ///
    /// # Errors
    /// A sentence that names the field which is missing or absurd.
    pub fn read(text: &str) -> Result<Observation, String> {
        if text.len() > LONGEST {
            return Err(format!("INFO of {} bytes is longer than any", text.len()));
        }
        let fields = fields(text);
        let run_id = hex_id(&fields, "run_id")?.ok_or("run_id is missing from INFO")?;
        Ok(Observation {
            run_id,
            version: version(&fields, "redis_version"),
            make: make(&fields),
            loading: fields.get("loading").is_some_and(|v| v != "0")
                || fields.get("async_loading").is_some_and(|v| v != "0"),
            keys: keys(&fields),
            changes: number::<u64>(&fields, "rdb_changes_since_last_save")
                .ok()
                .flatten()
                .unwrap_or(0),
            disk: disk(&fields),
            replication: Replication::from_fields(&fields)?,
            term: None,
        })
    }

    /// It accepts writes from clients.
    pub fn is_master(&self) -> bool {
        self.replication.role == Role::Master
    }

    /// Whom it follows, where it is a replica.
    pub fn following(&self) -> Option<&Following> {
        match &self.replication.role {
            Role::Master => None,
            Role::Replica(following) => Some(following),
        }
    }

    /// It is a replica of `node`.
    pub(crate) fn follows(&self, node: SocketAddr) -> bool {
        self.following().and_then(Following::address) == Some(node)
    }
}

impl Replication {
    /// Reads the replication section.
    pub(crate) fn read(text: &str) -> Result<Replication, String> {
        Replication::from_fields(&fields(text))
    }

    fn from_fields(fields: &Fields<'_>) -> Result<Replication, String> {
        let role = match fields.get("role") {
            Some("master") => Role::Master,
            Some("slave" | "replica") => Role::Replica(following(fields)?),
            Some(other) => {
                return Err(format!(
                    "role:{} in INFO is neither master nor slave",
                    short(other)
                ));
            }
            None => return Err("role is missing from INFO".to_string()),
        };
        let mut offset = number::<i64>(fields, "master_repl_offset")?.unwrap_or(0);
        if let Role::Replica(_) = role {
            // What is applied. Redis keeps both equal; where they differ the smaller one is the
            // honest one.
            offset = number::<i64>(fields, "slave_repl_offset")?
                .map_or(offset, |applied| applied.max(0));
        }
        if offset < 0 {
            return Err(format!("master_repl_offset:{offset} in INFO is negative"));
        }
        let replid = hex_id(fields, "master_replid")?.unwrap_or_default();
        let second_offset = number::<i64>(fields, "second_repl_offset")?.unwrap_or(-1);
        let replid2 = hex_id(fields, "master_replid2")?
            .filter(|id| second_offset >= 0 && id.bytes().any(|byte| byte != b'0'));
        let replicas = number::<u32>(fields, "connected_slaves")?.unwrap_or(0);
        Ok(Replication {
            role,
            lineage: Lineage {
                replid,
                replid2,
                second_offset,
                offset,
            },
            replicas,
            backlog: backlog(fields),
        })
    }
}

fn backlog(fields: &Fields<'_>) -> Option<Backlog> {
    let number = |name| number::<i64>(fields, name).ok().flatten();
    fields.get("repl_backlog_active").filter(|v| *v == "1")?;
    Some(Backlog {
        first: number("repl_backlog_first_byte_offset")?,
        bytes: number("repl_backlog_histlen")?,
        size: number("repl_backlog_size")?,
    })
}

fn disk(fields: &Fields<'_>) -> Disk {
    let failed = |name| fields.get(name) == Some("err");
    Disk {
        aof_failed: fields.get("aof_enabled") == Some("1") && failed("aof_last_write_status"),
        save_failed: failed("rdb_last_bgsave_status"),
    }
}

fn following(fields: &Fields<'_>) -> Result<Following, String> {
    let host = fields.get("master_host").filter(|host| !host.is_empty());
    let port = number::<u16>(fields, "master_port")?;
    let bytes = |name| {
        Ok::<_, String>(number::<i64>(fields, name)?.and_then(|bytes| u64::try_from(bytes).ok()))
    };
    let total = bytes("master_sync_total_bytes")?.filter(|total| *total > 0);
    let left = bytes("master_sync_left_bytes")?;
    let read = bytes("master_sync_read_bytes")?;
    let copied = match (total, left, read) {
        (Some(total), Some(left), _) if left <= total => Some(Copied {
            bytes: total - left,
            total: Some(total),
        }),
        (_, _, Some(read)) => Some(Copied {
            bytes: read,
            total: total.filter(|total| *total >= read),
        }),
        _ => None,
    };
    Ok(Following {
        host: host
            .filter(|host| host.len() < 256)
            .ok_or("master_host is missing from INFO of a replica")?
            .to_string(),
        port: port.ok_or("master_port is missing from INFO of a replica")?,
        link_up: fields
            .get("master_link_status")
            .is_some_and(|status| status == "up"),
        syncing: fields
            .get("master_sync_in_progress")
            .is_some_and(|v| v != "0"),
        copied,
        received: number::<i64>(fields, "slave_read_repl_offset")?,
    })
}

/// What came from outside, as it may stand in a sentence: one line, and not a long one.
pub(crate) fn short(text: &str) -> String {
    const LONGEST: usize = 120;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => plain(&text[..end]) + "...",
        None => plain(text),
    }
}

#[cfg(test)]
mod tests;
