//! A network namespace without a name: it lives as long as something holds it open.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use nix::sched::{CloneFlags, setns, unshare};

/// A network namespace, held open.
#[derive(Clone, Debug)]
pub struct NetNs(Arc<File>);

impl NetNs {
    /// Makes an empty one, its loopback up.
    pub fn new() -> Result<NetNs> {
        let made = std::thread::spawn(|| -> Result<File> {
            unshare(CloneFlags::CLONE_NEWNET).context("making a network namespace (root?)")?;
            Ok(File::open("/proc/thread-self/ns/net")?)
        });
        let file = made
            .join()
            .map_err(|_| anyhow::anyhow!("the thread died"))??;
        let ns = NetNs(Arc::new(file));
        ns.sh("ip link set lo up")?;
        Ok(ns)
    }

    /// The namespace that process `pid` lives in.
    pub fn of_process(pid: i32) -> Result<NetNs> {
        let path = format!("/proc/{pid}/ns/net");
        Ok(NetNs(Arc::new(File::open(&path).context(path)?)))
    }

    /// A path by which programs outside can name it while this value lives.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }

    /// Whether it is the same namespace, held by the same value.
    pub fn is(&self, other: &NetNs) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Moves the calling thread into it, for good: sockets and programs made by this thread from
    /// now on belong to the namespace.
    pub fn enter(&self) -> Result<()> {
        setns(self.0.as_ref(), CloneFlags::CLONE_NEWNET).context("entering a network namespace")
    }

    /// Runs `work` in the namespace, in a thread of its own.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                self.enter()?;
                work()
            });
            match thread.join() {
                Ok(result) => result,
                Err(_) => bail!("a thread in a namespace died"),
            }
        })
    }

    /// Runs shell commands in it; an error holds what they said.
    pub fn sh(&self, script: &str) -> Result<()> {
        self.within(|| {
            let out = Command::new("sh").args(["-ec", script]).output()?;
            let said = String::from_utf8_lossy(&out.stderr);
            ensure!(out.status.success(), "`{script}`: {}", said.trim());
            Ok(())
        })
    }
}
