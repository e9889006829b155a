//! pid 1 of a host: mounts, says that it is there, and reaps until the lab is gone.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::wait::wait;
use nix::unistd::sethostname;

/// Directories of the machine that a host sees through an overlay of its own: what it writes
/// there lies in the lab's directory and survives a power-off.
pub const OVERLAYS: [&str; 4] = ["/etc", "/var", "/usr/local", "/usr/libexec"];

/// Where a host finds the source tree, read-only.
pub const TREE: &str = "/mnt";

/// The overlay's own directory of `path`, below the directory of the host.
pub fn upper(dir: &Path, path: &str) -> std::path::PathBuf {
    dir.join("disk")
        .join(path.trim_start_matches('/').replace('/', "-"))
}

/// Becomes pid 1 of the host `name` whose disk is below `dir`. Ends when stdin does: that is
/// when the lab process has ended, however it ended.
/// An error is told on stdout, in place of the pid.
pub fn run(name: &str, dir: &Path, tree: &Path) -> Result<()> {
    let outcome = live(name, dir, tree);
    if let Err(e) = &outcome {
        writeln!(std::io::stdout(), "{e:#}")?;
    }
    outcome
}

fn live(name: &str, dir: &Path, tree: &Path) -> Result<()> {
    // The old /proc still tells the pid that the lab knows this process by.
    let outer = fs::read_link("/proc/self").context("reading /proc/self")?;
    sethostname(name)?;
    for target in OVERLAYS {
        overlay(dir, target)?;
    }
    bind(tree, TREE)?;
    let read_only = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(None::<&str>, TREE, None::<&str>, read_only, None::<&str>)
        .context("making the source tree read-only")?;
    let tmp = dir.join("disk/tmp");
    fs::create_dir_all(&tmp)?;
    bind(&tmp, "/tmp")?;
    fresh("tmpfs", "/run")?;
    fs::create_dir_all("/run/lab")?;
    fresh("proc", "/proc")?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", outer.display())?;
    stdout.flush()?;
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    loop {
        // Orphans come and go; without any there is nothing to wait for but the next one.
        if wait() == Err(Errno::ECHILD) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn overlay(dir: &Path, target: &str) -> Result<()> {
    let upper = upper(dir, target);
    let work = upper.with_extension("work");
    fs::create_dir_all(&upper)?;
    fs::create_dir_all(&work)?;
    let options = format!(
        "lowerdir={target},upperdir={},workdir={}",
        upper.display(),
        work.display()
    );
    mount(
        Some("overlay"),
        target,
        Some("overlay"),
        MsFlags::empty(),
        Some(options.as_str()),
    )
    .with_context(|| format!("mounting an overlay on {target}"))
}

fn bind(from: &Path, target: &str) -> Result<()> {
    mount(
        Some(from),
        target,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )
    .with_context(|| format!("binding {} to {target}", from.display()))
}

fn fresh(kind: &str, target: &str) -> Result<()> {
    mount(
        Some(kind),
        target,
        Some(kind),
        MsFlags::empty(),
        None::<&str>,
    )
    .with_context(|| format!("mounting {kind} on {target}"))
}
