//! `lab`: try the two suites on hosts of their own.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Result, anyhow};
use clap::Parser;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use self::orders::Cli;

mod orders;
mod play;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("lab: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    if let Cli::HostInit { name, dir, tree } = cli {
        return lab::boot::run(&name, &dir, &tree);
    }
    let mut disks = tempfile::Builder::new().prefix("lab-").tempdir()?;
    tempfile::env::override_temp_dir(disks.path())
        .map_err(|other| anyhow!("disks go to {} already", other.display()))?;
    clear_when_interrupted(disks.path())?;
    disks.disable_cleanup(matches!(cli, Cli::Run { keep: true, .. }));
    play::play(cli)
}

/// The hosts die with this process whatever happens; their disks must not be left either.
fn clear_when_interrupted(disks: &Path) -> Result<()> {
    let disks = disks.to_owned();
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            let script = "sleep 1; exec rm -rf -- \"$1\"";
            let _ = Command::new("sh")
                .args(["-c", script, "sh"])
                .arg(disks)
                .spawn();
            std::process::exit(130);
        }
    });
    Ok(())
}
