//! `keepalived-redis explain`.

use std::path::Path;

use crate::program::code;
use crate::terminal::Terminal;

/// Runs it, with the configuration at `path`; answers with the exit code.
pub fn run(path: &Path, terminal: &Terminal) -> u8 {
    terminal.line(&path.display().to_string());
    code::NO
}
