//! The last good copy of the file, for the time when an edit has broken it.
//!
//! Its place does not depend on the file (a broken file can't say where its copy is). It holds the
//! file's text without its comments, which names the password file and never a password.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::document;

/// The copy of the instance's file.
pub(crate) fn path(state: &Path, instance: &str) -> PathBuf {
    state.join(instance).join("config.last.toml")
}

/// Makes `text` the last good copy, unless it is that already. Never fatal: a node whose disk is
/// full or read-only must go on.
pub(crate) fn keep(state: &Path, instance: &str, text: &str) {
    let copy = path(state, instance);
    if document::read(&copy).is_ok_and(|old| old == text) {
        return;
    }
    // Several programs may do this at once: each writes a file of its own, and the last rename
    // wins. No fsync, which could outlast the check: a copy that a power loss has damaged differs
    // from the file, so the next run writes it anew.
    let new = copy.with_extension(format!("{}.new", std::process::id()));
    let replaced = make_dirs(state, instance)
        .and_then(|()| write(&new, text))
        .and_then(|()| fs::rename(&new, &copy));
    if replaced.is_err() {
        let _ = fs::remove_file(&new);
    }
}

fn make_dirs(state: &Path, instance: &str) -> io::Result<()> {
    for dir in [state.to_owned(), state.join(instance)] {
        match fs::create_dir(&dir) {
            // Under keepalived's umask 0177 nobody could enter it (K2).
            Ok(()) => fs::set_permissions(&dir, Permissions::from_mode(0o755))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}
