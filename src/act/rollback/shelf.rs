//! The files of one instance and node in the rollback directory: which are there, what becomes of
//! each, and letting go of one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::about::About;
use super::name::Name;
use crate::config::Rollback;
use crate::decide::retention::{Filed, Verdict, sort_out};
use crate::node::clock::now;

pub(super) const DAY: u64 = 24 * 3600;
/// What a file is called beside which a person has looked.
const SEEN: &str = "seen";

/// The files of `whose` in `dir`, in the order in which they were taken.
pub(super) fn files_of(dir: &Path, whose: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut named: Vec<(Name, PathBuf)> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "rdb"))
        .filter_map(|path| Some((Name::of(&path)?, path)))
        .filter(|(name, _)| name.whose == whose)
        .collect();
    named.sort();
    named.into_iter().map(|(_, path)| path).collect()
}

fn filed(path: &Path, now: SystemTime) -> Filed {
    let about = About::beside(path).ok();
    let bytes = fs::metadata(path).map(|file| file.len()).ok();
    Filed {
        whole: bytes.is_some() && about.as_ref().map(|about| about.bytes) == bytes,
        contained: about.as_ref().is_some_and(About::is_contained),
        looked_at: is_looked_at(path),
        age: Name::of(path).and_then(|name| name.age(now)),
        data: about.and_then(|about| about.data()),
    }
}

/// What becomes of each of `files`, of which the last was taken last.
pub(super) fn verdicts(files: &[PathBuf], settings: &Rollback, now: SystemTime) -> Vec<Verdict> {
    let filed: Vec<Filed> = files.iter().map(|path| filed(path, now)).collect();
    let days = Duration::from_secs(DAY.saturating_mul(settings.days as u64));
    sort_out(&filed, settings.keep.max(1), days)
}

/// Removes the file at `path` and what is beside it. The file first: a text that stays behind is
/// cleared the next time.
///
/// # Errors
/// As the kernel reports it.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let beside = [path.with_extension("json"), path.with_extension(SEEN)];
    for path in std::iter::once(path.to_path_buf()).chain(beside) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// A person has looked at the file at `path`, or into it.
pub(crate) fn is_looked_at(path: &Path) -> bool {
    path.with_extension(SEEN).exists()
}

/// Remembers that a person has. Whatever is written of it, that the file is there says it.
///
/// # Errors
/// As the kernel reports it: a directory that can only be read, for one.
pub(crate) fn look_at(path: &Path) -> io::Result<()> {
    let seen = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path.with_extension(SEEN));
    match seen {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Ok(mut seen) => writeln!(seen, "looked at {}", now()),
        Err(error) => Err(error),
    }
}

/// What a program that was killed at it has left; nobody else is at it, for the right to act is
/// ours.
pub(crate) fn clear_unfinished(dir: &Path, whose: &str) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let unfinished = name
            .strip_prefix('.')
            .and_then(|name| name.strip_suffix(".rdb.part"));
        let beside = path
            .extension()
            .is_some_and(|ending| ending == "json" || ending == SEEN);
        let stem = match unfinished {
            Some(stem) => PathBuf::from(format!("{stem}.rdb")),
            None if beside && !path.with_extension("rdb").exists() => path.with_extension("rdb"),
            None => continue,
        };
        if Name::of(&stem).is_some_and(|name| name.whose == whose) {
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOSE: &str = "-a-10.0.0.1_6379";

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).expect("the directory");
        let mut names: Vec<String> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }

    fn write(dir: &Path, name: &str) -> PathBuf {
        let path = dir.join(name);
        fs::write(&path, "x").expect("a file");
        path
    }

    #[test]
    fn only_files_of_this_instance_and_node_go_and_all_that_is_beside_them() {
        let dir = tempfile::tempdir().expect("a directory");
        let write = |name: &str| write(dir.path(), name);
        for other in [
            "notes.txt",
            "old-a-10.0.0.1_6379.rdb",
            "000001-20260101T000000Z-b-a-10.0.0.1_6379.rdb",
            "000001-20260101T000000Z-a-10.0.0.2_6379.json",
            ".000001-20260101T000000Z-b-a-10.0.0.1_6379.rdb.part",
        ] {
            write(other);
        }
        let others = names(dir.path());
        for left in [
            format!(".20260101T000000.000{WHOSE}.rdb.part"),
            format!(".000002-20260101T000000Z{WHOSE}.rdb.part"),
            format!("000002-20260101T000000Z{WHOSE}.json"),
            format!("000002-20260101T000000Z{WHOSE}.seen"),
        ] {
            write(&left);
        }
        clear_unfinished(dir.path(), WHOSE);
        assert_eq!(names(dir.path()), others);
        let kept = write(&format!("000003-20260101T000000Z{WHOSE}.rdb"));
        write(&format!("000003-20260101T000000Z{WHOSE}.json"));
        look_at(&kept).expect("written");
        clear_unfinished(dir.path(), WHOSE);
        assert_eq!(names(dir.path()).len(), others.len() + 3);
        assert_eq!(files_of(dir.path(), WHOSE), std::slice::from_ref(&kept));
        remove(&kept).expect("removed");
        assert_eq!(names(dir.path()), others);
    }
}
