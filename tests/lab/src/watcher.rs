//! The watcher of the fast profile on a host: started as its installed unit says, and started again
//! whenever it ends.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::host::Host;
use crate::service::Service;
use crate::wait;

const UNIT: &str = "/etc/systemd/system/keepalived-redis-watch.service";
/// The file that keepalived reads.
pub const FILE: &str = "/run/keepalived-redis/redis-ha.watch";
/// There while nobody wants the watcher to run.
const UNWANTED: &str = "/run/lab/watcher.unwanted";
const SERVICE: Service = Service {
    name: "the watcher",
    unwanted: UNWANTED,
};
/// Where it says that it is ready, as to systemd.
const NOTIFY: &str = "/run/lab/watcher.notify";
const NAME: &str = "check_redis";

/// Starts it where it does not run yet, and waits until it says that it is ready; no longer than
/// systemd would.
pub fn start(host: &Arc<Host>) -> Result<()> {
    if pid(host).is_some() {
        return Ok(());
    }
    host.tell("start the watcher");
    let _ = std::fs::remove_file(host.file(UNWANTED));
    let _ = std::fs::remove_file(host.file(NOTIFY));
    let socket = UnixDatagram::bind(host.file(NOTIFY)).context("a socket for sd_notify")?;
    launch(host)?;
    let limit = seconds(&setting(host, "TimeoutStartSec")?)?;
    let (end, mut message) = (Instant::now() + limit, [0; 512]);
    loop {
        let left = end
            .saturating_duration_since(Instant::now())
            .max(Duration::from_millis(1));
        socket.set_read_timeout(Some(left))?;
        let Ok(length) = socket.recv(&mut message) else {
            host.tell("the watcher does not get ready");
            return Ok(());
        };
        if message[..length]
            .split(|byte| *byte == b'\n')
            .any(|line| line == b"READY=1")
        {
            return Ok(());
        }
    }
}

fn launch(host: &Arc<Host>) -> Result<()> {
    let command = setting(host, "ExecStart")?;
    let child = host
        .detached("nice")?
        .args(["-n", &setting(host, "Nice")?])
        .args(command.split_whitespace())
        .env("NOTIFY_SOCKET", NOTIFY)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    // Nothing else holds its stderr.
    let follow = |host: &Host, lines: BufReader<_>| {
        let lines = lines.lines().map_while(std::result::Result::ok);
        lines.for_each(|line| host.story.add(&host.name, "watcher", line));
    };
    let restart = |host: &Host| {
        let pause = setting(host, "RestartSec").and_then(|text| seconds(&text));
        Some(pause.unwrap_or(Duration::from_millis(100)))
    };
    SERVICE.look_after(host, child, follow, restart, |host| drop(launch(host)));
    Ok(())
}

/// What the unit says.
fn setting(host: &Host, key: &str) -> Result<String> {
    let text = std::fs::read_to_string(host.file(UNIT)).context("reading the watcher's unit")?;
    let found = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    Ok(found
        .with_context(|| format!("no {key} in {UNIT}"))?
        .to_owned())
}

fn seconds(text: &str) -> Result<Duration> {
    Ok(Duration::from_secs_f32(text.trim().parse().with_context(
        || format!("{text} is no number of seconds"),
    )?))
}

/// The process, as the lab knows it. A check has the same name.
pub fn pid(host: &Host) -> Option<Pid> {
    let is_watcher = |pid: Pid| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == b"--watch")
    };
    host.processes(|name| name == NAME)
        .into_iter()
        .map(|process| process.pid)
        .find(|pid| is_watcher(*pid))
}

/// Sends it a signal; it is started again if it dies of that.
pub fn signal(host: &Host, signal: Signal) -> Result<()> {
    host.tell(format!("{signal} to the watcher"));
    kill(pid(host).context("no watcher runs")?, signal)?;
    Ok(())
}

/// `systemctl stop`: it ends, and stays away.
pub fn stop(host: &Host) -> Result<()> {
    host.write(UNWANTED, "", 0o600)?;
    signal(host, Signal::SIGTERM)?;
    wait::until("the watcher ends", Duration::from_secs(5), || {
        pid(host).is_none()
    })
}

/// What the file says; empty where there is none.
pub fn says(host: &Host) -> String {
    std::fs::read_to_string(host.file(FILE))
        .unwrap_or_default()
        .trim()
        .to_owned()
}
