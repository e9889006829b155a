//! What this node remembers between two runs of the programs, a small file for each thing.
//!
//! Each file has one meaning and is replaced whole, so that programs which run at the same time
//! can't undo each other's news. A missing or damaged file is "unknown", never an error.

mod reigns;
mod spell;
mod state_file;

use std::fs;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use self::reigns::{Elsewhere, Lacking, Outdated, Pending, Place, Reigns, Shared};
pub use self::state_file::StateFile;
use super::clock::now;
use crate::whole_file::{self, Readers};

/// This node's Redis became master, or was confirmed as one, by our own doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// The run of Redis that it is true of; a restart ends it.
    pub run_id: String,
    /// The history that it has been making since; following somebody for a while ends it too.
    pub replid: String,
    /// When, in local time; for people.
    pub at: String,
}

/// This node's Redis was in sync with a serving peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Synced {
    /// The run of the local Redis that it is true of.
    pub run_id: String,
    /// The history that it shared with the peer.
    pub replid: String,
    pub peer: SocketAddr,
    /// When it was first seen so, in local time; for people.
    pub at: String,
}

/// A setting of the local Redis that we changed for a moment, written down first: whoever finds it
/// puts it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyDelay {
    /// The run of Redis that it was changed in; a restart reads its configuration file again.
    pub run_id: String,
    /// The value of `repl-diskless-sync-delay` that stood there, in seconds.
    pub seconds: String,
}

/// The data that the local Redis has now is in a rollback file: it is not kept twice, whichever
/// program comes next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFile {
    pub run_id: String,
    /// Its history, as it was when the file was whole and nothing had been written since.
    pub replid: String,
    pub offset: i64,
    pub path: PathBuf,
    /// Its size. A file of another size is none that holds this data.
    pub bytes: u64,
}

/// All of it, as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// See [`Served`].
    pub served: Option<Served>,
    /// See [`Synced`].
    pub synced: Option<Synced>,
    /// See [`Reigns`].
    pub reigns: Reigns,
    /// See [`Pending`].
    pub pending: Option<Pending>,
    /// See [`Outdated`].
    pub outdated: Option<Outdated>,
}

/// Something that has a file of its own.
pub trait Kept: Serialize + DeserializeOwned + PartialEq {
    const FILE: StateFile;
}

impl Kept for Served {
    const FILE: StateFile = StateFile::Served;
}
impl Kept for CopyDelay {
    const FILE: StateFile = StateFile::CopyDelay;
}
impl Kept for InFile {
    const FILE: StateFile = StateFile::InFile;
}
impl Kept for Synced {
    const FILE: StateFile = StateFile::Synced;
}

