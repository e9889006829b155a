//! Rollback files: the data of the local Redis, kept before it is dropped.
//!
//! Taken with `redis-cli --rdb`, which needs no right to Redis's own directory. A file appears under its name only
//! when it is whole and on the disk.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::config::{Auth, Rollback};
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use crate::turn::Ended;

/// What was kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Takes a rollback file of the Redis at `endpoint`, named by time and `whose` (instance and node), and removes all but
/// the newest `settings.keep` of that name.
///
/// # Errors
/// A sentence with the path and the cause; then the step that would have dropped the data must not be taken.
pub fn take(
    settings: &Rollback,
    endpoint: &Endpoint,
    auth: &Auth,
    whose: &str,
    deadline: Deadline,
    go_on: &mut dyn FnMut() -> Result<(), Ended>,
) -> anyhow::Result<Kept> {
    let trouble = |error: &dyn std::fmt::Display| {
        anyhow::anyhow!("keeping a rollback file in {}: {error}", settings.dir.display())
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&settings.dir).map_err(|error| trouble(&error))?;
    let stamp = chrono::Local::now().format("%Y%m%dT%H%M%S%.3f");
    let whose = format!("-{}.rdb", whose.replace([':', '[', ']', '/'], "_"));
    let name = format!("{stamp}{whose}");
    clear_parts(&settings.dir, &whose);
    let path = settings.dir.join(&name);
    let part = settings.dir.join(format!(".{name}.part"));
    let kept = dump(&part, endpoint, auth, deadline, go_on).and_then(|bytes| {
        fs::rename(&part, &path)?;
        File::open(&settings.dir)?.sync_all()?;
        Ok(Kept { path, bytes })
    });
    if kept.is_err() {
        let _ = fs::remove_file(&part);
    }
    let kept = kept.map_err(|error| trouble(&format!("{error:#}")))?;
    retire(&settings.dir, &whose, settings.keep);
    Ok(kept)
}

fn dump(
    part: &Path,
    endpoint: &Endpoint,
    auth: &Auth,
    deadline: Deadline,
    go_on: &mut dyn FnMut() -> Result<(), Ended>,
) -> anyhow::Result<u64> {
    // Made before redis-cli writes into it, so that nobody else can ever read it.
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(part)?;
    let mut command = Command::new("redis-cli");
    match endpoint {
        Endpoint::Tcp(address) => {
            command.arg("-h").arg(address.ip().to_string()).arg("-p").arg(address.port().to_string())
        }
        Endpoint::Unix(path) => command.arg("-s").arg(path),
    };
    if let Some(user) = &auth.username {
        command.arg("--user").arg(user);
    }
    if let Some(password) = &auth.password {
        command.env("REDISCLI_AUTH", password.expose());
    }
    command.arg("--rdb").arg(part).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| anyhow::anyhow!("starting redis-cli: {error} (install redis-tools, or the redis package)"))?;
    let ended = loop {
        if let Some(status) = child.try_wait()? {
            break Ok(status);
        }
        if let Err(ended) = go_on() {
            break Err(anyhow::anyhow!("{ended}"));
        }
        if !deadline.pause(Duration::from_millis(20)) {
            break Err(anyhow::anyhow!("redis-cli --rdb was not done in time"));
        }
    };
    if ended.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let status = ended?;
    let mut said = String::new();
    if let Some(stderr) = child.stderr.take() {
        let _ = stderr.take(2000).read_to_string(&mut said);
    }
    let file = File::open(part)?;
    anyhow::ensure!(status.success(), "redis-cli --rdb: {}", said.lines().last().unwrap_or("failed").trim());
    anyhow::ensure!(is_rdb(&file)?, "redis-cli --rdb wrote no RDB file: {}", said.trim());
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

/// An RDB begins with `REDIS` (Valkey 9: `VALKEY`) and ends with an end-of-file opcode and a checksum.
fn is_rdb(mut file: &File) -> io::Result<bool> {
    let mut magic = [0; 6];
    let whole = file.metadata()?.len() > 18 && file.read_exact(&mut magic).is_ok();
    Ok(whole && (magic.starts_with(b"REDIS") || &magic == b"VALKEY"))
}

/// Room for a dump of `needed` bytes in `dir`, or in the directory that it will be made in?
///
/// # Errors
/// A sentence that says how much there is.
pub fn room_for(dir: &Path, needed: u64) -> anyhow::Result<()> {
    let existing = dir.ancestors().find(|dir| dir.is_dir()).unwrap_or(Path::new("/"));
    let free = fs2::available_space(existing)
        .map_err(|error| anyhow::anyhow!("asking for the free space of {}: {error}", existing.display()))?;
    anyhow::ensure!(
        free >= needed,
        "keeping a rollback file in {}: {free} bytes are free and it may need {needed}; free some, or set rollback.dir",
        dir.display()
    );
    Ok(())
}

/// What a program that was killed while it dumped has left; nobody else is at it, for the right to act is ours.
fn clear_parts(dir: &Path, whose: &str) {
    for path in named(dir, &format!("{whose}.part")) {
        let _ = fs::remove_file(path);
    }
}

fn named(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(ending)))
        .collect();
    // Named by time, so the newest comes last.
    files.sort();
    files
}

fn retire(dir: &Path, whose: &str, keep: usize) {
    for old in named(dir, whose).iter().rev().skip(keep.max(1)) {
        if let Err(error) = fs::remove_file(old) {
            let _ = writeln!(io::stderr(), "removing {}: {error}", old.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_files_are_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        for day in 1..=5 {
            fs::write(dir.path().join(format!("2026010{day}T000000.000-a.rdb")), "x").expect("a file");
        }
        fs::write(dir.path().join("notes.txt"), "x").expect("a file");
        fs::write(dir.path().join("20250101T000000.000-b.rdb"), "another node's").expect("a file");
        fs::write(dir.path().join(".20250101T000000.000-a.rdb.part"), "cut short").expect("a file");
        clear_parts(dir.path(), "-a.rdb");
        retire(dir.path(), "-a.rdb", 2);
        let mut left: Vec<_> = fs::read_dir(dir.path())
            .expect("the directory")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        left.sort();
        assert_eq!(
            left,
            ["20250101T000000.000-b.rdb", "20260104T000000.000-a.rdb", "20260105T000000.000-a.rdb", "notes.txt"]
        );
    }

    #[test]
    fn too_little_disk_is_said_with_both_numbers() {
        let error = room_for(Path::new("/no/such/place/yet"), u64::MAX).expect_err("nobody has that much");
        assert!(error.to_string().contains("/no/such/place/yet") && error.to_string().contains("bytes are free"));
    }
}
