//! The files of a rollback directory, and the one of them that a person means.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, anyhow, bail};

use super::found::Found;
use crate::act::rollback::Name;

/// What is in a rollback directory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    pub files: Vec<Found>,
    /// Files that are being written, or that a program which was killed has left.
    pub unfinished: usize,
}

/// All files of the directory `dir`.
///
/// # Errors
/// It can't be read; a sentence that says what to do.
pub(crate) fn listing(dir: &Path) -> anyhow::Result<Listing> {
    let entries = match fs::read_dir(dir) {
        // It is made with the first file.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Listing::default()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            bail!(
                "reading the rollback directory {}: {error}; run it as root",
                dir.display()
            )
        }
        entries => {
            entries.with_context(|| format!("reading the rollback directory {}", dir.display()))?
        }
    };
    let mut stems = BTreeSet::new();
    let mut unfinished = 0;
    for entry in entries {
        let entry =
            entry.with_context(|| format!("reading the rollback directory {}", dir.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            unfinished += usize::from(name.ends_with(".rdb.part"));
        } else if let Some(stem) = name
            .strip_suffix(".rdb")
            .or_else(|| name.strip_suffix(".json"))
        {
            stems.insert(stem.to_owned());
        }
    }
    let mut files: Vec<Found> = stems
        .iter()
        .map(|stem| Found::at(&dir.join(format!("{stem}.rdb"))))
        .collect();
    // What nothing is known of comes last.
    files.sort_by_cached_key(|file| Reverse((Name::of(&file.path), file.name.clone())));
    Ok(Listing { files, unfinished })
}

