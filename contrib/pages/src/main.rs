//! `pages DIR`: writes the manual pages and shell completions of all programs below DIR, as they
//! lie below `/usr/share`.
//!
//! Run by `install.sh` when it builds. All of it is made from the command lines, so that nothing
//! can be said here that the programs do not know; and the programs carry none of it.

mod completions;
mod manual;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use keepalived_redis::console;
use keepalived_redis::programs::cli;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let (Some(dir), None) = (words.next(), words.next()) else {
        eprintln!("pages: usage: pages DIR");
        return ExitCode::from(2);
    };
    match write(Path::new(&dir)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pages: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The command lines of all programs.
fn programs() -> Vec<clap::Command> {
    cli::commands()
        .into_iter()
        .chain([console::command()])
        .collect()
}

fn write(dir: &Path) -> Result<()> {
    let programs = programs();
    for (file, text) in manual::pages(&programs)?
        .into_iter()
        .chain(completions::files(&programs))
    {
        let path: PathBuf = dir.join(file);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)
                .with_context(|| format!("making the directory {}", parent.display()))?;
        }
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
