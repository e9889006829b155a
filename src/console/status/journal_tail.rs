//! The last lines of the journal of transitions.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::node::journal::is_of;
use crate::terminal::plain;

/// No more than this is read.
const TAIL: u64 = 64 << 10;

/// The last `count` lines of that instance in a journal; a note where it can't be read.
pub(crate) fn tail(path: &Path, count: usize, instance: &str) -> (Vec<String>, Option<String>) {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let start = file.metadata()?.len().saturating_sub(TAIL);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        // Not half a line.
        let first = if start == 0 {
            0
        } else {
            bytes
                .iter()
                .position(|byte| *byte == b'\n')
                .map_or(0, |at| at + 1)
        };
        Ok(bytes.split_off(first))
    };
    match read() {
        _ if count == 0 => (Vec::new(), None),
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = text.lines().filter(|line| is_of(line, instance)).collect();
            (
                lines
                    .iter()
                    .skip(lines.len().saturating_sub(count))
                    .map(|line| plain(line))
                    .collect(),
                None,
            )
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (Vec::new(), None),
        Err(error) => (
            Vec::new(),
            Some(format!("{} can't be read: {error}", path.display())),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    #[test]
    fn the_tail_of_a_long_journal_is_whole_lines() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("journal");
        let mut text = String::new();
        (0..5000).for_each(|line| {
            let _ = writeln!(text, "line {line} \u{1b}[31m of the journal");
        });
        std::fs::write(&path, &text).expect("a write");
        let (lines, note) = tail(&path, 3, "redis-ha");
        assert_eq!((lines.len(), note), (3, None));
        assert_eq!(
            lines.last().map(String::as_str),
            Some("line 4999  [31m of the journal")
        );
        assert!(
            tail(&path, 1_000_000, "redis-ha")
                .0
                .iter()
                .all(|line| line.starts_with("line "))
        );
        assert_eq!(
            tail(&dir.path().join("none"), 3, "redis-ha"),
            (vec![], None)
        );
        assert_eq!(tail(&path, 0, "redis-ha"), (vec![], None));
        assert!(
            tail(dir.path(), 3, "redis-ha")
                .1
                .is_some_and(|note| note.contains("can't be read"))
        );
    }
}
