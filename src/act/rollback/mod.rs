//! Rollback files: the data of the local Redis, kept before it is dropped.
//!
//! Taken as a replica takes a copy, which needs no right to Redis's own directory, and read again
//! with `redis-check-rdb`. A file appears under its name only when it is whole, on the disk and
//! good, with a JSON text beside it that says what it is.

pub(crate) mod about;
pub(crate) mod dump;
pub(crate) mod sync;

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::anyhow;

pub(crate) use self::about::{About, History};
use self::dump::{Dumped, dump};
pub(crate) use self::dump::{Verified, is_valkeys, verify};
use crate::config::Rollback;
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

/// Takes a rollback file of the Redis at `endpoint`, named by time, instance and node, and removes
/// all but the newest `settings.keep` of that instance and node. `about` is what is known of it;
/// file, time, keys and size are filled in.
///
/// # Errors
/// A sentence with the path and the cause; then the step that would have dropped the data must not
/// be taken.
pub(crate) fn take(
    settings: &Rollback,
    endpoint: &Endpoint,
    auth: &Access,
    about: About,
    deadline: Deadline,
    go_on: GoOn<'_>,
) -> anyhow::Result<Kept> {
    let trouble = |error: &dyn std::fmt::Display| {
        anyhow!(
            "keeping a rollback file in {}: {error}",
            settings.dir.display()
        )
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&settings.dir)
        .map_err(|error| trouble(&error))?;
    let whose = whose(&about.instance, about.node);
    let stamp = chrono::Local::now().format("%Y%m%dT%H%M%S%.3f");
    let name = format!("{stamp}{whose}.rdb");
    clear_unfinished(&settings.dir, &whose);
    let part = settings.dir.join(format!(".{name}.part"));
    let kept = dump(&part, endpoint, auth, deadline, go_on)
        .and_then(|dumped| publish(&settings.dir, &name, &part, &dumped, about));
    if kept.is_err() {
        let _ = fs::remove_file(&part);
    }
    let kept = kept.map_err(|error| trouble(&format!("{error:#}")))?;
    retire(&settings.dir, &whose, settings.keep);
    Ok(kept)
}

/// How the name of a file ends, before `.rdb`: behind the time.
pub(crate) fn whose(instance: &str, node: SocketAddr) -> String {
    format!("-{instance}-{node}").replace([':', '[', ']', '/'], "_")
}

/// Gives the file its name, the text first: a text without a file says that we died between the
/// two.
fn publish(
    dir: &Path,
    name: &str,
    part: &Path,
    dumped: &Dumped,
    about: About,
) -> anyhow::Result<Kept> {
    let path = dir.join(name);
    let look = format!(
        "redis-server --port 7777 --save '' --appendonly no --dir {} --dbfilename {name}",
        dir.display()
    );
    let at = crate::node::clock::now();
    let about = About {
        file: name.to_string(),
        at,
        keys: dumped.keys,
        bytes: dumped.bytes,
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
    fs::rename(part, &path)?;
    File::open(dir)?.sync_all()?;
    Ok(Kept {
        path,
        bytes: dumped.bytes,
        keys: dumped.keys,
    })
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

/// What a program that was killed at it has left; nobody else is at it, for the right to act is
/// ours.
fn clear_unfinished(dir: &Path, whose: &str) {
    for path in named(dir, &format!("{whose}.rdb.part")) {
        let _ = fs::remove_file(path);
    }
    for text in named(dir, &format!("{whose}.json"))
        .into_iter()
        .filter(|text| !text.with_extension("rdb").exists())
    {
        let _ = fs::remove_file(text);
    }
}

fn named(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().ends_with(ending))
        })
        .collect();
    // Named by time, so the newest comes last.
    files.sort();
    files
}

fn retire(dir: &Path, whose: &str, keep: usize) {
    for old in named(dir, &format!("{whose}.rdb"))
        .iter()
        .rev()
        .skip(keep.max(1))
    {
        // The file first: a text that stays behind is cleared the next time.
        for path in [old.clone(), old.with_extension("json")] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    let _ = writeln!(io::stderr(), "removing {}: {error}", path.display());
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_files_are_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        let write = |name: &str| fs::write(dir.path().join(name), "x").expect("a file");
        for day in 1..=5 {
            write(&format!("2026010{day}T000000.000-a.rdb"));
            write(&format!("2026010{day}T000000.000-a.json"));
        }
        for other in [
            "notes.txt",
            "20250101T000000.000-b.rdb",
            ".20250101T000000.000-a.rdb.part",
        ] {
            write(other);
        }
        write("20260109T000000.000-a.json");
        clear_unfinished(dir.path(), "-a");
        retire(dir.path(), "-a", 2);
        let mut left: Vec<_> = fs::read_dir(dir.path())
            .expect("the directory")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        left.sort();
        let kept = [
            "4T000000.000-a.json",
            "4T000000.000-a.rdb",
            "5T000000.000-a.json",
            "5T000000.000-a.rdb",
        ];
        let mut expected = vec!["20250101T000000.000-b.rdb".to_string()];
        expected.extend(kept.iter().map(|name| format!("2026010{name}")));
        expected.push("notes.txt".to_string());
        assert_eq!(left, expected);
    }

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
