//! The file that keepalived watches (`vrrp_track_file`): the watcher's verdict.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::deadline::Stopwatch;
use crate::whole_file::{self, Readers};

/// The local Redis is well, and in Sentinel mode the one that Sentinel names. Also what keepalived
/// reads from a file that is not there (K18).
pub(crate) const WELL: u8 = 0;
/// The local Redis is dead or silent: FAULT, with a weight of 0.
pub(crate) const DEAD: u8 = 1;
/// The same with the weight of -1 that Sentinel mode has: less than -253 is FAULT (K18).
pub(crate) const DEAD_BY_WEIGHT: u8 = 254;
/// The sentinels are silent, and the last answer stands. It costs less than being unnamed, and more
/// than any difference in priority of 24 nodes: so this node gives way once both sides of a
/// partition see each other.
pub(crate) const HELD: u8 = 30;
/// With a weight of -1: Sentinel names another node, and the priority is so much lower.
pub(crate) const NOT_NAMED: u8 = 100;

const SECOND_LOOK: Duration = Duration::from_secs(1);

/// The file that keepalived watches.
pub(crate) struct TrackFile {
    path: PathBuf,
    /// What it was last found, or made, to say.
    said: Option<(u8, Stopwatch)>,
}

impl TrackFile {
    /// Also removes what watchers that were killed have left beside it: systemd starts another one
    /// each time.
    pub(crate) fn new(path: &Path) -> TrackFile {
        whole_file::clear_abandoned(path);
        TrackFile {
            path: path.to_path_buf(),
            said: None,
        }
    }

    /// Makes it say `value`, one of those above. It is looked at again once a second, for somebody
    /// may have removed it, which keepalived takes for 0 (K18).
    ///
    /// True where its directory had to be made: keepalived, where it runs already, looked at the
    /// old one (K29).
    pub(crate) fn say(&mut self, value: u8) -> io::Result<bool> {
        if self
            .said
            .is_some_and(|(said, looked)| said == value && looked.elapsed() < SECOND_LOOK)
        {
            return Ok(false);
        }
        let mut made = false;
        let text = format!("{value}\n");
        if !fs::read(&self.path).is_ok_and(|found| found == text.as_bytes()) {
            self.said = None;
            made = self.write(text.as_bytes())?;
        }
        self.said = Some((value, Stopwatch::start()));
        Ok(made)
    }

    fn write(&self, text: &[u8]) -> io::Result<bool> {
        match self.replace(text) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let dir = self.path.parent().unwrap_or(Path::new("/"));
                fs::DirBuilder::new()
                    .recursive(true)
                    .mode(0o755)
                    .create(dir)?;
                self.replace(text).map(|()| true)
            }
            // No room for another file: there is for some bytes in the place of others.
            Err(error) => self.overwrite(text).map(|()| false).map_err(|_| error),
            Ok(()) => Ok(false),
        }
    }

    fn overwrite(&self, text: &[u8]) -> io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).open(&self.path)?;
        file.write_all(text)?;
        file.set_len(text.len() as u64)
    }

    /// As a whole: keepalived never finds it empty, which it would take for 0.
    fn replace(&self, text: &[u8]) -> io::Result<()> {
        whole_file::replace(&self.path, Readers::Everybody, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_file_says_what_it_is_told_also_when_it_or_its_directory_is_taken_away_or_spoilt() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("run/redis-ha.watch");
        let mut track = TrackFile::new(&path);
        let again = || TrackFile::new(&path);
        let read = || fs::read_to_string(&path).expect("the file");
        for value in [WELL, DEAD, NOT_NAMED, HELD, DEAD_BY_WEIGHT, WELL] {
            let said = format!("{value}\n");
            track.say(value).expect("written");
            assert_eq!(read(), said);
            fs::remove_file(&path).expect("removed");
            let mut track = again();
            track.say(value).expect("written");
            fs::remove_dir_all(dir.path().join("run")).expect("removed");
            let mut track = again();
            track.say(value).expect("written");
            fs::write(&path, "").expect("spoilt");
            let mut track = again();
            track.say(value).expect("written");
            assert_eq!(read(), said);
        }
        let mode = fs::metadata(&path).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        let nowhere = TrackFile::new(Path::new("/proc/nowhere/x")).say(WELL);
        assert!(nowhere.is_err());
    }

    #[test]
    fn the_same_verdict_is_not_written_again() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("redis-ha.watch");
        let mut track = TrackFile::new(&path);
        track.say(WELL).expect("written");
        let before = fs::metadata(&path).expect("the file").ino();
        track.say(WELL).expect("looked at");
        assert_eq!(fs::metadata(&path).expect("the file").ino(), before);
    }
}
