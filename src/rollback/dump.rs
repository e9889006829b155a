//! Taking an RDB of a Redis with `redis-cli --rdb`, and making sure that it is one that can be read.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};

use crate::config::Auth;
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use crate::tls::Files;
use crate::turn::Ended;

/// Asked while it takes its time: go on?
pub(super) type GoOn<'a> = &'a mut dyn FnMut() -> Result<(), Ended>;

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
    // Made before redis-cli writes into it, so that nobody else can ever read it.
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(part)?;
    let mut command = Command::new("redis-cli");
    match endpoint {
        Endpoint::Tcp(address) => {
            command.arg("-h").arg(address.ip().to_string()).arg("-p").arg(address.port().to_string());
            command.args(auth.tls.iter().flat_map(|tls| tls_options(&tls.files)));
        }
        Endpoint::Unix(path) => drop(command.arg("-s").arg(path)),
    }
    if let Some(user) = &auth.username {
        command.arg("--user").arg(user);
    }
    if let Some(password) = &auth.password {
        command.env("REDISCLI_AUTH", password.expose());
    }
    command.arg("--rdb").arg(part).stdout(Stdio::null()).stderr(Stdio::piped());
    let (status, said) = run(&mut command, "redis-cli --rdb", deadline, go_on)?;
    ensure!(status.success(), "redis-cli --rdb: {}", said.lines().last().unwrap_or("failed").trim());
    let file = File::open(part)?;
    file.sync_all()?;
    let bytes = file.metadata()?.len();
    ensure!(bytes > 0, "redis-cli --rdb wrote nothing: {}", said.trim());
    Ok(Dumped { bytes, keys: verify(part, deadline, go_on)? })
}

/// As redis-cli has them. It checks who has signed the server's certificate, but not for whom: we have done both.
fn tls_options(files: &Files) -> Vec<OsString> {
    let mut options: Vec<OsString> = vec!["--tls".into(), "--cacert".into(), files.ca.clone().into()];
    if let Some((cert, key)) = &files.client {
        options.extend(["--cert".into(), cert.clone().into(), "--key".into(), key.clone().into()]);
    }
    if let Some(name) = files.server_name.as_ref().filter(|name| name.parse::<IpAddr>().is_err()) {
        options.extend(["--sni".into(), name.into()]);
    }
    options
}

/// Reads the file as Redis would, checksum and all. Answers with the number of keys, where it was said.
fn verify(part: &Path, deadline: Deadline, go_on: GoOn<'_>) -> anyhow::Result<Option<u64>> {
    let mut command = Command::new("redis-check-rdb");
    command.arg(part).stdout(Stdio::piped()).stderr(Stdio::null());
    let (status, said) = run(&mut command, "redis-check-rdb", deadline, go_on)?;
    let error = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("failed").trim();
    ensure!(status.success(), "the file that redis-cli --rdb wrote is damaged: {error}");
    Ok(said.lines().find_map(|line| line.trim().strip_prefix("[info] ")?.strip_suffix(" keys read")?.parse().ok()))
}

/// Runs it to its end, or ends it. What it says is read only then: a page or so, far less than a pipe holds.
fn run(command: &mut Command, name: &str, deadline: Deadline, go_on: GoOn<'_>) -> anyhow::Result<(ExitStatus, String)> {
    let mut child = command
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("starting {name} (install redis-tools, or the redis package)"))?;
    let ended = wait(&mut child, name, deadline, go_on);
    if ended.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let status = ended?;
    let mut said = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(64 << 10).read_to_end(&mut said)?;
    }
    if let Some(stderr) = child.stderr.take() {
        stderr.take(64 << 10).read_to_end(&mut said)?;
    }
    Ok((status, String::from_utf8_lossy(&said).into_owned()))
}

fn wait(child: &mut Child, name: &str, deadline: Deadline, go_on: GoOn<'_>) -> anyhow::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        go_on().map_err(|ended| anyhow!("{ended}"))?;
        ensure!(deadline.pause(Duration::from_millis(10)), "{name} was not done in time");
    }
}
