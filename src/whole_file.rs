//! A file that is replaced whole: whoever reads it finds all of the old text or all of the new.
//!
//! The new text goes into a hidden file beside it, which then takes its place by rename. A full
//! disk, a directory that refuses and a writer that is killed leave the old file as it was.

use std::ffi::OsString;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

/// Between the name of the file and the random letters at the end of the hidden one's. By it the
/// hidden file that a killed program has left is known again.
const MARK: &str = ".new-";

/// A replacement takes milliseconds: a hidden file that is older than this belongs to nobody.
const ABANDONED: Duration = Duration::from_secs(60);

/// Who may read the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    Owner,
    /// Also under keepalived's umask, which leaves nobody else a right (K2).
    Everybody,
}

/// Puts `text` in the place of what `path` says now.
///
/// Several programs may do so at once: each writes a hidden file of its own, and the last rename
/// wins. Nothing is forced to the disk, which could outlast a check. After a power loss the file
/// may therefore be damaged, so this is for files whose readers take a damaged one for none.
///
/// # Errors
/// As the kernel reports it, without a path: the caller says which file it was writing.
pub(crate) fn replace(path: &Path, readers: Readers, text: &[u8]) -> io::Result<()> {
    let mut hidden = OsString::from(".");
    hidden.push(path.file_name().unwrap_or_default());
    hidden.push(MARK);
    let mut new = tempfile::Builder::new()
        .prefix(&hidden)
        // Not `tempfile_in`, whose errors name the hidden file instead of ours.
        .make_in(directory(path), |new| {
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(new)
        })?;
    if readers == Readers::Everybody {
        new.as_file()
            .set_permissions(Permissions::from_mode(0o644))?;
    }
    new.as_file_mut().write_all(text)?;
    new.persist(path).map(drop).map_err(|error| error.error)
}

/// Removes the hidden files that killed programs have left beside `path`.
pub(crate) fn clear_abandoned(path: &Path) {
    clear_abandoned_in(directory(path), |name| {
        path.file_name().is_some_and(|own| own == name)
    });
}

/// The same for every file of `dir` whose name `is_ours`.
pub(crate) fn clear_abandoned_in(dir: &Path, is_ours: impl Fn(&str) -> bool) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let ours = name
            .to_str()
            .and_then(|name| name.strip_prefix('.')?.rsplit_once(MARK))
            .is_some_and(|(name, _)| is_ours(name));
        if ours && is_abandoned(&entry) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_abandoned(hidden: &fs::DirEntry) -> bool {
    hidden
        .metadata()
        .and_then(|found| found.modified())
        .is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > ABANDONED))
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if dir.as_os_str().is_empty() => Path::new("."),
        Some(dir) => dir,
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .expect("the directory")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into()
            })
            .collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        let found = fs::metadata(path).expect("the file");
        found.permissions().mode() & 0o777
    }

    #[test]
    fn the_new_text_takes_the_place_of_the_old_and_nothing_else_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        replace(&path, Readers::Everybody, b"a long old text").expect("a write");
        assert_eq!(mode(&path), 0o644);
        replace(&path, Readers::Owner, b"new").expect("a write");
        assert_eq!(fs::read(&path).expect("the file"), b"new");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(names(dir.path()), ["file"]);
    }

    #[test]
    fn many_writers_leave_one_whole_text() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        std::thread::scope(|scope| {
            for writer in b'a'..b'i' {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..50 {
                        replace(path, Readers::Owner, &[writer; 3000]).expect("a write");
                    }
                });
            }
        });
        let text = fs::read(&path).expect("the file");
        assert_eq!(text, [text[0]; 3000]);
        assert_eq!(names(dir.path()), ["file"]);
    }

    #[test]
    fn what_can_not_be_written_leaves_the_old_text_and_no_hidden_file() {
        let dir = tempfile::tempdir().expect("a directory");
        // The name is allowed, and that of a hidden file beside it is too long.
        let long = dir.path().join("x".repeat(250));
        fs::write(&long, "old").expect("a write");
        let error = replace(&long, Readers::Owner, b"new").expect_err("no room for the name");
        assert_eq!(error.to_string(), "File name too long (os error 36)");
        assert_eq!(fs::read(&long).expect("the file"), b"old");
        // What stands at the name can't be replaced by a file.
        let taken = dir.path().join("taken");
        fs::create_dir(&taken).expect("a directory");
        let error = replace(&taken, Readers::Owner, b"new").expect_err("a directory");
        assert_eq!(error.to_string(), "Is a directory (os error 21)");
        assert_eq!(names(dir.path()), ["taken".to_owned(), "x".repeat(250)]);
        let nowhere = replace(Path::new("/proc/nowhere/x"), Readers::Owner, b"new");
        assert_eq!(
            nowhere.expect_err("no such place").kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn only_old_hidden_files_of_our_own_are_abandoned() {
        let dir = tempfile::tempdir().expect("a directory");
        let write = |name: &str, age: u64| {
            let file = fs::File::create(dir.path().join(name)).expect("a file");
            let modified = SystemTime::now() - Duration::from_secs(age);
            file.set_modified(modified).expect("its time");
        };
        write(".file.new-Ab3dE9", 3600);
        write(".file.new-Zb3dE9", 5);
        write(".other.new-Ab3dE9", 3600);
        write(".file.swp", 3600);
        write("file", 3600);
        write("file.new", 3600);
        clear_abandoned(&dir.path().join("file"));
        assert_eq!(
            names(dir.path()),
            [
                ".file.new-Zb3dE9",
                ".file.swp",
                ".other.new-Ab3dE9",
                "file",
                "file.new"
            ]
        );
        clear_abandoned_in(dir.path(), |name| name == "other");
        assert!(!dir.path().join(".other.new-Ab3dE9").exists());
    }
}
