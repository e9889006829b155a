//! Files, their owners and modes, and what these mean for who may change them.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mode {
    pub uid: u32,
    pub gid: u32,
    pub bits: u32,
    pub is_file: bool,
}

impl Mode {
    /// A symbolic link is followed: what counts is the file that is run or read in the end.
    ///
    /// # Errors
    /// In the kernel's words.
    pub(crate) fn of(path: &Path) -> Result<Mode, String> {
        let found = fs::metadata(path).map_err(|error| error.to_string())?;
        Ok(Mode {
            uid: found.uid(),
            gid: found.gid(),
            bits: found.mode() & 0o7777,
            is_file: found.is_file(),
        })
    }

    /// Others than root may write to it; where its group is root's these are none.
    pub(crate) fn is_open_to_others(self) -> bool {
        self.uid != 0 || self.bits & 0o002 != 0 || (self.bits & 0o020 != 0 && self.gid != 0)
    }

    /// `uid` with these groups may write to it.
    pub(crate) fn is_writable_by(self, uid: u32, gids: &[u32]) -> bool {
        let bit = match uid {
            0 => return true,
            uid if uid == self.uid => 0o200,
            _ if gids.contains(&self.gid) => 0o020,
            _ => 0o002,
        };
        self.bits & bit != 0
    }
}

/// A program that keepalived runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProgramFile {
    pub path: PathBuf,
    /// The file itself, or why it can't be looked at.
    pub found: Result<Mode, String>,
    /// It and the directories above it that others than root may write to (K24).
    pub open: Vec<PathBuf>,
    /// `#!`: what runs it, and whether that is there.
    pub interpreter: Option<(PathBuf, bool)>,
}

impl ProgramFile {
    pub(crate) fn of(path: &Path) -> ProgramFile {
        let found = Mode::of(path);
        // Where a link leads counts too.
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut open = Vec::new();
        for place in [path, &real]
            .into_iter()
            .flat_map(Path::ancestors)
            .filter(|place| !place.as_os_str().is_empty())
        {
            let place = place.to_owned();
            if !open.contains(&place) && Mode::of(&place).is_ok_and(Mode::is_open_to_others) {
                open.push(place);
            }
        }
        ProgramFile {
            path: path.to_owned(),
            found,
            open,
            interpreter: interpreter(path),
        }
    }
}

fn interpreter(path: &Path) -> Option<(PathBuf, bool)> {
    let mut begin = Vec::new();
    fs::File::open(path)
        .ok()?
        .take(256)
        .read_to_end(&mut begin)
        .ok()?;
    let text = String::from_utf8_lossy(begin.strip_prefix(b"#!")?).into_owned();
    let path = PathBuf::from(text.lines().next()?.split_whitespace().next()?);
    let there = path.exists();
    Some((path, there))
}

/// The file system is mounted read-only, for those who see it through `path`.
pub(crate) fn is_read_only(path: &Path) -> Option<bool> {
    use nix::sys::statvfs::{FsFlags, statvfs};
    statvfs(path)
        .ok()
        .map(|found| found.flags().contains(FsFlags::ST_RDONLY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn who_may_write_is_read_from_owner_group_and_mode() {
        let mode = |uid, gid, bits| Mode {
            uid,
            gid,
            bits,
            is_file: true,
        };
        for (mode, open) in [
            (mode(0, 0, 0o755), false),
            (mode(0, 0, 0o775), false),
            (mode(0, 7, 0o775), true),
            (mode(0, 0, 0o757), true),
            (mode(1000, 0, 0o755), true),
        ] {
            assert_eq!(mode.is_open_to_others(), open, "{mode:?}");
        }
        let dir = mode(100, 200, 0o750);
        for (uid, gids, may) in [
            (0, vec![], true),
            (100, vec![], true),
            (101, vec![200], false),
            (101, vec![], false),
        ] {
            assert_eq!(dir.is_writable_by(uid, &gids), may, "{uid}");
        }
        assert!(mode(100, 200, 0o770).is_writable_by(101, &[200]));
    }

    #[test]
    fn a_directory_above_that_others_may_write_to_is_named_and_so_is_a_missing_interpreter() {
        let dir = tempfile::tempdir().expect("a directory");
        let above = dir.path().join("open");
        fs::create_dir(&above).expect("a directory");
        fs::set_permissions(&above, fs::Permissions::from_mode(0o777)).expect("its mode");
        let program = above.join("program");
        fs::write(&program, "#!/no/such/shell -e\n").expect("a file");
        let found = ProgramFile::of(&program);
        assert!(found.open.contains(&above), "{found:?}");
        assert_eq!(found.interpreter, Some(("/no/such/shell".into(), false)));
        assert!(
            ProgramFile::of(Path::new("/no/such/program"))
                .found
                .is_err()
        );
    }
}
