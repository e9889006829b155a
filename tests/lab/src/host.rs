//! A host: network, mount, pid and uts namespaces around a pid 1, with a disk that outlives them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::boot;
use crate::netns::NetNs;
use crate::story::Story;
use crate::switch::Switch;

/// How the network of a host is while it boots.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cable {
    /// There at once.
    Ready,
    /// Link and address are there, but nothing gets through until [`Host::hear`].
    Silent,
}

/// A machine, on or off.
pub struct Host {
    /// Its host name, and that of its port at the switch.
    pub name: String,
    /// Its own address on `eth0`.
    pub address: IpAddr,
    /// Where the lab told its story.
    pub story: Story,
    dir: PathBuf,
    tree: PathBuf,
    switch: Arc<Switch>,
    life: Mutex<Option<Life>>,
}

struct Life {
    /// unshare(1), the parent of pid 1. Its stdin is the thread that the host's life hangs on.
    unshare: Child,
    pid: i32,
    net: NetNs,
}

impl Host {
    /// A host that is still off, with a blank disk below `dir`. `tree` is the source tree that it
    /// sees at [`boot::TREE`].
    pub fn new(
        name: &str,
        address: IpAddr,
        dir: PathBuf,
        tree: PathBuf,
        switch: Arc<Switch>,
        story: Story,
    ) -> Host {
        let life = Mutex::new(None);
        Host {
            name: name.to_owned(),
            address,
            story,
            dir,
            tree,
            switch,
            life,
        }
    }

    fn life(&self) -> std::sync::MutexGuard<'_, Option<Life>> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the story what the lab does to this host.
    pub fn tell(&self, what: impl Into<String>) {
        self.story.add(&self.name, "does", what);
    }

    /// Boots it; nothing runs yet but pid 1.
    pub fn power_on(&self, cable: Cable) -> Result<()> {
        let mut life = self.life();
        ensure!(life.is_none(), "{} is already on", self.name);
        fs::create_dir_all(&self.dir)?;
        let mut unshare = Command::new("unshare")
            .args([
                "--mount",
                "--net",
                "--uts",
                "--pid",
                "--fork",
                "--kill-child",
                "--",
            ])
            .arg(init_program()?)
            .args(["host-init", "--name", &self.name, "--dir"])
            .arg(&self.dir)
            .arg("--tree")
            .arg(&self.tree)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // unshare(1) 2.38 complains there about a signal mask when its child was killed.
            .stderr(Stdio::null())
            .spawn()
            .context("starting unshare(1)")?;
        let mut line = String::new();
        if let Some(stdout) = unshare.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let Ok(pid) = line.trim().parse() else {
            let _ = unshare.kill();
            let _ = unshare.wait();
            bail!("{} did not boot: {}", self.name, line.trim());
        };
        let net = NetNs::of_process(pid)?;
        self.switch.plug(&self.name, &net, self.address)?;
        if cable == Cable::Silent {
            self.switch.silent(&self.name, true)?;
        }
        *life = Some(Life { unshare, pid, net });
        drop(life);
        self.tell(format!("power on, network {cable:?}"));
        Ok(())
    }

