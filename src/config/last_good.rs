//! The last good copy of the file, for the time when an edit has broken it.
//!
//! Its place does not depend on the file (a broken file can't say where its copy is). It holds the
//! file's text without its comments, which names the password file and never a password.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::document;
use crate::whole_file::{self, Readers};

/// The name of the copy, in the directory of the instance.
pub(crate) const FILE: &str = "config.last.toml";

/// The copy of the instance's file.
pub(crate) fn path(state: &Path, instance: &str) -> PathBuf {
    state.join(instance).join(FILE)
}

/// Makes `text` the last good copy, unless it is that already. Never fatal: a node whose disk is
/// full or read-only must go on. A copy that a power loss has damaged differs from the file, so the
/// next run writes it anew.
pub(crate) fn keep(state: &Path, instance: &str, text: &str) {
    let copy = path(state, instance);
    if document::read(&copy).is_ok_and(|old| old == text) {
        return;
    }
    let replaced = make_dirs(state, instance)
        .and_then(|()| whole_file::replace(&copy, Readers::Owner, text.as_bytes()));
    if replaced.is_ok() {
        whole_file::clear_abandoned(&copy);
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