/// The memory directory of one instance.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// The store in `dir`, which is made when something is first written.
    pub fn new(dir: &Path) -> Self {
        Store {
            dir: dir.to_path_buf(),
        }
    }

    pub fn read(&self) -> Memory {
        Memory {
            served: self.get(),
            synced: self.get(),
            reigns: self.get().unwrap_or_default(),
            pending: self.get(),
            outdated: self.get(),
        }
    }

    pub fn get<T: Kept>(&self) -> Option<T> {
        self.read_file(T::FILE)
    }

    fn read_file<T: DeserializeOwned>(&self, file: StateFile) -> Option<T> {
        toml::from_str(&self.note(file)?).ok()
    }

    /// Remembers that the local Redis serves in its run `run_id`, and makes the history `replid`;
    /// writes nothing when it is remembered already.
    pub fn set_served(&self, run_id: &str, replid: &str) -> io::Result<()> {
        match self.get::<Served>() {
            Some(served) if served.run_id == run_id && served.replid == replid => Ok(()),
            _ => self.set(&Served {
                run_id: run_id.to_string(),
                replid: replid.to_string(),
                at: now(),
            }),
        }
    }

    /// Remembers that the local Redis, in its run `run_id` and of the history `replid`, has all
    /// that `peer` has; writes nothing when it is remembered already.
    pub fn set_synced(&self, run_id: &str, replid: &str, peer: SocketAddr) -> io::Result<()> {
        match self.get::<Synced>() {
            Some(known)
                if known.run_id == run_id && known.replid == replid && known.peer == peer =>
            {
                Ok(())
            }
            _ => self.set(&Synced {
                run_id: run_id.to_string(),
                replid: replid.to_string(),
                peer,
                at: now(),
            }),
        }
    }

    /// Remembers `value`.
    ///
    /// # Errors
    /// With the path, when the directory or the disk refuses.
    pub fn set<T: Kept>(&self, value: &T) -> io::Result<()> {
        let text = toml::to_string(value).map_err(io::Error::other)?;
        self.replace(T::FILE, text.as_bytes())
    }

    /// Forgets.
    pub(crate) fn clear<T: Kept>(&self) -> io::Result<()> {
        let path = T::FILE.path(&self.dir);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(named(&path, &error)),
            _ => Ok(()),
        }
    }

    /// A short text that is no TOML: the last verdict of a check.
    pub fn note(&self, file: StateFile) -> Option<String> {
        // Whatever somebody has put there must not fill our memory.
        const LONGEST: u64 = 64 << 10;
        // One read(2) for all that we write.
        let mut text = String::with_capacity(1 << 10);
        // Nor hold us up: a pipe that nobody writes into.
        let file = fs::OpenOptions::new()
            .read(true)
            .custom_flags(nix::libc::O_NONBLOCK)
            .open(file.path(&self.dir));
        file.ok()?.take(LONGEST).read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// Replaces such a text. Notes change seldom, so this is also when the leftovers of killed
    /// programs are removed; spells are written every second and leave that alone.
    pub fn set_note(&self, file: StateFile, text: &str) -> io::Result<()> {
        whole_file::clear_abandoned_in(&self.dir, StateFile::is_called);
        self.replace(file, text.as_bytes())
    }

    fn replace(&self, file: StateFile, text: &[u8]) -> io::Result<()> {
        let path = file.path(&self.dir);
        let replace = || whole_file::replace(&path, Readers::Owner, text);
        let replaced = match replace() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_dir(&self.dir).and_then(|()| replace())
            }
            replaced => replaced,
        };
        replaced.map_err(|error| named(&path, &error))
    }
}

/// Makes the memory directory, for its owner alone.
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("writing {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn served(run: &str) -> Served {
        Served {
            run_id: run.to_string(),
            replid: run.to_string(),
            at: now(),
        }
    }

    #[test]
    fn what_is_set_is_read_and_what_is_cleared_is_gone() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::new(&dir.path().join("redis-ha"));
        assert_eq!(store.read(), Memory::default());
        store.set(&served("a")).expect("a write");
        assert_eq!(store.read().served.map(|s| s.run_id).as_deref(), Some("a"));
        store.clear::<Served>().expect("a removal");
        store
            .clear::<Served>()
            .expect("nothing to remove is no error");
        assert_eq!(store.read(), Memory::default());
    }

    #[test]
    fn what_a_killed_program_has_left_goes_when_a_verdict_changes() {
        let dir = tempfile::tempdir().expect("a directory");
        let left = |name: &str| {
            let path = dir.path().join(name);
            let file = fs::File::create(&path).expect("a file");
            file.set_modified(std::time::UNIX_EPOCH).expect("its time");
            path
        };
        let ours = left(".alone-10.0.0.2_6379.toml.new-Ab3dE9");
        let other = left(".somebody's.new-Ab3dE9");
        let store = Store::new(dir.path());
        store
            .set_note(StateFile::CheckVerdict, "ok")
            .expect("a write");
        assert!(!ours.exists() && other.exists());
    }

    #[test]
    fn a_directory_that_refuses_is_an_error_that_names_the_path() {
        let error = Store::new(Path::new("/proc/nowhere"))
            .set(&served("a"))
            .expect_err("no such place");
        assert!(
            error.to_string().contains("/proc/nowhere/served.toml"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn damaged_files_are_unknown(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let dir = tempfile::tempdir().expect("a directory");
            for file in [Served::FILE, Synced::FILE, Reigns::FILE, Pending::FILE, Outdated::FILE] {
                fs::write(file.path(dir.path()), &bytes).expect("a write");
            }
            let _ = Store::new(dir.path()).read();
        }
    }
}
