//! Letting go of older files after a new one was taken.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytesize::ByteSize;

use super::fate::going;
use super::shelf::{files_of, remove, verdicts};
use crate::config::Rollback;
use crate::decide::retention::Verdict;

/// A file that was let go, or should have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Removal {
    pub path: PathBuf,
    pub bytes: u64,
    /// Why it went, in a few words.
    pub why: String,
    /// Why it is still there, if it is.
    pub refused: Option<String>,
}

/// Lets go of the files of `whose` that need not stay now that `kept` is there, which stays
/// whatever its name and the clock say.
pub(crate) fn retire(settings: &Rollback, whose: &str, kept: &Path) -> Vec<Removal> {
    let mut files = files_of(&settings.dir, whose);
    files.retain(|path| path != kept);
    files.push(kept.to_path_buf());
    let verdicts = verdicts(&files, settings, SystemTime::now());
    let gone = files.iter().zip(verdicts).filter_map(|(path, verdict)| {
        let Verdict::Goes(go) = verdict else {
            return None;
        };
        let bytes = fs::metadata(path).map_or(0, |file| file.len());
        Some(Removal {
            path: path.clone(),
            bytes,
            why: going(go, &files, settings),
            refused: remove(path).err().map(|error| error.to_string()),
        })
    });
    gone.collect()
}

impl std::fmt::Display for Removal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (path, size) = (self.path.display(), ByteSize(self.bytes).display().si());
        match &self.refused {
            None => write!(f, "removed the rollback file {path} ({size}): {}", self.why),
            Some(error) => write!(
                f,
                "removing the rollback file {path} ({}): {error}; remove it with \
                 `keepalived-redis rollback discard`",
                self.why
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::shelf::look_at;
    use super::*;

    const WHOSE: &str = "-a-10.0.0.1_6379";

    fn settings(dir: &Path, keep: usize) -> Rollback {
        Rollback {
            dir: dir.to_path_buf(),
            keep,
            ..Rollback::default()
        }
    }

    #[test]
    fn the_file_just_taken_stays_whatever_the_clock_and_the_names_say() {
        let dir = tempfile::tempdir().expect("a directory");
        let write = |name: String| {
            let path = dir.path().join(name);
            fs::write(&path, "x").expect("a file");
            path
        };
        let old = write(format!("20990101T000000.000{WHOSE}.rdb"));
        let later = write(format!("000009-20990101T000000Z{WHOSE}.rdb"));
        let kept = write(format!("000001-19990101T000000Z{WHOSE}.rdb"));
        for path in [&old, &later] {
            look_at(path).expect("written");
        }
        let removed = retire(&settings(dir.path(), 1), WHOSE, &kept);
        let gone: Vec<&Path> = removed.iter().map(|one| one.path.as_path()).collect();
        assert_eq!(gone, [&old, &later]);
        let said = removed.first().expect("one").to_string();
        assert!(
            said.contains("removed the rollback file") && said.contains("keep is 1"),
            "{said}"
        );
        assert_eq!(fs::read_dir(dir.path()).expect("readable").count(), 1);
    }

    /// A file of the run `run` with its text, as a Redis that came up and has not served leaves
    /// it; `replid` and the offsets before and after the copy.
    fn keep(
        dir: &Path,
        counter: u64,
        replid: &str,
        [before, after]: [i64; 2],
        more: Value,
    ) -> PathBuf {
        let stem = format!("{counter:06}-20990101T000000Z{WHOSE}");
        let path = dir.join(format!("{stem}.rdb"));
        fs::write(&path, "12345").expect("a file");
        let history = |offset: i64| {
            json!({"master_replid": replid, "master_replid2": null, "second_repl_offset": -1,
                "master_repl_offset": offset, "keys": 1, "term": null})
        };
        let mut worth = json!({"role": "master", "ids": "unknown", "served": false,
            "followed_run_id": "p", "lineage_after": history(after)});
        let fields = worth.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        let text = json!({"file": stem, "at": "now", "why": "x", "instance": "a",
            "node": "10.0.0.1:6379", "followed": "10.0.0.2:6379", "run_id": replid,
            "redis_version": "7.0.15", "keys": 1, "bytes": 5, "diverged_bytes": null,
            "lineage": history(before), "followed_lineage": history(0), "look": "y",
            "worth": worth});
        fs::write(path.with_extension("json"), text.to_string()).expect("a text");
        path
    }

    #[test]
    fn a_crash_loop_costs_neither_what_a_client_wrote_nor_the_disk() {
        let dir = tempfile::tempdir().expect("a directory");
        let settings = settings(dir.path(), 1);
        let precious = keep(dir.path(), 1, "own", [90, 100], json!({"served": true}));
        let mut taken = vec![precious.clone()];
        for turn in 2..=6 {
            let kept = keep(dir.path(), turn, &format!("run {turn}"), [0, 1], json!({}));
            retire(&settings, WHOSE, &kept);
            taken.push(kept);
        }
        let there: Vec<bool> = taken.iter().map(|path| path.exists()).collect();
        assert_eq!(there, [true, true, false, false, false, true]);
        // The data of the first once more, and it has grown.
        let again = keep(dir.path(), 7, "own", [100, 140], json!({"served": true}));
        let removed = retire(&settings, WHOSE, &again);
        let said: Vec<String> = removed.iter().map(ToString::to_string).collect();
        assert!(!precious.exists() && again.exists(), "{said:?}");
        assert_eq!(said.len(), 1);
        assert!(said[0].contains("000007-20990101T000000Z"), "{said:?}");
        // One that is damaged by now stands for nothing.
        let damaged = keep(dir.path(), 8, "own", [140, 150], json!({"served": true}));
        fs::write(&damaged, "123").expect("damaged");
        let last = keep(dir.path(), 9, "other", [1, 2], json!({"ids": "contained"}));
        assert!(retire(&settings, WHOSE, &last).is_empty() && again.exists());
    }

    #[test]
    fn what_can_not_be_removed_is_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let stuck = dir
            .path()
            .join(format!("000001-20990101T000000Z{WHOSE}.rdb"));
        fs::create_dir(&stuck).expect("a directory in its way");
        look_at(&stuck).expect("written");
        let kept = keep(dir.path(), 2, "own", [1, 2], json!({}));
        let removed = retire(&settings(dir.path(), 1), WHOSE, &kept);
        let [one] = &removed[..] else {
            panic!("{removed:?}")
        };
        assert!(one.refused.is_some() && stuck.exists());
        let said = one.to_string();
        assert!(
            said.contains("rollback discard") && said.contains("000001"),
            "{said}"
        );
    }
}
