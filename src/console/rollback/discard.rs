//! `rollback discard`: a person lets go of files.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use bytesize::ByteSize;

use super::found::Found;
use super::listing::pick;
use super::tally::counted;
use crate::act::rollback::{Name, shelf};
use crate::config::Config;
use crate::console::asked::is_agreed;
use crate::node::journal::{Journal, Label, TRANSITIONS};
use crate::terminal::{Terminal, plain};

/// Removes the files that `words` mean, all or none; each is a line of the journal. False where
/// the person has said no.
///
/// # Errors
/// One of them is not there or is not ours, or could not be removed, or nobody is there to be
/// asked; a sentence.
pub(crate) fn discard(
    config: &Config,
    words: &[String],
    yes: bool,
    terminal: &Terminal,
) -> anyhow::Result<bool> {
    let mut files: Vec<Found> = Vec::new();
    for word in words {
        let file = pick(&config.rollback.dir, &config.instance, &config.nodes, word)?;
        is_ours(config, &file)
            .with_context(|| format!("discarding {}; nothing was removed", file.path.display()))?;
        if !files.iter().any(|other| other.name == file.name) {
            files.push(file);
        }
    }
    if !yes && !is_wanted(&files, terminal)? {
        terminal.line("nothing was removed");
        return Ok(false);
    }
    let journal = Journal::new(
        &config.log_dir,
        TRANSITIONS,
        "keepalived-redis",
        Label::Rollback,
        true,
    )
    .of(&config.instance);
    for file in &files {
        // By its name in the directory: the word may have been a path with links in it.
        let path = config.rollback.dir.join(&file.name);
        shelf::remove(&path)
            .with_context(|| format!("removing {}; run it as root", path.display()))?;
        let sentence = format!(
            "removed the rollback file {}: discarded by hand",
            path.display()
        );
        let bytes = file.bytes.unwrap_or_default();
        journal.line(&sentence, &[("bytes", &bytes)]);
    }
    Ok(true)
}

/// It lies in the directory `dir` itself.
pub(super) fn lies_in(dir: &Path, path: &Path) -> bool {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new(".")).canonicalize();
    matches!((parent, dir.canonicalize()), (Ok(parent), Ok(dir)) if parent == dir)
}

/// # Errors
/// It is none that these programs have taken for this pair.
fn is_ours(config: &Config, file: &Found) -> anyhow::Result<()> {
    let dir = &config.rollback.dir;
    ensure!(
        lies_in(dir, &file.path),
        "it does not lie in {}; remove it with rm, if it may go",
        dir.display()
    );
    ensure!(
        fs::symlink_metadata(&file.path).is_ok_and(|found| found.is_file())
            && Name::of(&file.path).is_some(),
        "it is not a file that these programs have taken; remove it with rm, if it may go"
    );
    ensure!(
        file.is_of(&config.instance, &config.nodes),
        "it is of another instance than {}; name that one's configuration with --config",
        config.instance
    );
    Ok(())
}

fn is_wanted(files: &[Found], terminal: &Terminal) -> anyhow::Result<bool> {
    let about = |file: &Found| {
        let size = ByteSize(file.bytes.unwrap_or_default()).display().si();
        let keys = match &file.about {
            Ok(about) => about
                .keys
                .map_or_else(String::new, |keys| format!(", {}", counted(keys, "key"))),
            Err(_) => String::new(),
        };
        let contained = file.about.as_ref().is_ok_and(|about| about.is_contained());
        let worth = match (contained, shelf::is_looked_at(&file.path)) {
            (true, _) => "all of it was in what took its place",
            (false, true) => "it may hold what nobody else has",
            (false, false) => "it may hold what nobody else has, and nobody has looked at it",
        };
        plain(&format!("{}  {size}{keys}: {worth}", file.name))
    };
    let about: Vec<String> = files.iter().map(about).collect();
    let count = counted(files.len() as u64, "file");
    is_agreed(
        terminal,
        "discarding rollback files: they may hold what nobody else has",
        &about,
        &format!("Remove {count} for good?"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::rollback::shelf::look_at;

    const OURS: &str = "000001-20261128T003115Z-redis-ha-192.168.158.11_6379";
    const THEIRS: &str = "000002-20261128T003115Z-sessions-192.168.158.11_6379";
    const OLD: &str = "20261128T003115.123-redis-ha-192.168.158.11_6379";

    fn terminal() -> Terminal {
        Terminal {
            colour: false,
            is_terminal: false,
            width: None,
        }
    }

    /// A directory with files of two pairs, and the configuration of one.
    fn stand() -> (tempfile::TempDir, Config) {
        let top = tempfile::tempdir().expect("a directory");
        let dir = top.path().join("rollback");
        fs::create_dir(&dir).expect("a directory");
        for name in [OURS, THEIRS, OLD, "dump"] {
            fs::write(dir.join(format!("{name}.rdb")), "x").expect("a file");
        }
        let path = top.path().join("redis-ha.toml");
        let text = format!(
            "nodes = [\"192.168.158.11:6379\", \"192.168.158.12:6379\"]\nvip = \"192.168.158.15\"\n\
             [rollback]\ndir = \"{}\"\n[log]\ndir = \"{}\"\n",
            dir.display(),
            top.path().join("log").display()
        );
        fs::write(&path, text).expect("written");
        let config = Config::load(&path).expect("valid");
        (top, config)
    }

    fn left(config: &Config) -> Vec<String> {
        let entries = fs::read_dir(&config.rollback.dir).expect("the directory");
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

    #[test]
    fn what_is_discarded_is_gone_with_what_is_beside_it_and_the_journal_says_so() {
        let (top, config) = stand();
        look_at(&config.rollback.dir.join(format!("{OURS}.rdb"))).expect("written");
        let words = ["1".to_owned(), OURS.to_owned(), OLD.to_owned()];
        assert!(discard(&config, &words, true, &terminal()).expect("removed"));
        assert_eq!(
            left(&config),
            [format!("{THEIRS}.rdb"), "dump.rdb".to_owned()]
        );
        let journal = fs::read_to_string(top.path().join("log").join(TRANSITIONS));
        let journal = journal.expect("a journal");
        assert_eq!(journal.matches("discarded by hand").count(), 2, "{journal}");
    }

    #[test]
    fn what_is_not_ours_stays_and_so_does_all_that_was_named_with_it() {
        let (top, config) = stand();
        let elsewhere = top.path().join(format!("{OURS}.rdb"));
        fs::write(&elsewhere, "x").expect("a file");
        let before = left(&config);
        for (word, why) in [
            (THEIRS, "another instance"),
            ("dump", "not a file that these programs"),
            (elsewhere.to_str().expect("text"), "does not lie in"),
            ("1999", "no rollback file"),
        ] {
            let words = [OURS.to_owned(), word.to_owned()];
            let error = discard(&config, &words, true, &terminal()).expect_err(word);
            assert!(format!("{error:#}").contains(why), "{error:#}");
        }
        let error = discard(&config, &[OURS.to_owned()], false, &terminal()).expect_err("nobody");
        assert!(error.to_string().contains("--yes"), "{error}");
        assert_eq!(left(&config), before);
    }
}
