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
    let mut fate = Fate {
        acknowledged: written.acks.len(),
        ..Fate::default()
    };
    let timeout = Duration::from_secs(5);
    let through_vip = lab.client.within(|| {
        anyhow::ensure!(!lab.holders().is_empty(), "nobody has the VIP");
        let mut redis = Connection::open(lab.target(), PASSWORD, timeout)?;
        missing(&mut redis, &written.acks)
    });
    let mut gone = match through_vip {
        Ok(gone) => {
            fate.asked = "the VIP".to_owned();
            gone
        }
        Err(_) => from_a_host(lab, written, &mut fate)?,
    };
    for host in &lab.hosts {
        let Ok(files) = std::fs::read_dir(host.file(ROLLBACK)) else {
            continue;
        };
        for file in files.flatten().map(|entry| entry.path()) {
            if gone.is_empty() || file.extension().is_none_or(|e| e != "rdb") {
                continue;
            }
            let left = search(&file, &gone, lab.settings.server)?;
            fate.files.push((file, gone.len() - left.len()));
            let left: HashSet<u64> = left.iter().map(|ack| ack.number).collect();
            let (still, found) = gone.into_iter().partition(|ack| left.contains(&ack.number));
            gone = still;
            let found: Vec<Ack> = found;
            fate.in_files.extend(found);
        }
    }
    fate.lost = gone;
    Ok(fate)
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

fn from_a_host(lab: &Lab, written: &Written, fate: &mut Fate) -> Result<Vec<Ack>> {
    let masters = lab.masters();
    let host = lab.hosts.iter().find(|host| masters.contains(&host.name));
    let host = host.context("nothing to read back from: no VIP that answers, and no master")?;
    fate.asked = host.name.clone();
    missing_on(host, &written.acks)
}

/// Those of `acks` that the Redis of `host` does not have.
pub fn missing_on(host: &Host, acks: &[Ack]) -> Result<Vec<Ack>> {
    let net = host.net().context("off")?;
    net.within(|| {
        let address = (std::net::Ipv4Addr::LOCALHOST, redis_server::PORT).into();
        missing(
            &mut Connection::open(address, PASSWORD, Duration::from_secs(5))?,
            acks,
        )
    })
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

/// Those of `acks` that are not in the RDB `file`, which `server` has written.
fn search(file: &Path, acks: &[Ack], server: Server) -> Result<Vec<Ack>> {
    let dir = tempfile::Builder::new().prefix("lab-rdb-").tempdir()?;
    std::fs::copy(file, dir.path().join("dump.rdb"))?;
    let socket = dir.path().join("s");
    // Bounded by itself as well: it must not outlive a lab that was killed.
    let child = Command::new("timeout")
        .args(["--signal=KILL", "120"])
        .arg(server.program()?)
        .args(["--port", "0", "--unixsocket"])
        .arg(&socket)
        .args(["--save", "", "--appendonly", "no", "--dir"])
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
    missing(&mut open()?, acks)
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
