//! The program that a person wants to be told by (`[hooks]`): run once for each transition, beside
//! our own work and never in its way.

use std::fmt::Display;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::config::Hooks;
use crate::terminal::plain;

/// What has happened, as `KEEPALIVED_REDIS_EVENT` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The old master was gone, and the local Redis is master now.
    Promoted,
    /// The role was moved to the local Redis from a master that lives.
    TookOver,
    /// The role was moved from the local Redis to another node.
    GaveUp,
    /// This node holds the VIP, and its Redis was master already.
    Serving,
    /// The local Redis was made a replica.
    Following,
    /// The local Redis is a replica that has all its master has.
    InSync,
    /// Data was kept in a rollback file, for it is about to be dropped.
    Kept,
    /// Data is about to be dropped, and `rollback.mode` is never.
    Dropped,
    Fault,
    Stop,
    /// This node was drained by hand.
    Drained,
    /// A drain was ended by hand.
    Resumed,
}

impl Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Event::Promoted => "promoted",
            Event::TookOver => "took-over",
            Event::GaveUp => "gave-up",
            Event::Serving => "serving",
            Event::Following => "following",
            Event::InSync => "in-sync",
            Event::Kept => "kept",
            Event::Dropped => "dropped",
            Event::Fault => "fault",
            Event::Stop => "stop",
            Event::Drained => "drained",
            Event::Resumed => "resumed",
        })
    }
}

/// The names of a variable: `took_ms` is `KEEPALIVED_REDIS_TOOK_MS`.
fn variable(key: &str) -> String {
    format!("KEEPALIVED_REDIS_{}", key.to_ascii_uppercase())
}

/// Starts the hook, with `facts` in its environment, and does not wait for it. After
/// `hooks.timeout` it is ended.
///
/// It is in a session of its own, so that whoever ends the program that we are leaves it alone
/// (K7). When keepalived stops, systemd ends all that it has started (K6), so there systemd is
/// asked to start it, where it runs.
///
/// # Errors
/// A sentence for the journal: it is not there, or others than root could change it, or it could
/// not be started.
pub(crate) fn start(
    hooks: &Hooks,
    event: Event,
    facts: &[(&str, &dyn Display)],
) -> anyhow::Result<()> {
    let Some((program, arguments)) = hooks.on_transition.split_first() else {
        return Ok(());
    };
    let doing = || format!("running the hook {program} (hooks.on_transition)");
    look_at(Path::new(program)).with_context(doing)?;
    let facts: Vec<(String, String)> = std::iter::once(("event", &event as &dyn Display))
        .chain(facts.iter().copied())
        .map(|(key, value)| (variable(key), plain(&value.to_string())))
        .collect();
    if event == Event::Stop && fs::exists("/run/systemd/system").unwrap_or(false) {
        let mut command = Command::new("systemd-run");
        command.args(["--quiet", "--collect", "--no-block", "--property"]);
        command.arg(format!("RuntimeMaxSec={}", hooks.timeout.as_secs().max(1)));
        command.args(
            facts
                .iter()
                .map(|(key, value)| format!("--setenv={key}={value}")),
        );
        command.arg("--").arg(program).args(arguments);
        if run(&mut command).is_ok() {
            return Ok(());
        }
    }
    let mut command = Command::new("setsid");
    command.args([
        "--fork",
        "timeout",
        "--kill-after=1",
        &format!("{}", hooks.timeout.as_secs_f64()),
    ]);
    command.arg(program).args(arguments).envs(facts);
    run(&mut command).with_context(doing)
}

/// It is there, and as safe as keepalived wants its own programs to be (K24): we may be root.
fn look_at(program: &Path) -> anyhow::Result<()> {
    let metadata = fs::metadata(program)?;
    if !metadata.is_file() || metadata.mode() & 0o111 == 0 {
        bail!("it is no program: chmod 755 {}", program.display());
    }
    let mine = nix::unistd::geteuid().as_raw();
    if metadata.uid() != 0 && metadata.uid() != mine || metadata.mode() & 0o022 != 0 {
        bail!(
            "others could change it, and it would run as root: chown root:root {path}; chmod 755 \
             {path}",
            path = program.display()
        );
    }
    Ok(())
}

/// What is started ends at once, and leaves the hook behind.
fn run(command: &mut Command) -> io::Result<()> {
    // Passwords are for us alone.
    command.env_remove("REDISCLI_AUTH").current_dir("/");
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(status.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    #[test]
    fn a_hook_that_is_missing_or_unsafe_is_not_run() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("hook");
        let hooks = Hooks {
            on_transition: vec![path.display().to_string()],
            timeout: Duration::from_secs(1),
        };
        let says = |words: &str| {
            let error = format!(
                "{:#}",
                start(&hooks, Event::Fault, &[]).expect_err("it is not run")
            );
            assert!(
                error.contains("running the hook") && error.contains(words),
                "{error}"
            );
        };
        says("No such file");
        fs::write(&path, "#!/bin/sh\n").expect("a write");
        let mode =
            |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        mode(0o644);
        says("it is no program");
        mode(0o757);
        says("others could change it");
        let none = Hooks {
            on_transition: vec![],
            ..hooks
        };
        assert!(start(&none, Event::Fault, &[]).is_ok());
    }
}