/// The file that a person means by `word`: `latest` (of `instance`), a path, a name, its counter,
/// or the beginning of one name alone, or of the time in it.
///
/// # Errors
/// There is none, or more than one; a sentence.
pub(crate) fn pick(
    dir: &Path,
    instance: &str,
    nodes: &[SocketAddr],
    word: &str,
) -> anyhow::Result<Found> {
    if word.contains('/') {
        let path = Path::new(word);
        let path = if path.extension().is_some_and(|end| end == "json") {
            path.with_extension("rdb")
        } else {
            path.into()
        };
        fs::metadata(&path).with_context(|| format!("looking for {}", path.display()))?;
        return Ok(Found::at(&path));
    }
    let files = listing(dir)?.files;
    if word == "latest" {
        let newest = files
            .into_iter()
            .find(|file| file.bytes.is_some() && file.is_of(instance, nodes));
        return newest.ok_or_else(|| {
            anyhow!(
                "there is no rollback file of {instance} in {}",
                dir.display()
            )
        });
    }
    let stem = word.trim_end_matches(".json").trim_end_matches(".rdb");
    let (exact, mut begun): (Vec<Found>, Vec<Found>) = files
        .into_iter()
        .filter(|file| file.bytes.is_some() && file.is_called(stem))
        .partition(|file| file.name.trim_end_matches(".rdb") == stem);
    if let Some(file) = exact.into_iter().next() {
        return Ok(file);
    }
    match (begun.pop(), begun.len()) {
        (Some(file), 0) => Ok(file),
        (Some(last), more) => {
            let other = begun.pop().map(|file| file.name).unwrap_or_default();
            bail!(
                "{} files in {} begin with {word}: {}, {other}{}",
                more + 1,
                dir.display(),
                last.name,
                if more > 1 { "..." } else { "" }
            )
        }
        (None, _) => bail!(
            "no rollback file in {} begins with {word}; `keepalived-redis rollback list` names \
             them",
            dir.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "192.168.158.11:6379";

    fn text(name: &str, instance: &str, bytes: u64) -> String {
        let history = serde_json::json!({"master_replid": "a", "master_replid2": null, "second_repl_offset": -1,
            "master_repl_offset": 7, "keys": 1, "term": null});
        serde_json::json!({"file": name, "at": "now", "why": "x", "instance": instance, "node": NODE,
            "followed": "192.168.158.12:6379", "run_id": "r", "redis_version": "7.0.15", "keys": 1, "bytes": bytes,
            "diverged_bytes": 5, "lineage": history, "followed_lineage": history, "look": "y"})
        .to_string()
    }

    /// Six of this pair, of which one has a counter, one has no text, one no file and one is
    /// damaged; and one of another pair.
    fn directory() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        let write =
            |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("a file");
        let keep = |time: &str, instance: &str, bytes: u64| {
            let name = format!("{time}-{instance}-192.168.158.11_6379");
            write(&format!("{name}.rdb"), "12345");
            write(&format!("{name}.json"), &text(&name, instance, bytes));
        };
        keep("20260101T000000.001", "redis-ha", 5);
        keep("20260103T000000.000", "other", 5);
        keep("20260101T000000.002", "redis-ha", 9);
        keep("000007-20250101T000000Z", "redis-ha", 5);
        write(
            "20260102T000000.000-redis-ha-192.168.158.11_6379.rdb",
            "12345",
        );
        write(
            "20260104T000000.000-redis-ha-192.168.158.11_6379.json",
            &text("x", "redis-ha", 1),
        );
        write(
            "20260105T000000.000-redis-ha-192.168.158.11_6379.rdb",
            "12345",
        );
        write(
            "20260105T000000.000-redis-ha-192.168.158.11_6379.json",
            "{\"file\":",
        );
        write(
            ".20260105T000000.000-redis-ha-192.168.158.11_6379.rdb.part",
            "",
        );
        write("notes.txt", "");
        dir
    }

    #[test]
    fn the_newest_comes_first_and_what_is_wrong_is_said() {
        let dir = directory();
        let found = listing(dir.path()).expect("readable");
        assert_eq!(found.unfinished, 1);
        let nodes = [NODE.parse().expect("an address")];
        let told: Vec<(String, bool, &str)> = found
            .files
            .iter()
            .map(|file| (file.stamp(), file.is_of("redis-ha", &nodes), file.trouble()))
            .map(|(stamp, ours, trouble)| {
                let words = ["damaged: EOF", "file is not", "no text", "had 9"];
                let said = words
                    .into_iter()
                    .find(|word| trouble.as_ref().is_some_and(|text| text.contains(word)));
                (
                    stamp,
                    ours,
                    said.unwrap_or(if trouble.is_some() { "?" } else { "" }),
                )
            })
            .collect();
        let expected = [
            ("000007-20250101T000000Z", true, ""),
            ("20260105T000000.000", true, "damaged: EOF"),
            ("20260104T000000.000", true, "file is not"),
            ("20260103T000000.000", false, ""),
            ("20260102T000000.000", true, "no text"),
            ("20260101T000000.002", true, "had 9"),
            ("20260101T000000.001", true, ""),
        ];
        let told: Vec<(&str, bool, &str)> = told
            .iter()
            .map(|(stamp, ours, said)| (stamp.as_str(), *ours, *said))
            .collect();
        assert_eq!(told, expected);
        assert!(
            listing(Path::new("/no/such/place"))
                .expect("none is no error")
                .files
                .is_empty()
        );
    }

    #[test]
    fn a_file_is_found_by_what_a_person_calls_it() {
        let dir = directory();
        let nodes = [NODE.parse().expect("an address")];
        let pick =
            |word: &str| pick(dir.path(), "redis-ha", &nodes, word).map(|found| found.stamp());
        let path = dir
            .path()
            .join("20260103T000000.000-other-192.168.158.11_6379.json");
        for (word, stamp) in [
            ("latest", "000007-20250101T000000Z"),
            ("20260103", "20260103T000000.000"),
            (
                "20260101T000000.001-redis-ha-192.168.158.11_6379.rdb",
                "20260101T000000.001",
            ),
            (
                "20260101T000000.001-redis-ha-192.168.158.11_6379",
                "20260101T000000.001",
            ),
            ("7", "000007-20250101T000000Z"),
            ("000007", "000007-20250101T000000Z"),
            ("20250101T0000", "000007-20250101T000000Z"),
            (path.to_str().expect("text"), "20260103T000000.000"),
        ] {
            assert_eq!(pick(word).expect(word), stamp);
        }
        for (word, why) in [
            ("20260101", "2 files"),
            ("1999", "begins with 1999"),
            ("/no/such.rdb", "looking for"),
        ] {
            let said = format!("{:#}", pick(word).expect_err(word));
            assert!(said.contains(why), "{said}");
        }
    }
}