    /// Power loss: everything is gone at once, without a last packet.
    pub fn power_off(&self) -> Result<()> {
        let Some(mut life) = self.life().take() else {
            return Ok(());
        };
        // Silent first: dying sockets would say goodbye. It fails where the link is down, which is
        // as silent.
        let _ = self.switch.silent(&self.name, true);
        kill(Pid::from_raw(life.pid), Signal::SIGKILL)?;
        self.tell("power off");
        self.switch.unplug(&self.name)?;
        life.unshare.wait()?;
        Ok(())
    }

    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        self.life().is_some()
    }

    /// Its network namespace, while it is on.
    pub fn net(&self) -> Option<NetNs> {
        self.life().as_ref().map(|life| life.net.clone())
    }

    /// Its pid 1, as the lab knows it.
    pub(crate) fn pid(&self) -> Result<i32> {
        self.life()
            .as_ref()
            .map(|life| life.pid)
            .with_context(|| format!("{} is off", self.name))
    }

    /// Where the lab finds the host's file `path`. On: as the host sees it. Off: on its disk,
    /// if the host wrote it.
    pub fn file(&self, path: &str) -> PathBuf {
        match self.pid() {
            Ok(pid) => PathBuf::from(format!("/proc/{pid}/root{path}")),
            Err(_) => {
                for place in boot::OVERLAYS {
                    if let Ok(rest) = Path::new(path).strip_prefix(place) {
                        return boot::upper(&self.dir, place).join(rest);
                    }
                }
                self.dir.join("disk").join(path.trim_start_matches('/'))
            }
        }
    }

    /// Writes a file of the host, its directories too.
    pub fn write(&self, path: &str, text: &str, mode: u32) -> Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let file = self.file(path);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&file, text).with_context(|| format!("writing {path} of {}", self.name))?;
        fs::set_permissions(&file, fs::Permissions::from_mode(mode))?;
        Ok(())
    }

    /// A command that will run inside.
    pub fn command(&self, program: &str) -> Result<Command> {
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", self.pid()?));
        command.args([
            "--mount", "--net", "--uts", "--pid", "--wd=/", "--", program,
        ]);
        command.stdin(Stdio::null());
        command.env_clear();
        command.env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        );
        command.env("LANG", "C.UTF-8");
        Ok(command)
    }

    /// The command line with which a person gets a shell inside.
    pub fn enter(&self) -> Result<String> {
        Ok(format!(
            "nsenter --target={} --mount --net --uts --pid --wd=/ bash",
            self.pid()?
        ))
    }

    /// Runs a shell command inside to its end; the result holds all that it said.
    pub fn sh(&self, script: &str) -> Result<Output> {
        Ok(self.command("sh")?.args(["-c", script]).output()?)
    }

    /// A command that starts a program inside and ends at once: the program is a child of pid 1.
    /// As a child of nsenter(1) it could not die while stopped: that stops with its child, and a
    /// namespace ends only when all its dead are reaped.
    pub fn detached(&self, program: &str) -> Result<Command> {
        let mut command = self.command("setsid")?;
        command.args(["--fork", program]);
        Ok(command)
    }

    /// Starts a program inside that goes on by itself.
    pub fn spawn(&self, program: &str, args: &[&str]) -> Result<()> {
        let mut command = self.detached(program)?;
        command
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        ensure!(
            command.status()?.success(),
            "starting {program} on {}",
            self.name
        );
        Ok(())
    }

    /// Nothing gets through, though the link is there.
    pub fn silence(&self) -> Result<()> {
        self.tell("network silent");
        self.switch.silent(&self.name, true)
    }

    /// Ends a silence of the network.
    pub fn hear(&self) -> Result<()> {
        self.tell("network gets through");
        self.switch.silent(&self.name, false)
    }

    /// Carrier off or on.
    pub fn link(&self, up: bool) -> Result<()> {
        self.tell(if up { "link up" } else { "link down" });
        self.switch.carrier(&self.name, up)
    }

    /// Cuts it off from other cut-off hosts, not from the client; or ends that.
    pub fn cut(&self, cut: bool) -> Result<()> {
        self.tell(if cut { "cut off" } else { "joined again" });
        self.switch.isolated(&self.name, cut)
    }

    /// What it sends to `other` gets lost on the way, or does so no more. What that one sends still
    /// arrives: for a cut between two hosts alone, both have to lose what they send.
    pub fn lose(&self, other: &Host, lost: bool) -> Result<()> {
        let net = self
            .net()
            .with_context(|| format!("{} is off", self.name))?;
        self.tell(format!(
            "what it sends to {} {}",
            other.name,
            if lost { "gets lost" } else { "arrives again" }
        ));
        // Nobody has that MAC address, and the switch says nothing of it.
        net.sh(&match lost {
            true => format!(
                "ip neigh replace {} lladdr 02:ff:ff:ff:ff:ff dev eth0 nud permanent",
                other.address
            ),
            false => format!("ip neigh del {} dev eth0", other.address),
        })
    }

    /// TCP that it sends to these addresses gets lost on the way, or does so no more; everything
    /// else still arrives. Its own addresses are not on the way.
    pub fn lose_tcp(&self, to: &[IpAddr], lost: bool) -> Result<()> {
        let net = self
            .net()
            .with_context(|| format!("{} is off", self.name))?;
        self.tell(match lost {
            true => "TCP to the others gets lost",
            false => "TCP to the others arrives again",
        });
        // Nobody has that MAC address, and the switch says nothing of it.
        let mut script = "ip rule flush pref 77; ip route flush table 77 || true\n".to_owned();
        if lost {
            script += "ip neigh replace 192.168.158.254 lladdr 02:ff:ff:ff:ff:ff dev eth0 nud \
                       permanent\nip route replace default via 192.168.158.254 dev eth0 table 77\n";
            for address in to {
                script += &format!("ip rule add pref 77 ipproto tcp to {address} lookup 77\n");
            }
        }
        net.sh(&script)
    }

    /// Limits its cable to megabits a second, both ways.
    pub fn rate(&self, mbit: Option<u32>) -> Result<()> {
        let net = self
            .net()
            .with_context(|| format!("{} is off", self.name))?;
        self.tell(format!("network limited to {mbit:?} Mbit/s"));
        self.switch.rate(&self.name, &net, mbit)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.power_off();
    }
}

/// The `lab` program, which is pid 1 of every host: this very program, or beside the test.
fn init_program() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    if own.file_name().is_some_and(|name| name == "lab") {
        return Ok(own);
    }
    let beside = own.ancestors().skip(1).take(2).map(|dir| dir.join("lab"));
    beside
        .into_iter()
        .find(|path| path.is_file())
        .context("no program `lab` beside this one")
}
