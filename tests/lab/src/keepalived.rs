//! keepalived on a host, in the foreground, with or without somebody who starts it again.

use std::fs::OpenOptions;
use std::io::{BufRead, Write};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::host::Host;
use crate::processes::Process;
use crate::service::Service;

const NAME: &str = "keepalived";
const CONFIG: &str = "/etc/keepalived/keepalived.conf";
/// There while nobody wants keepalived to run: written by the lab and by the `systemctl` below.
const UNWANTED: &str = "/run/lab/keepalived.unwanted";
const SERVICE: Service = Service {
    name: NAME,
    unwanted: UNWANTED,
};
/// Where `RestartSec` may stand, and what systemd takes where it does not.
const DROP_INS: &str = "/etc/systemd/system/keepalived.service.d";
const RESTART: Duration = Duration::from_millis(100);

/// A `systemctl` for hosts without systemd: it can stop keepalived, as unit and all.
const SYSTEMCTL: &str = "#!/bin/sh\n\
    case \" $* \" in *\" stop keepalived\"*) ;; *) exit 0 ;; esac\n\
    touch /run/lab/keepalived.unwanted\n\
    pid=$(cat /run/keepalived.pid 2>/dev/null) || exit 0\n\
    kill \"$pid\" 2>/dev/null\n\
    exit 0\n";

/// Puts the `systemctl` there.
pub fn install_systemctl(host: &Host) -> Result<()> {
    host.write("/usr/local/sbin/systemctl", SYSTEMCTL, 0o755)
}

/// Who looks after keepalived.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Supervision {
    /// Nobody: dead is dead, as with Debian's own unit.
    None,
    /// It is started again after its death unless it was stopped: `Restart=always`, after the
    /// `RestartSec` of the host's drop-in.
    Restart,
}

/// Starts it. Does not wait.
pub fn start(host: &Arc<Host>, supervision: Supervision) -> Result<()> {
    host.tell("start keepalived");
    let _ = std::fs::remove_file(host.file(UNWANTED));
    launch(host, supervision)
}

fn launch(host: &Arc<Host>, supervision: Supervision) -> Result<()> {
    let child = host
        .detached(NAME)?
        .args([
            "--dont-fork",
            "--log-console",
            "--log-detail",
            "--use-file",
            CONFIG,
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let restart =
        move |host: &Host| (supervision == Supervision::Restart).then(|| restart_sec(host));
    let again = move |host: &Arc<Host>| drop(launch(host, supervision));
    SERVICE.look_after(host, child, follow, restart, again);
    Ok(())
}

fn restart_sec(host: &Host) -> Duration {
    let Ok(files) = std::fs::read_dir(host.file(DROP_INS)) else {
        return RESTART;
    };
    let texts = files
        .flatten()
        .map(|file| std::fs::read_to_string(file.path()));
    let text = texts.map_while(std::result::Result::ok).collect::<String>();
    let set = text
        .lines()
        .find_map(|line| line.strip_prefix("RestartSec="));
    set.and_then(|value| value.trim().parse().ok())
        .map_or(RESTART, Duration::from_secs_f32)
}

/// Takes keepalived's lines into the story and a file. The programs that keepalived starts do not
/// have its stderr, so the end of the stream is the end of keepalived.
fn follow(host: &Host, lines: impl BufRead) {
    let path = host.file("/var/log/keepalived.log");
    let mut log = OpenOptions::new().create(true).append(true).open(path).ok();
    for line in lines.lines().map_while(std::result::Result::ok) {
        if let Some(log) = &mut log {
            let _ = writeln!(log, "{line}");
        }
        // Its own time stamp knows whole seconds only: ours is better.
        let text = line
            .split_once(": ")
            .map_or(line.as_str(), |(_, text)| text);
        host.story.add(&host.name, "log", text);
    }
}

/// A clean stop, and waits for it.
pub fn stop(host: &Host) -> Result<()> {
    host.write(UNWANTED, "", 0o600)?;
    host.tell("stop keepalived");
    for pid in family(host).parents {
        let _ = kill(pid, Signal::SIGTERM);
    }
    host.until_gone("keepalived", |name| name == NAME)
}

/// `kill -9` of parent and child.
pub fn kill_all(host: &Host) {
    host.tell("kill -9 keepalived");
    let family = family(host);
    // The parents first: they would start a child again.
    for pid in family.parents.into_iter().chain(family.children) {
        let _ = kill(pid, Signal::SIGKILL);
    }
}

/// `kill -9` of parent and child, and nobody starts it again.
pub fn kill_for_good(host: &Host) -> Result<()> {
    host.write(UNWANTED, "", 0o600)?;
    kill_all(host);
    Ok(())
}

/// `kill -9` of the VRRP process only; its parent starts another.
pub fn kill_child(host: &Host) {
    host.tell("kill -9 keepalived's child");
    for pid in family(host).children {
        let _ = kill(pid, Signal::SIGKILL);
    }
}

/// Whether it runs.
pub fn runs(host: &Host) -> bool {
    !host.processes(|name| name == NAME).is_empty()
}

struct Family {
    parents: Vec<Pid>,
    children: Vec<Pid>,
}

fn family(host: &Host) -> Family {
    let found = host.processes(|name| name == NAME);
    let is_child = |process: &&Process| found.iter().any(|other| other.pid == process.parent);
    let (children, parents): (Vec<_>, Vec<_>) = found.iter().partition(is_child);
    let pids = |list: Vec<&Process>| list.into_iter().map(|process| process.pid).collect();
    Family {
        parents: pids(parents),
        children: pids(children),
    }
}
