//! A file with an RDB of a Redis, and making sure that it is one that can be read.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

use super::GoOn;
use super::sync::copy;
use crate::config::Auth;
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;

/// A file that is on the disk and was read from its first byte to its last.
pub(super) struct Dumped {
    pub bytes: u64,
    pub keys: Option<u64>,
}

/// Writes the data of the Redis at `endpoint` into `part`.
pub(super) fn dump(
    part: &Path,
    endpoint: &Endpoint,
    auth: &Auth,
    deadline: Deadline,
    go_on: GoOn<'_>,
) -> anyhow::Result<Dumped> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(part)?;
    copy(&mut file, endpoint, auth, deadline, go_on)?;
    file.sync_all()?;
    let bytes = file.metadata()?.len();
    ensure!(bytes > 0, "copying the data of {endpoint}: nothing came");
    Ok(Dumped { bytes, keys: verify(part, deadline, go_on)? })
}

/// Reads the file as Redis would, checksum and all. Answers with the number of keys, where it was said.
fn verify(part: &Path, deadline: Deadline, go_on: GoOn<'_>) -> anyhow::Result<Option<u64>> {
    let mut child = checker(part)?;
    let ended = wait(&mut child, deadline, go_on);
    if ended.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let status = ended?;
    // Read only now: it says a page or so, far less than a pipe holds.
    let mut said = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(64 << 10).read_to_end(&mut said)?;
    }
    let said = String::from_utf8_lossy(&said);
    let error = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("failed").trim();
    ensure!(status.success(), "the copy is damaged: {error}");
    Ok(said.lines().find_map(|line| line.trim().strip_prefix("[info] ")?.strip_suffix(" keys read")?.parse().ok()))
}

/// Starts what reads it. The formats of Redis and Valkey have parted: an older one of the other family takes a whole file
/// for a damaged one. So it is the family's that wrote it; the other one's where that is not installed.
fn checker(file: &Path) -> anyhow::Result<Child> {
    const REDIS: &str = "redis-check-rdb";
    const VALKEY: &str = "valkey-check-rdb";
    let mut head = Vec::new();
    fs::File::open(file)?.take(64).read_to_end(&mut head)?;
    let is_valkeys =
        [&b"VALKEY"[..], &b"valkey-ver"[..]].iter().any(|mark| head.windows(mark.len()).any(|w| w == *mark));
    let [first, second] = if is_valkeys { [VALKEY, REDIS] } else { [REDIS, VALKEY] };
    let start = |program: &str| {
        Command::new(program).arg(file).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
    };
    let started = start(first).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => start(second).map_err(|_| error),
        _ => Err(error),
    });
    let tools = if is_valkeys { "valkey-tools, or the valkey package" } else { "redis-tools, or the redis package" };
    started.with_context(|| format!("starting {first} (install {tools})"))
}

fn wait(child: &mut Child, deadline: Deadline, go_on: GoOn<'_>) -> anyhow::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        go_on()?;
        ensure!(deadline.pause(Duration::from_millis(10)), "redis-check-rdb was not done in time");
    }
}
