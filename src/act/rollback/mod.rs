//! Rollback files: the data of the local Redis, kept before it is dropped.
//!
//! Taken as a replica takes a copy, which needs no right to Redis's own directory, and read again
//! with `redis-check-rdb`. A file appears under its name only when it is whole, on the disk and
//! good, with a JSON text beside it that says what it is.

pub(crate) mod about;
pub(crate) mod dump;
pub(crate) mod fate;
pub(crate) mod name;
pub(crate) mod retire;
pub(crate) mod shelf;
pub(crate) mod sync;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::anyhow;

pub(crate) use self::about::{About, History, Ids, Worth};
use self::dump::{Dumped, dump};
pub(crate) use self::dump::{Verified, is_valkeys, verify};
pub(crate) use self::name::{Name, whose};
use crate::deadline::Deadline;
use crate::node::turn::Ended;
use crate::server::access::Access;
use crate::server::endpoint::Endpoint;

/// Asked while it takes its time: go on?
type GoOn<'a> = &'a mut dyn FnMut() -> Result<(), Ended>;

#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    pub keys: Option<u64>,
}

/// A copy of the data of a Redis, whole, on the disk and good, that has no name yet; without one
/// it goes.
pub(crate) struct Copied {
    dir: PathBuf,
    name: String,
    part: PathBuf,
    dumped: Dumped,
}

/// Copies the data of the Redis at `endpoint`, for a rollback file of `whose`.
///
/// # Errors
/// A sentence with the path and the cause; then the step that would have dropped the data must not
/// be taken.
pub(crate) fn copy(
    dir: &Path,
    whose: &str,
    endpoint: &Endpoint,
    auth: &Access,
    deadline: Deadline,
    go_on: GoOn<'_>,
) -> anyhow::Result<Copied> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| trouble(dir, &error))?;
    // What is cleared then still counts: a name that the journal has is not given twice.
    let name = name::next(dir, whose).map_err(|error| trouble(dir, &error))?;
    shelf::clear_unfinished(dir, whose);
    let name = format!("{name}.rdb");
    let part = dir.join(format!(".{name}.part"));
    match dump(&part, endpoint, auth, deadline, go_on) {
        Ok(dumped) => Ok(Copied {
            dir: dir.to_path_buf(),
            name,
            part,
            dumped,
        }),
        Err(error) => {
            let _ = fs::remove_file(&part);
            Err(trouble(dir, &format!("{error:#}")))
        }
    }
}

fn trouble(dir: &Path, error: &dyn std::fmt::Display) -> anyhow::Error {
    anyhow!("keeping a rollback file in {}: {error}", dir.display())
}

impl Copied {
    /// Gives the file its name. `about` is what is known of it; file, time, keys and size are
    /// filled in.
    ///
    /// # Errors
    /// As [`copy`].
    pub(crate) fn publish(self, about: About) -> anyhow::Result<Kept> {
        self.publish_under_its_name(about).map_err(|error| {
            let _ = fs::remove_file(&self.part);
            trouble(&self.dir, &format!("{error:#}"))
        })
    }

    /// The text first: one without a file says that we died between the two.
    fn publish_under_its_name(&self, about: About) -> anyhow::Result<Kept> {
        let (dir, name) = (&self.dir, &self.name);
        let path = dir.join(name);
        let look = format!(
            "redis-server --port 7777 --save '' --appendonly no --dir {} --dbfilename {name}",
            dir.display()
        );
        let about = About {
            file: name.clone(),
            at: crate::node::clock::now(),
            keys: self.dumped.keys,
            bytes: self.dumped.bytes,
            look,
            ..about
        };
        let mut text = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path.with_extension("json"))?;
        text.write_all(serde_json::to_string_pretty(&about)?.as_bytes())?;
        text.write_all(b"\n")?;
        text.sync_all()?;
        fs::rename(&self.part, &path)?;
        File::open(dir)?.sync_all()?;
        Ok(Kept {
            path,
            bytes: self.dumped.bytes,
            keys: self.dumped.keys,
        })
    }
}

/// Room for a dump of `needed` bytes in `dir`, or in the directory that it will be made in?
///
/// # Errors
/// A sentence that says how much there is.
pub(crate) fn room_for(dir: &Path, needed: u64) -> anyhow::Result<()> {
    let existing = dir
        .ancestors()
        .find(|dir| dir.is_dir())
        .unwrap_or(Path::new("/"));
    let free = fs2::available_space(existing).map_err(|error| {
        anyhow::anyhow!(
            "asking for the free space of {}: {error}",
            existing.display()
        )
    })?;
    anyhow::ensure!(
        free >= needed,
        "keeping a rollback file in {}: {free} bytes are free and it may need {needed}; free \
         some, or set rollback.dir",
        dir.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_disk_is_said_with_both_numbers() {
        let error =
            room_for(Path::new("/no/such/place/yet"), u64::MAX).expect_err("nobody has that much");
        assert!(
            error.to_string().contains("/no/such/place/yet")
                && error.to_string().contains("bytes are free")
        );
    }
}
