//! The password: where it is read from, and that it is never shown.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

use super::ConfigError;
use crate::server::access::Secret;

const LONGEST_PASSWORD: u64 = 4096;

/// Reads a password file that nobody but its owner may read or write, and whose owner is root or
/// the caller.
pub(crate) fn read(path: &Path) -> Result<Secret, ConfigError> {
    password(path, Access::Private)
}

/// Reads a password file that was accepted before: to refuse it now, because somebody widened its
/// mode, would turn an alarm into an outage.
pub(crate) fn read_leniently(path: &Path) -> Result<Secret, ConfigError> {
    password(path, Access::Open)
}

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Open,
    /// Nobody but its owner, who is root or the caller.
    Private,
}

/// Opens a regular file; the error is what is wrong with it.
pub(crate) fn open(path: &Path, access: Access) -> Result<File, String> {
    let unreadable = |error: std::io::Error| format!("can't be read: {error}");
    // Without O_NONBLOCK a named pipe would hang here for ever.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)
        .map_err(unreadable)?;
    // The checks look at the open file, not at the name: it can't be exchanged in between.
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err("refused: not a regular file".to_owned());
    }
    if access == Access::Open {
        return Ok(file);
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o066 != 0 {
        return Err(format!(
            "refused: group or others can read or write it (mode {mode:04o}); run: chmod 600 {}",
            path.display()
        ));
    }
    if metadata.uid() != 0 && Some(metadata.uid()) != own_uid() {
        return Err(format!(
            "refused: its owner (uid {}) is neither root nor the user of this program; run: chown \
             root {}",
            metadata.uid(),
            path.display()
        ));
    }
    Ok(file)
}

fn password(path: &Path, access: Access) -> Result<Secret, ConfigError> {
    let file = open(path, access).map_err(|reason| wrong(path, reason))?;
    let mut bytes = Vec::with_capacity(256);
    let read = file.take(LONGEST_PASSWORD + 1).read_to_end(&mut bytes);
    read.map_err(|error| wrong(path, format!("can't be read: {error}")))?;
    if bytes.len() as u64 > LONGEST_PASSWORD {
        return Err(wrong(path, "longer than 4096 bytes".to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong(path, "not UTF-8 text".to_owned()))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(wrong(
            path,
            "empty; write the password into it, on one line".to_owned(),
        ));
    }
    if line.contains(['\n', '\r', '\0']) {
        return Err(wrong(
            path,
            "more than one line; write the password alone, on one line".to_owned(),
        ));
    }
    Ok(Secret::new(line.to_owned()))
}

/// The effective user, as the kernel labels this process's entry in /proc.
fn own_uid() -> Option<u32> {
    std::fs::metadata("/proc/self").ok().map(|own| own.uid())
}

fn wrong(path: &Path, reason: String) -> ConfigError {
    ConfigError::File {
        what: "password file".to_owned(),
        path: path.to_owned(),
        reason,
    }
}
