//! What this node remembers between two runs of the programs, a small file for each thing.
//!
//! Each file has one meaning and is replaced by rename, so that programs which run at the same time
//! can't undo each other's news. A missing or damaged file is "unknown", never an error.

use std::fs;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::clock::{boot_clock, now};

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

/// Something has been so at each look since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Spell {
    /// The boot of this machine that the clock below belongs to.
    boot: String,
    /// Seconds since boot of the first look.
    since: u64,
    /// Seconds since boot of the last one.
    last: u64,
}

/// Two looks that are further apart than this (seconds) do not prove that it was so between them.
const BREAK: u64 = 5;

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
}

/// All of it, as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// See [`Served`].
    pub served: Option<Served>,
    /// See [`Synced`].
    pub synced: Option<Synced>,
}

/// Something that has a file of its own.
pub trait Kept: Serialize + DeserializeOwned + PartialEq {
    /// Its name in the memory directory.
    const FILE: &'static str;
}

impl Kept for Served {
    const FILE: &'static str = "served.toml";
}
impl Kept for CopyDelay {
    const FILE: &'static str = "copy-delay.toml";
}
impl Kept for InFile {
    const FILE: &'static str = "in-file.toml";
}
impl Kept for Synced {
    const FILE: &'static str = "synced.toml";
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
        }
    }

    pub fn get<T: Kept>(&self) -> Option<T> {
        self.read_file(T::FILE)
    }

    fn read_file<T: DeserializeOwned>(&self, file: &str) -> Option<T> {
        toml::from_str(&self.note(file)?).ok()
    }

    /// For how long something, named by its `file`, has been so, this look included; a look at
    /// which it is not, a reboot, or more than 5 s without a look begin anew. Where nothing can be
    /// written down it has not been so yet.
    pub fn spell(&self, file: &str, is_so: bool) -> Duration {
        if !is_so {
            let _ = fs::remove_file(self.dir.join(file));
            return Duration::ZERO;
        }
        let Ok((boot, now)) = boot_clock() else {
            return Duration::ZERO;
        };
        let since = self
            .read_file::<Spell>(file)
            .filter(|spell| spell.boot == boot && spell.last <= now && now - spell.last <= BREAK)
            .map_or(now, |spell| spell.since.min(now));
        if let Ok(text) = toml::to_string(&Spell {
            boot,
            since,
            last: now,
        }) {
            let _ = self.replace(file, text.as_bytes());
        }
        Duration::from_secs(now - since)
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
        match fs::remove_file(self.dir.join(T::FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(named(&self.dir.join(T::FILE), &error))
            }
            _ => Ok(()),
        }
    }

    /// A short text that is no TOML: the last verdict of a check.
    pub fn note(&self, file: &str) -> Option<String> {
        // Whatever somebody has put there must not fill our memory.
        const LONGEST: u64 = 64 << 10;
        // One read(2) for all that we write.
        let mut text = String::with_capacity(1 << 10);
        // Nor hold us up: a pipe that nobody writes into.
        let file = fs::OpenOptions::new()
            .read(true)
            .custom_flags(nix::libc::O_NONBLOCK)
            .open(self.dir.join(file));
        file.ok()?.take(LONGEST).read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// Replaces such a text.
    pub fn set_note(&self, file: &str, text: &str) -> io::Result<()> {
        self.replace(file, text.as_bytes())
    }

    fn replace(&self, file: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.dir.join(file);
        let beside = self.dir.join(format!(".{file}.{}", std::process::id()));
        let write = || -> io::Result<()> {
            make_dir(&self.dir)?;
            let mut new = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&beside)?;
            new.write_all(bytes)?;
            fs::rename(&beside, &path)
        };
        write().map_err(|error| {
            let _ = fs::remove_file(&beside);
            named(&path, &error)
        })
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
    fn a_spell_ends_with_a_look_that_finds_otherwise_a_break_or_a_reboot() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::new(dir.path());
        let (boot, now) = boot_clock().expect("/proc");
        let spell = |boot: &str, since, last| {
            let text = toml::to_string(&Spell {
                boot: boot.into(),
                since,
                last,
            })
            .expect("toml");
            fs::write(dir.path().join("alone.toml"), text).expect("a write");
        };
        spell(&boot, now - 60, now - 2);
        assert!(store.spell("alone.toml", true) >= Duration::from_secs(60));
        assert_eq!(store.spell("alone.toml", false), Duration::ZERO);
        assert_eq!(store.spell("alone.toml", true).as_secs(), 0);
        spell(&boot, now - 60, now - 30);
        assert!(
            store.spell("alone.toml", true) < Duration::from_secs(5),
            "a break"
        );
        spell("another boot", now - 60, now - 2);
        assert!(
            store.spell("alone.toml", true) < Duration::from_secs(5),
            "a reboot"
        );
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
            for file in [Served::FILE, Synced::FILE, "alone.toml"] {
                fs::write(dir.path().join(file), &bytes).expect("a write");
            }
            let store = Store::new(dir.path());
            let _ = store.read();
            prop_assert_eq!(store.spell("alone.toml", true), Duration::ZERO);
        }
    }
}
