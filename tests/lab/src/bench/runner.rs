//! Programs run on a host again and again, each from a small parent that lives there, and what each
//! run cost.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::host::Host;
use crate::lab::tree;

/// Where a host has the two programs.
pub const PLACE: &str = "/tmp/bench";

/// What one run cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// When it began, since 1970.
    pub began: Duration,
    /// From before it was started until it had ended.
    pub wall: Duration,
    /// Of it and all that it started, in user and in kernel mode.
    pub cpu: Duration,
    /// The greatest memory of any run so far, in kilobytes.
    pub peak: u64,
    /// The same of the parent; `peak` can't be seen to be less than this.
    pub own: u64,
    /// Its exit code; -1 where a signal ended it.
    pub code: i32,
}

/// The parent of one command on one host.
pub struct Runner {
    child: Child,
    go: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Runner {
    /// Gets ready to run `words` inside `host`. [`install`] comes first.
    pub fn new(host: &Host, words: &[&str]) -> Result<Runner> {
        let mut command = host.command(&format!("{PLACE}/runner"))?;
        command
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().context("starting the runner")?;
        let (go, out) = (child.stdin.take(), child.stdout.take());
        Ok(Runner {
            child,
            go,
            answers: BufReader::new(out.context("the runner says nothing")?),
        })
    }

    /// Has it run once; does not wait.
    pub fn start(&mut self) -> Result<()> {
        let go = self.go.as_mut().context("the runner has ended")?;
        Ok(go.write_all(b"\n")?)
    }

    /// What the run cost that was started last.
    pub fn cost(&mut self) -> Result<Cost> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let words: Vec<i64> = line
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        let [began, wall, cpu, peak, own, code] = words.as_slice() else {
            anyhow::bail!("the runner said: {}", line.trim())
        };
        let time = |nanoseconds: &i64| {
            Duration::from_nanos(u64::try_from(*nanoseconds).unwrap_or_default())
        };
        let size = |kilobytes: &i64| u64::try_from(*kilobytes).unwrap_or_default();
        Ok(Cost {
            began: time(began),
            wall: time(wall),
            cpu: time(cpu),
            peak: size(peak),
            own: size(own),
            code: i32::try_from(*code).unwrap_or(-1),
        })
    }

    /// Runs it once.
    pub fn run(&mut self) -> Result<Cost> {
        self.start()?;
        self.cost()
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // It ends with its stdin.
        self.go = None;
        let _ = self.child.wait();
    }
}

/// Puts `runner` and `floor` from `dir` onto the host.
pub fn install(host: &Host, dir: &Path) -> Result<()> {
    std::fs::create_dir_all(host.file(PLACE))?;
    for program in ["runner", "floor"] {
        let to = host.file(&format!("{PLACE}/{program}"));
        std::fs::copy(dir.join(program), to).with_context(|| format!("copying {program}"))?;
    }
    Ok(())
}

/// Where `runner` and `floor` are that cargo built beside this program, for this machine's usual
/// target.
pub fn beside() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let mut dirs = own.ancestors().skip(1).take(2).map(PathBuf::from);
    dirs.find(|dir| dir.join("runner").is_file() && dir.join("floor").is_file())
        .context("no `floor` beside this program")
}

/// Builds the two as install.sh builds the programs: static, with musl where that target can be
/// had, in the profile of the workspace. The result is their directory.
pub fn build() -> Result<PathBuf> {
    let musl = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let gnu = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    build_for(&musl, "").or_else(|_| build_for(&gnu, "-C target-feature=+crt-static"))
}

fn build_for(target: &str, flags: &str) -> Result<PathBuf> {
    let tree = tree()?;
    let dir = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| tree.join("target"), PathBuf::from)
        .join("lab");
    let out = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "build",
            "--release",
            "-p",
            "lab",
            "--bin",
            "floor",
            "--bin",
            "runner",
            "--target",
            target,
        ])
        .arg("--target-dir")
        .arg(&dir)
        .env("RUSTFLAGS", flags)
        .current_dir(&tree)
        .output()
        .context("running cargo")?;
    ensure!(
        out.status.success(),
        "cargo build for {target}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    Ok(dir.join(target).join("release"))
}
