//! docs/files.md names every file that the programs leave on a disk, and no other. A file of the
//! state has its name from [`StateFile`] alone.

mod sources;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use keepalived_redis::config::{LOG_DIR, Rollback, STATE_DIR};
use keepalived_redis::node::journal::{CHECKS, TRANSITIONS};
use keepalived_redis::node::memory::StateFile;

use self::sources::rust_files;

const PAGE: &str = include_str!("../docs/files.md");

/// How the new text of a file is called until it takes the place of the old one.
const UNFINISHED: &str = ".FILE.new-XXXXXX";

/// A row of the table under a heading: the name, what it says, who writes it, what happens if it is
/// removed.
struct Row {
    name: String,
    cells: Vec<String>,
}

/// The text under `heading`, up to the next one.
fn section(heading: &str) -> &'static str {
    let begins = format!("\n## {heading}\n");
    let text = PAGE.split_once(&begins).expect("the heading").1;
    text.split_once("\n## ").map_or(text, |(text, _)| text)
}

fn rows(heading: &str) -> Vec<Row> {
    let lines = section(heading)
        .lines()
        .filter(|line| line.starts_with("| `"));
    lines
        .map(|line| {
            let mut cells = line.trim_matches('|').split('|').map(str::trim);
            let name = cells.next().unwrap_or_default().trim_matches('`');
            Row {
                name: name.to_owned(),
                cells: cells.map(str::to_owned).collect(),
            }
        })
        .collect()
}

fn names(heading: &str) -> BTreeSet<String> {
    rows(heading).into_iter().map(|row| row.name).collect()
}

/// The name of `file` as the page has it.
fn on_the_page(file: StateFile) -> String {
    match file {
        StateFile::AloneOf(peer) => {
            let peer = peer.to_string().replace(':', "_");
            file.name().replace(&peer, "PEER")
        }
        _ => file.name().into_owned(),
    }
}

fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

#[test]
fn the_page_names_every_file_of_the_state_and_no_other() {
    let known = StateFile::ALL.iter().copied().map(on_the_page);
    let known: BTreeSet<String> = known.chain([UNFINISHED.to_owned()]).collect();
    assert_eq!(names("The memory directory"), known);
    assert!(section("The memory directory").contains(&format!("`{STATE_DIR}/INSTANCE/`")));
}

#[test]
fn the_page_names_the_journals_the_watcher_s_file_and_the_rollback_files() {
    assert_eq!(names("The log directory"), set([TRANSITIONS, CHECKS]));
    assert!(section("The log directory").contains(&format!("`{LOG_DIR}/`")));
    assert_eq!(
        names("The run directory"),
        set(["INSTANCE.watch", ".INSTANCE.watch.new-XXXXXX"])
    );
    let stem = "COUNTER-TIME-INSTANCE-NODE";
    assert_eq!(
        names("The rollback directory"),
        set([
            format!("{stem}.rdb").as_str(),
            &format!("{stem}.json"),
            &format!("{stem}.seen"),
            &format!(".{stem}.rdb.part")
        ])
    );
    let rollback = Rollback::default().dir;
    assert!(section("The rollback directory").contains(&format!("`{}/`", rollback.display())));
    assert!(names("Elsewhere").contains(UNFINISHED));
}

#[test]
fn each_row_says_in_whole_sentences_what_who_and_what_then() {
    let headings = PAGE.lines().filter_map(|line| line.strip_prefix("## "));
    for row in headings.flat_map(rows) {
        assert_eq!(row.cells.len(), 3, "{}", row.name);
        for cell in row.cells {
            let begins = cell.starts_with(|c: char| c.is_uppercase() || c == '`')
                || cell.starts_with("keepalived ");
            assert!(begins && cell.ends_with('.'), "{}: {cell}", row.name);
        }
    }
}

#[test]
fn no_name_of_a_file_of_the_state_stands_in_the_code_a_second_time() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let texts: Vec<(PathBuf, String)> = rust_files(&root.join("src"))
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).expect("a source file");
            let text = text.split("\n#[cfg(test)]\nmod tests {").next();
            (file, text.unwrap_or_default().to_owned())
        })
        .collect();
    for file in StateFile::ALL {
        let name = match file {
            StateFile::AloneOf(_) => "\"alone-".to_owned(),
            _ => format!("\"{}\"", file.name()),
        };
        let found = texts
            .iter()
            .filter(|(_, text)| text.contains(&name))
            .map(|(path, text)| format!("{}: {}", path.display(), text.matches(&name).count()))
            .collect::<Vec<_>>();
        let once = |found: &String| found.ends_with(": 1");
        // The check of the name itself needs its beginning again.
        let expected =
            found.len() == 1 && (once(&found[0]) || matches!(file, StateFile::AloneOf(_)));
        assert!(expected, "{name}: {found:?}");
    }
}
