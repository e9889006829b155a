//! What became of the acknowledged writes: read back through the virtual IP, and what is missing
//! looked for in the rollback files of all hosts.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::host::Host;
use crate::lab::Lab;
use crate::redis_client::Connection;
use crate::redis_server::{self, PASSWORD};
use crate::server::Server;
use crate::wait;
use crate::workload::DATABASES;
use crate::writer::{Ack, Written, key};

/// Where install.sh lets the programs put rollback files.
pub(crate) const ROLLBACK: &str = "/var/lib/keepalived-redis/rollback";
/// Keys asked for at a time.
const CHUNK: usize = 1000;

/// The fate of the acknowledged writes.
#[derive(Clone, Debug, Default)]
pub struct Fate {
    /// How many there were.
    pub acknowledged: usize,
    /// Missing in the surviving data, but in a rollback file.
    pub in_files: Vec<Ack>,
    /// Nowhere.
    pub lost: Vec<Ack>,
    /// Which files had some of them, and how many.
    pub files: Vec<(PathBuf, usize)>,
    /// Who answered: the VIP, or a host where the VIP did not.
    pub asked: String,
}

/// Reads everything back.
pub fn read_back(lab: &Lab, written: &Written) -> Result<Fate> {
    let (mut gone, asked) = of_service(lab, |redis| missing(redis, &written.acks))?;
    let mut fate = Fate {
        acknowledged: written.acks.len(),
        asked,
        ..Fate::default()
    };
    for file in files(lab) {
        if gone.is_empty() {
            break;
        }
        let left = of_file(&file, lab.settings.server, |redis| missing(redis, &gone))?;
        fate.files.push((file, gone.len() - left.len()));
        let left: HashSet<u64> = left.iter().map(|ack| ack.number).collect();
        let (still, found) = gone.into_iter().partition(|ack| left.contains(&ack.number));
        gone = still;
        let found: Vec<Ack> = found;
        fate.in_files.extend(found);
    }
    fate.lost = gone;
    Ok(fate)
}

/// What `ask` learns through the VIP, or of a master where the VIP does not answer; and who was
/// asked.
pub fn of_service<T: Send>(
    lab: &Lab,
    ask: impl Fn(&mut Connection) -> Result<T> + Sync,
) -> Result<(T, String)> {
    let timeout = Duration::from_secs(5);
    let through_vip = lab.client.within(|| {
        anyhow::ensure!(!lab.holders().is_empty(), "nobody has the VIP");
        ask(&mut Connection::open(lab.target(), PASSWORD, timeout)?)
    });
    if let Ok(told) = through_vip {
        return Ok((told, "the VIP".to_owned()));
    }
    let masters = lab.masters();
    let host = lab.hosts.iter().find(|host| masters.contains(&host.name));
    let host = host.context("nothing to read back from: no VIP that answers, and no master")?;
    Ok((of_host(host, ask)?, host.name.clone()))
}

/// What `ask` learns of the Redis of `host`.
fn of_host<T: Send>(host: &Host, ask: impl Fn(&mut Connection) -> Result<T> + Sync) -> Result<T> {
    let net = host.net().context("off")?;
    net.within(|| {
        let address = (std::net::Ipv4Addr::LOCALHOST, redis_server::PORT).into();
        ask(&mut Connection::open(
            address,
            PASSWORD,
            Duration::from_secs(5),
        )?)
    })
}

/// The rollback files of all hosts.
pub fn files(lab: &Lab) -> Vec<PathBuf> {
    let dirs = lab
        .hosts
        .iter()
        .filter_map(|host| std::fs::read_dir(host.file(ROLLBACK)).ok());
    dirs.flat_map(|files| files.flatten().map(|entry| entry.path()))
        .filter(|file| file.extension().is_some_and(|kind| kind == "rdb"))
        .collect()
}

/// How many of the keys of [`redis_server::fill`] the VIP does not have.
pub fn bulk_missing(lab: &Lab, count: usize) -> Result<usize> {
    if count == 0 {
        return Ok(0);
    }
    let mut command = vec!["EXISTS".to_owned()];
    command.extend((0..count).map(redis_server::bulk_key));
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let there = lab.ask(None, &words)?.text();
    Ok(count.saturating_sub(there.parse().with_context(|| format!("EXISTS: {there}"))?))
}

/// Those of `acks` that the Redis of `host` does not have.
pub fn missing_on(host: &Host, acks: &[Ack]) -> Result<Vec<Ack>> {
    of_host(host, |redis| missing(redis, acks))
}

/// Those of `acks` that the client does not find at `target`.
pub fn missing_at(lab: &Lab, target: SocketAddr, acks: &[Ack]) -> Result<Vec<Ack>> {
    lab.client.within(|| {
        missing(
            &mut Connection::open(target, PASSWORD, Duration::from_secs(5))?,
            acks,
        )
    })
}

fn missing(redis: &mut Connection, acks: &[Ack]) -> Result<Vec<Ack>> {
    let mut gone = Vec::new();
    for chunk in acks.chunks(CHUNK) {
        let mut command = vec!["MGET".to_owned()];
        command.extend(chunk.iter().map(|ack| key(ack.number)));
        let reply = redis.call(&command)?;
        let said = reply.text();
        let values = reply.texts().with_context(|| format!("MGET: {said}"))?;
        let pairs = chunk.iter().zip(values);
        let other = pairs.filter(|(ack, value)| *value != ack.number.to_string());
        gone.extend(other.map(|(ack, _)| *ack));
    }
    Ok(gone)
}

/// What `ask` learns of the RDB `file`, which `server` has written: a private server loads it.
pub fn of_file<T>(
    file: &Path,
    server: Server,
    ask: impl Fn(&mut Connection) -> Result<T>,
) -> Result<T> {
    let dir = tempfile::Builder::new().prefix("lab-rdb-").tempdir()?;
    std::fs::copy(file, dir.path().join("dump.rdb"))?;
    let socket = dir.path().join("s");
    // Bounded by itself as well: it must not outlive a lab that was killed.
    let child = Command::new("timeout")
        .args(["--signal=KILL", "120"])
        .arg(server.program()?)
        .args(["--port", "0", "--unixsocket"])
        .arg(&socket)
        .args(["--save", "", "--appendonly", "no", "--databases"])
        .arg(DATABASES.to_string())
        .arg("--dir")
        .arg(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let _loaded = Loaded(child);
    let open = || Connection::open_unix(&socket, Duration::from_secs(5));
    wait::until(
        &format!("{} loaded", file.display()),
        Duration::from_secs(60),
        || {
            open()
                .and_then(|mut redis| redis.call(&["PING"]))
                .is_ok_and(|r| r.text() == "PONG")
        },
    )?;
    ask(&mut open()?)
}

struct Loaded(Child);

impl Drop for Loaded {
    fn drop(&mut self) {
        // SIGTERM, which timeout(1) hands on; SIGKILL would leave the server behind.
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap_or_default());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}
