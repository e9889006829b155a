//! A person is asked before something is done that can't be undone.

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, ensure};

use crate::terminal::Terminal;

/// Tells `about`, asks `question`, and waits for the answer; anything but yes is no.
///
/// # Errors
/// Nobody is there to be asked, which is said as `nobody`.
pub(super) fn is_agreed(
    terminal: &Terminal,
    nobody: &str,
    about: &[String],
    question: &str,
) -> anyhow::Result<bool> {
    ensure!(
        io::stdin().is_terminal() && terminal.is_terminal,
        "{nobody}, and nobody is there to be asked; give --yes"
    );
    for line in about {
        terminal.line(line);
    }
    let _ = write!(io::stdout(), "{question} [y/N] ");
    let _ = io::stdout().flush();
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .context("reading the answer")?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
