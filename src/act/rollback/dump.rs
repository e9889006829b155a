//! A file with an RDB of a Redis, and making sure that it is one that can be read.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

use super::GoOn;
use super::sync::copy;
use crate::child::Child;
use crate::deadline::Deadline;
use crate::server::access::Access;
use crate::server::endpoint::Endpoint;

/// A file that is on the disk and was read from its first byte to its last.
pub(crate) struct Dumped {
    pub bytes: u64,
    pub keys: Option<u64>,
}

/// Writes the data of the Redis at `endpoint` into `part`.
pub(crate) fn dump(
    part: &Path,
    endpoint: &Endpoint,
    auth: &Access,
    deadline: Deadline,
    go_on: GoOn<'_>,
) -> anyhow::Result<Dumped> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(part)?;
    copy(&mut file, endpoint, auth, deadline, go_on)?;
    file.sync_all()?;
    let bytes = file.metadata()?.len();
    ensure!(bytes > 0, "copying the data of {endpoint}: nothing came");
    Ok(Dumped {
        bytes,
        keys: verify(part, deadline, go_on)?.keys,
    })
}

/// What was read of a file from its first byte to its last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verified {
    /// Keys in it, where that was said.
    pub keys: Option<u64>,
    /// The memory in bytes that its data took when it was written.
    pub used_memory: Option<u64>,
    /// The version of the server that wrote it.
    pub version: Option<String>,
}

/// Reads the file as Redis would, checksum and all.
///
/// # Errors
/// It is damaged, or could not be read before `deadline`; a sentence.
pub(crate) fn verify(file: &Path, deadline: Deadline, go_on: GoOn<'_>) -> anyhow::Result<Verified> {
    let mut child = checker(file)?;
    let status = child
        .wait(deadline, || anyhow::Ok(go_on()?))?
        .context("redis-check-rdb was not done in time")?;
    // Read only now: it says a page or so, far less than a pipe holds.
    let mut said = Vec::new();
    if let Some(stdout) = child.take_stdout() {
        stdout.take(64 << 10).read_to_end(&mut said)?;
    }
    let said = String::from_utf8_lossy(&said);
    if !status.success() {
        let complaint = complaint(&said);
        let foreign = complaint.contains("RDB format version")
            || (complaint.contains("Wrong signature") && is_valkeys(file).unwrap_or(false));
        ensure!(
            !foreign,
            "it is of a newer Redis or Valkey than what is installed here can read: {complaint}"
        );
        bail!("it is damaged: {complaint}");
    }
    Ok(read_report(&said))
}

/// Written by Valkey: from its version 9 on a format of its own.
pub(crate) fn is_valkeys(file: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    fs::File::open(file)?.take(64).read_to_end(&mut head)?;
    Ok([&b"VALKEY"[..], &b"valkey-ver"[..]]
        .iter()
        .any(|mark| head.windows(mark.len()).any(|w| w == *mark)))
}

/// Starts what reads it. The formats of Redis and Valkey have parted (R42): an older one of the
/// other family takes a whole file for a damaged one. So it is the family's that wrote it; the
/// other one's where that is not installed.
fn checker(file: &Path) -> anyhow::Result<Child> {
    const REDIS: &str = "redis-check-rdb";
    const VALKEY: &str = "valkey-check-rdb";
    let is_valkeys = is_valkeys(file)?;
    let [first, second] = if is_valkeys {
        [VALKEY, REDIS]
    } else {
        [REDIS, VALKEY]
    };
    let start = |program: &str| {
        Child::start(
            Command::new(program)
                .arg(file)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null()),
        )
    };
    let started = start(first).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => start(second).map_err(|_| error),
        _ => Err(error),
    });
    let tools = if is_valkeys {
        "valkey-tools, or the valkey package"
    } else {
        "redis-tools, or the redis package"
    };
    started.with_context(|| format!("starting {first} (install {tools})"))
}

/// The line that says what is wrong; behind it come counters.
fn complaint(said: &str) -> &str {
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let named = lines
        .by_ref()
        .find(|line| line.contains("RDB ERROR DETECTED"))
        .and_then(|_| lines.next());
    named
        .or_else(|| said.lines().map(str::trim).rfind(|line| !line.is_empty()))
        .unwrap_or("failed")
}

fn read_report(said: &str) -> Verified {
    let lines = || said.lines().map(str::trim);
    let aux = |name: &str| {
        let mark = format!("AUX FIELD {name} = ");
        lines().find_map(|line| Some(line.split_once(&mark)?.1.trim_matches('\'')))
    };
    Verified {
        keys: lines().find_map(|line| {
            line.strip_prefix("[info] ")?
                .strip_suffix(" keys read")?
                .parse()
                .ok()
        }),
        used_memory: aux("used-mem").and_then(|bytes| bytes.parse().ok()),
        version: aux("redis-ver")
            .or_else(|| aux("valkey-ver"))
            .map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "[offset 0] Checking RDB file dump.rdb\n[offset 27] AUX FIELD redis-ver = '7.0.15'\n\
        [offset 68] AUX FIELD used-mem = '988784'\n[offset 123] \\o/ RDB looks OK! \\o/\n[info] 2 \
        keys read\n";

    #[test]
    fn what_redis_check_rdb_says_is_read() {
        let whole = Verified {
            keys: Some(2),
            used_memory: Some(988_784),
            version: Some("7.0.15".to_owned()),
        };
        assert_eq!(read_report(WHOLE), whole);
        assert_eq!(read_report(""), Verified::default());
        let damaged = "--- RDB ERROR DETECTED ---\n[offset 9] Can't handle RDB format version \
            13\n[info] 0 keys read\n";
        assert_eq!(
            complaint(damaged),
            "[offset 9] Can't handle RDB format version 13"
        );
        assert_eq!(
            (complaint("no such file\n"), complaint("")),
            ("no such file", "failed")
        );
    }
}
