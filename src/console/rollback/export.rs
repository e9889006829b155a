//! What brings keys back that are only in a file: commands for `redis-cli --pipe`. A key that is
//! there by then stays as it is.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use redis::{Cmd, Value, cmd};

use super::compare::Entry;
use super::reader::Reader;
use super::value::of;

/// Larger ones are left to the person.
const LARGEST: u64 = 64 << 20;

/// A file that is being written.
pub(crate) struct Export {
    path: PathBuf,
    file: BufWriter<File>,
    db: Option<u64>,
    keys: u64,
    left_out: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Exported {
    path: PathBuf,
    pub keys: u64,
    left_out: u64,
}

impl Export {
    /// Makes the file at `path`; one that is there stays.
    ///
    /// # Errors
    /// A sentence with the path.
    pub(crate) fn create(path: &Path) -> anyhow::Result<Export> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        let file =
            BufWriter::new(file.with_context(|| format!("making the file {}", path.display()))?);
        Ok(Export {
            path: path.to_path_buf(),
            file,
            db: None,
            keys: 0,
            left_out: 0,
        })
    }

    /// Adds the key `entry` of the database `db` in the file, with the time that it has left.
    ///
    /// # Errors
    /// A sentence.
    pub(crate) fn add(
        &mut self,
        file: &mut Reader<'_>,
        db: u64,
        entry: &Entry,
    ) -> anyhow::Result<()> {
        let key = &entry.key;
        let usage = cmd("MEMORY").arg("USAGE").arg(key).clone();
        let [size, left] = [
            file.values(db, &[usage])?.pop(),
            file.values(db, &[of("PTTL", key)])?.pop(),
        ];
        if matches!(size, Some(Value::Int(bytes)) if u64::try_from(bytes).is_ok_and(|bytes| bytes > LARGEST))
        {
            self.left_out += 1;
            return Ok(());
        }
        let Some(Value::BulkString(dump)) = file.values(db, &[of("DUMP", key)])?.pop() else {
            return Ok(());
        };
        let until = match left {
            Some(Value::Int(left)) if left > 0 => {
                chrono::Utc::now().timestamp_millis().saturating_add(left)
            }
            Some(Value::Int(-1)) => 0,
            _ => return Ok(()),
        };
        if self.db != Some(db) {
            self.write(cmd("SELECT").arg(db))?;
            self.db = Some(db);
        }
        self.write(&restore(key, until, &dump))?;
        self.keys += 1;
        Ok(())
    }

    fn write(&mut self, command: &Cmd) -> anyhow::Result<()> {
        let written = self.file.write_all(&command.get_packed_command());
        written.with_context(|| format!("writing {}", self.path.display()))
    }

    /// All is on the disk.
    ///
    /// # Errors
    /// A sentence with the path.
    pub(crate) fn finish(self) -> anyhow::Result<Exported> {
        let Export {
            path,
            file,
            keys,
            left_out,
            ..
        } = self;
        let synced = file
            .into_inner()
            .map_err(|error| anyhow!("{error}"))
            .and_then(|file| Ok(file.sync_all()?));
        synced.with_context(|| format!("writing {}", path.display()))?;
        Ok(Exported {
            path,
            keys,
            left_out,
        })
    }
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        write!(
            f,
            "wrote {} keys to {path}; `redis-cli -h VIP --pipe < {path}` brings them back where \
             there are none",
            self.keys
        )?;
        if self.left_out > 0 {
            write!(
                f,
                "; {} larger than {} were left out",
                self.left_out,
                bytesize::ByteSize(LARGEST)
            )?;
        }
        Ok(())
    }
}

/// Without REPLACE: what is there stays. `until` in milliseconds of the calendar, 0 for ever (Redis
/// 5).
fn restore(key: &[u8], until: i64, dump: &[u8]) -> Cmd {
    let mut command = cmd("RESTORE");
    command.arg(key).arg(until).arg(dump);
    if until > 0 {
        command.arg("ABSTTL");
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_brought_back_without_overwriting_anything() {
        let text = |until| {
            String::from_utf8_lossy(&restore(b"k", until, b"\x00v").get_packed_command())
                .into_owned()
        };
        assert_eq!(
            text(0),
            "*4\r\n$7\r\nRESTORE\r\n$1\r\nk\r\n$1\r\n0\r\n$2\r\n\0v\r\n"
        );
        assert!(text(7).ends_with("ABSTTL\r\n") && !text(7).contains("REPLACE"));
    }

    #[test]
    fn a_file_that_is_there_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("keys");
        let done = Export::create(&path)
            .expect("made")
            .finish()
            .expect("written");
        assert_eq!((done.keys, done.left_out), (0, 0));
        assert!(Export::create(&path).is_err());
    }
}
