//! How a program ends: its exit code, and the line that says why.

use std::io::Write;

use crate::terminal::plain;

/// One line, whatever is in it. A closed pipe must not kill a program that has work to do.
pub(crate) fn say(to: &mut dyn Write, line: &str) {
    let _ = writeln!(to, "{}", plain(line));
}

/// How a program ended; the exit code follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Yes,
    /// No, or Redis says no.
    No,
}

/// What the exit codes mean. keepalived logs "now returning N", so people read them. 2 is clap's
/// own: the command line is wrong.
pub(crate) mod code {
    pub(crate) const YES: u8 = 0;
    /// No, or Redis says no; the reason is said in one line.
    pub(crate) const NO: u8 = 1;
    /// Cannot tell: the configuration can't be read, or no node of it is this machine.
    pub(crate) const CANNOT_TELL: u8 = 3;
}
