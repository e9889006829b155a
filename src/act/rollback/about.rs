//! What a rollback file is: the JSON text beside it, for whoever finds it a month later.

use std::fs;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::decide::retention::Data;
use crate::server::info::{Lineage, Observation};

/// No text of ours is longer.
const LONGEST_TEXT: u64 = 1 << 20;

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
    /// What it may be worth. Texts of before have none: it may hold what nobody else has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worth: Option<Worth>,
}

/// What a file may be worth, and by what a later one of the same incident is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Worth {
    /// What the local Redis was: `master` or `replica`.
    pub role: String,
    pub ids: Ids,
    /// Whether a program knew that this node served in this run of its Redis; not known where
    /// Sentinel says who serves.
    pub served: Option<bool>,
    /// The run of the Redis whose data took its place.
    pub followed_run_id: String,
    /// The history when the copy was made: the file has no more than this. A first copy begins a
    /// new history (R28).
    pub lineage_after: Option<History>,
}

/// What the ids of both histories prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ids {
    /// All of it was in what took its place.
    Contained,
    /// It has `diverged_bytes` past a fork that is known.
    Diverged,
    /// Nothing.
    Unknown,
}

impl Ids {
    /// By what a comparison of the two has said.
    pub(crate) fn of(contained: bool, diverged: Option<u64>) -> Ids {
        match (contained, diverged) {
            (true, _) => Ids::Contained,
            (false, Some(_)) => Ids::Diverged,
            (false, None) => Ids::Unknown,
        }
    }
}

impl About {
    /// The text beside the file at `path`, or why that says nothing.
    pub(crate) fn beside(path: &Path) -> Result<About, String> {
        let mut text = String::new();
        let file = match fs::File::open(path.with_extension("json")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(
                    "no text beside it (.json): nothing is known of it but its name".to_owned(),
                );
            }
            file => file.map_err(|error| format!("reading its text: {error}"))?,
        };
        file.take(LONGEST_TEXT)
            .read_to_string(&mut text)
            .map_err(|error| format!("reading its text: {error}"))?;
        serde_json::from_str(&text).map_err(|error| format!("its text (.json) is damaged: {error}"))
    }

    /// The ids proved that all of it was in what took its place.
    pub(crate) fn is_contained(&self) -> bool {
        self.worth
            .as_ref()
            .is_some_and(|worth| worth.ids == Ids::Contained)
    }

    /// What tells whether a later file has all that is in this one.
    pub(crate) fn data(&self) -> Option<Data> {
        let worth = self.worth.as_ref()?;
        let came_up = worth.ids == Ids::Unknown
            && worth.role == "master"
            && worth.served == Some(false)
            && self.lineage.master_replid2.is_none();
        Some(Data {
            before: self.lineage.read(),
            after: worth.lineage_after.as_ref().map(History::read),
            came_up_beside: came_up.then(|| format!("{} {}", self.followed, worth.followed_run_id)),
        })
    }
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

    fn read(&self) -> Lineage {
        Lineage {
            replid: self.master_replid.clone(),
            replid2: self.master_replid2.clone(),
            second_offset: self.second_repl_offset,
            offset: self.master_repl_offset,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn text(worth: &str) -> String {
        let history = r#"{"master_replid": "a", "master_replid2": null, "second_repl_offset": -1,
            "master_repl_offset": 7, "keys": 1, "term": null}"#;
        format!(
            r#"{{"file": "x", "at": "now", "why": "x", "instance": "redis-ha",
            "node": "10.0.0.1:6379", "followed": "10.0.0.2:6379", "run_id": "r",
            "redis_version": "7.0.15", "keys": 1, "bytes": 5, "diverged_bytes": null,
            "lineage": {history}, "followed_lineage": {history}, "look": "y"{worth}}}"#
        )
    }

    fn worth(role: &str, ids: &str, served: &str) -> About {
        let worth = format!(
            r#", "worth": {{"role": "{role}", "ids": "{ids}", "served": {served},
            "followed_run_id": "p", "lineage_after": null}}"#
        );
        serde_json::from_str(&text(&worth)).expect("a text")
    }

    #[test]
    fn a_text_of_before_may_be_of_what_nobody_else_has() {
        let about: About = serde_json::from_str(&text("")).expect("a text");
        assert!(!about.is_contained() && about.data().is_none());
        let again = serde_json::to_string(&about).expect("a text");
        assert!(!again.contains("worth"), "{again}");
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.rdb");
        let said = || About::beside(&path).expect_err("nothing");
        assert!(said().contains("no text beside it"));
        fs::write(path.with_extension("json"), "{").expect("written");
        assert!(said().contains("is damaged"));
    }

    #[test]
    fn only_what_came_up_unknown_and_has_not_served_is_of_a_crash_loop() {
        for (role, ids, served, contained, of_loop) in [
            ("master", "unknown", "false", false, true),
            ("master", "unknown", "true", false, false),
            ("master", "unknown", "null", false, false),
            ("master", "diverged", "false", false, false),
            ("replica", "unknown", "false", false, false),
            ("master", "contained", "false", true, false),
        ] {
            let about = worth(role, ids, served);
            let data = about.data().expect("known");
            let beside = of_loop.then(|| "10.0.0.2:6379 p".to_string());
            assert_eq!(about.is_contained(), contained, "{role} {ids} {served}");
            assert_eq!(data.came_up_beside, beside, "{role} {ids} {served}");
            assert_eq!((data.before.offset, data.after), (7, None));
        }
    }
}
