//! What a rollback file is: the JSON text beside it, for whoever finds it a month later.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::server::info::{Lineage, Observation};

/// Why, when and from where; and the two histories, so that what is only in the file can be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    /// The name of the file, in the same directory.
    pub file: String,
    /// When it was taken, in local time.
    pub at: String,
    /// The step that was about to drop the data, and its reason.
    pub why: String,
    pub instance: String,
    pub node: SocketAddr,
    /// Which node's data took its place.
    pub followed: SocketAddr,
    /// The run of Redis that it was taken from.
    pub run_id: String,
    /// Its version; a Redis that is much older can't read the file.
    pub redis_version: String,
    /// Keys in the file, as `redis-check-rdb` counted them.
    pub keys: Option<u64>,
    /// The size of the file.
    pub bytes: u64,
    /// Bytes of the history past the fork that the other node lacks, where the ids tell. Term and
    /// PINGs are counted too.
    pub diverged_bytes: Option<u64>,
    /// The history of this data.
    pub lineage: History,
    /// The history of the data that took its place.
    pub followed_lineage: History,
    /// How to look into it.
    pub look: String,
}

/// A history, in the words of INFO.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct History {
    master_replid: String,
    master_replid2: Option<String>,
    second_repl_offset: i64,
    master_repl_offset: i64,
    keys: u64,
    term: Option<String>,
}

impl History {
    /// That of a Redis as it was seen.
    pub(crate) fn of(seen: &Observation) -> History {
        let Lineage {
            replid,
            replid2,
            second_offset,
            offset,
        } = seen.replication.lineage.clone();
        History {
            master_replid: replid,
            master_replid2: replid2,
            second_repl_offset: second_offset,
            master_repl_offset: offset,
            keys: seen.keys,
            term: seen.term.as_ref().map(ToString::to_string),
        }
    }
}

impl std::fmt::Display for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys = if self.keys == 1 { "key" } else { "keys" };
        write!(
            f,
            "{} up to offset {}, {} {keys}",
            self.master_replid, self.master_repl_offset, self.keys
        )?;
        if let Some(elder) = &self.master_replid2 {
            write!(
                f,
                "; before offset {} it was {elder}",
                self.second_repl_offset
            )?;
        }
        match &self.term {
            Some(term) => write!(f, "; term {term}"),
            None => f.write_str("; no term"),
        }
    }
}
