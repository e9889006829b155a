//! What is in a rollback file already, and whether that file is still there: nothing is dropped
//! that relies on one that is not.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use super::rollback::Kept;
use super::worker::Worker;
use crate::node::memory::{InFile, Store};
use crate::server::info::Observation;

/// A rollback file that what is about to be dropped is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OnDisk {
    path: PathBuf,
    bytes: u64,
}

impl OnDisk {
    pub(crate) fn of(kept: &Kept) -> OnDisk {
        OnDisk {
            path: kept.path.clone(),
            bytes: kept.bytes,
        }
    }

    /// # Errors
    /// It is not there, or of another size; a sentence.
    pub(crate) fn is_there(&self) -> Result<(), String> {
        let path = self.path.display();
        let then = "nothing is dropped, and the data is kept anew; see who changes that directory";
        match fs::symlink_metadata(&self.path) {
            Ok(file) if file.is_file() && file.len() == self.bytes => Ok(()),
            Ok(file) => Err(format!(
                "the rollback file {path} has {} bytes and had {}: {then}",
                file.len(),
                self.bytes
            )),
            Err(error) => Err(format!("the rollback file {path}: {error}; {then}")),
        }
    }
}

impl fmt::Display for OnDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// The file that holds just the data that the local Redis has now.
pub(super) fn holding(worker: &Worker, held: &Observation) -> Option<OnDisk> {
    let lineage = &held.replication.lineage;
    let same = |file: &InFile| {
        file.run_id == held.run_id && file.replid == lineage.replid && file.offset == lineage.offset
    };
    worker
        .kept
        .clone()
        .into_iter()
        .chain(worker.store.get())
        .filter(same)
        .map(|file| OnDisk {
            path: file.path,
            bytes: file.bytes,
        })
        .find(|file| file.is_there().is_ok())
}

/// No file holds it any more.
pub(super) fn forget(kept: &mut Option<InFile>, store: &Store) {
    *kept = None;
    // Whoever reads it looks for the file.
    let _ = store.clear::<InFile>();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_gone_or_of_another_size_is_told_with_what_to_do() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("000001-20261128T003115Z-a.rdb");
        let file = OnDisk {
            path: path.clone(),
            bytes: 3,
        };
        let said = || file.is_there().expect_err("it is not there");
        assert!(said().contains("No such file") && said().contains("nothing is dropped"));
        fs::write(&path, "ab").expect("written");
        assert!(said().contains("has 2 bytes and had 3"), "{}", said());
        fs::write(&path, "abc").expect("written");
        assert_eq!(file.is_there(), Ok(()));
        let other = dir.path().join("other");
        fs::rename(&path, &other).expect("moved");
        std::os::unix::fs::symlink(&other, &path).expect("linked");
        assert!(file.is_there().is_err());
    }
}
