//! The architecture: every wing of `src/` leans only on those below it, and no two modules lean on
//! each other.

mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use self::sources::rust_files;

/// From the ground up. A wing may use itself and those that stand before it.
const WINGS: &[&str] = &[
    "deadline",
    "child",
    "terminal",
    "exit",
    "whole_file",
    "keepalived_conf",
    "server",
    "config",
    "node",
    "decide",
    "look",
    "act",
    "programs",
    "console",
];

/// What the decisions may know of a Redis: what it said, how it failed, the term. Nothing that
/// connects.
const SEEN_BY_DECIDE: [&str; 3] = ["info", "failure", "term"];

/// What the doorways may name.
const SEEN_BY_BIN: [&str; 2] = ["programs::cli", "console"];

/// So many wings have to be crossed at most, from a doorway to the ground.
const FLOORS: usize = 10;

/// A path such as `crate::server::info::Version`, and where it stands.
struct Mention {
    file: PathBuf,
    line: usize,
    path: Vec<String>,
}

impl Mention {
    fn says(&self, what: &str) -> String {
        format!(
            "{}:{}: {what}: {}",
            self.file.display(),
            self.line,
            self.path.join("::")
        )
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// `src/server/tls/mod.rs` is the module `server::tls`.
fn module_of(file: &Path) -> Vec<String> {
    let path = file
        .strip_prefix(root().join("src"))
        .expect("a file of src")
        .with_extension("");
    let mut names: Vec<String> = path
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.pop_if(|last| last == "mod" || last == "lib");
    names
}

/// Every path of our own that a file names, `use` trees taken apart, `super` and `self` resolved.
fn mentions(file: &Path) -> Vec<Mention> {
    let text = fs::read_to_string(file).expect("a source file");
    let own = module_of(file);
    let mut found = Vec::new();
    let code: String = text
        .lines()
        .map(|line| {
            if line.trim_start().starts_with("//") {
                "\n".to_owned()
            } else {
                format!("{line}\n")
            }
        })
        .collect();
    let mut rest = code.as_str();
    let starts = ["crate::", "super::", "self::"];
    while let Some((at, start)) = starts
        .iter()
        .filter_map(|start| Some((rest.find(start)?, *start)))
        .min()
    {
        let line = code[..code.len() - rest.len() + at].lines().count().max(1);
        let whole_word =
            !rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        let in_tests = own.last().is_some_and(|name| name != "tests")
            && code[..code.len() - rest.len() + at].contains("\nmod tests {");
        rest = &rest[at..];
        if whole_word && !in_tests {
            for tree in leaves(rest) {
                let path = resolve(&own, &tree);
                found.push(Mention {
                    file: file.to_path_buf(),
                    line,
                    path,
                });
            }
        }
        rest = &rest[start.len()..];
    }
    found
}

/// The paths of a `use` tree, or the one path that stands there.
fn leaves(text: &str) -> Vec<String> {
    let path: String = text
        .chars()
        .take_while(|c| c.is_alphanumeric() || "_:".contains(*c))
        .collect();
    if !text[path.len()..].starts_with('{') {
        return vec![path.trim_end_matches(':').to_owned()];
    }
    let (mut depth, mut parts, mut part) = (0, Vec::new(), String::new());
    for c in text[path.len()..].chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || c == ',' && depth == 1 {
            parts.push(std::mem::take(&mut part));
        } else if !(c == '{' && depth == 1) {
            part.push(c);
        }
        if depth == 0 {
            break;
        }
    }
    let parts = parts
        .iter()
        .map(|part| part.trim())
        .filter(|part| !part.is_empty());
    parts
        .flat_map(leaves)
        .map(|leaf| format!("{path}{leaf}"))
        .collect()
}

fn resolve(own: &[String], path: &str) -> Vec<String> {
    let mut names = path.split("::").peekable();
    let mut base = match names.next() {
        Some("crate") => Vec::new(),
        Some("super") => own[..own.len().saturating_sub(1)].to_vec(),
        _ => own.to_vec(),
    };
    while names.peek() == Some(&"super") {
        names.next();
        base.pop();
    }
    base.extend(names.filter(|name| *name != "self").map(str::to_owned));
    base
}

fn all_mentions() -> Vec<Mention> {
    rust_files(&root().join("src"))
        .iter()
        .flat_map(|file| mentions(file))
        .collect()
}

fn floor(wing: &str) -> usize {
    let found = WINGS.iter().position(|known| *known == wing);
    found.unwrap_or_else(|| {
        panic!("{wing} is no wing: name it in WINGS, behind all that it leans on")
    })
}

#[test]
fn a_wing_leans_only_on_those_below_it() {
    let upwards: Vec<String> = all_mentions()
        .iter()
        .filter_map(|mention| {
            let own = module_of(&mention.file);
            let (from, to) = (own.first()?, mention.path.first()?);
            (floor(to) > floor(from)).then(|| mention.says("leans on a wing above its own"))
        })
        .collect();
    assert!(upwards.is_empty(), "{}", upwards.join("\n"));
}

#[test]
fn the_decisions_know_nothing_that_connects() {
    let wrong: Vec<String> = all_mentions()
        .iter()
        .filter(|mention| {
            module_of(&mention.file)
                .first()
                .is_some_and(|wing| wing == "decide")
        })
        .filter(|mention| mention.path.first().is_some_and(|wing| wing == "server"))
        .filter(|mention| {
            !mention
                .path
                .get(1)
                .is_some_and(|name| SEEN_BY_DECIDE.contains(&name.as_str()))
        })
        .map(|mention| mention.says("of server, decide may name info, failure and term alone"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for file in rust_files(&root().join("src/decide")) {
        let text = fs::read_to_string(&file).expect("a source file");
        for forbidden in [
            "std::fs",
            "std::net::Tcp",
            "std::net::Udp",
            "std::process",
            "std::thread",
            "Instant",
            "SystemTime",
        ] {
            let found = text.lines().position(|line| line.contains(forbidden));
            assert!(
                found.is_none(),
                "{}:{}: {forbidden} has no place in a decision",
                file.display(),
                found.unwrap_or(0) + 1
            );
        }
    }
}

#[test]
fn no_two_modules_lean_on_each_other() {
    let files: BTreeMap<Vec<String>, PathBuf> = rust_files(&root().join("src"))
        .into_iter()
        .map(|file| (module_of(&file), file))
        .collect();
    let mut leans: BTreeMap<&Vec<String>, BTreeSet<&Vec<String>>> = BTreeMap::new();
    for mention in all_mentions() {
        let own = module_of(&mention.file);
        if own.iter().any(|name| name == "tests") {
            continue;
        }
        let longest = (0..=mention.path.len())
            .rev()
            .find_map(|n| files.get_key_value(&mention.path[..n]));
        let (Some((from, _)), Some((to, _))) = (files.get_key_value(&own), longest) else {
            continue;
        };
        // A folder's own parts may use what its mod.rs holds for all of them.
        let of_its_folder = from[..from.len() - 1] == to[..];
        if from != to && !to.is_empty() && !of_its_folder {
            leans.entry(from).or_default().insert(to);
        }
    }
    let circles: Vec<String> = leans
        .keys()
        .filter_map(|start| circle(start, &leans))
        .collect();
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

/// The shortest way from a module back to itself.
fn circle(
    start: &Vec<String>,
    leans: &BTreeMap<&Vec<String>, BTreeSet<&Vec<String>>>,
) -> Option<String> {
    let (mut ways, mut seen) = (vec![vec![start]], BTreeSet::new());
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in leans.get(way.last()?).into_iter().flatten().copied() {
                let mut way = way.clone();
                way.push(next);
                if next == start {
                    let names: Vec<String> = way.iter().map(|module| module.join("::")).collect();
                    return Some(names.join(" -> "));
                }
                if seen.insert(next) {
                    longer.push(way);
                }
            }
        }
        ways = longer;
    }
    None
}

#[test]
fn the_house_has_no_more_floors_than_a_person_climbs() {
    let mut below: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for mention in all_mentions() {
        let own = module_of(&mention.file);
        let (Some(from), Some(to)) = (own.first(), mention.path.first()) else {
            continue;
        };
        if from != to {
            below.entry(from.clone()).or_default().insert(to.clone());
        }
    }
    let mut heights: BTreeMap<&str, usize> = BTreeMap::new();
    for wing in WINGS.iter().copied() {
        let lean = below.get(wing).into_iter().flatten();
        let highest = lean
            .filter_map(|wing| heights.get(wing.as_str()))
            .max()
            .copied()
            .unwrap_or(0);
        heights.insert(wing, highest + 1);
    }
    let highest = heights.values().max().copied().unwrap_or(0);
    assert!(highest <= FLOORS, "{highest} floors: {heights:?}");
}

#[test]
fn a_doorway_knows_the_command_lines_alone() {
    for file in rust_files(&root().join("bin")) {
        let text = fs::read_to_string(&file).expect("a doorway");
        for (number, line) in text.lines().enumerate() {
            for named in line.split("keepalived_redis::").skip(1) {
                let known = SEEN_BY_BIN.iter().any(|known| named.starts_with(known));
                assert!(
                    known,
                    "{}:{}: a doorway may name {SEEN_BY_BIN:?} alone",
                    file.display(),
                    number + 1
                );
            }
        }
    }
}

/// A file that is longer holds two things.
const LINES: usize = 320;

#[test]
fn a_file_fits_a_few_screens() {
    for file in [root().join("src"), root().join("bin")]
        .iter()
        .flat_map(|dir| rust_files(dir))
    {
        let lines = fs::read_to_string(&file)
            .expect("a source file")
            .lines()
            .count();
        assert!(
            lines <= LINES,
            "{}: {lines} lines, {LINES} at most",
            file.display()
        );
    }
}
