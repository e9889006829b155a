//! `rollback list`: which files there are, and why each is still there.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use bytesize::ByteSize;
use serde_json::{Value, json};

use super::found::Found;
use super::listing::{Listing, listing};
use crate::act::rollback::fate::{self, Fate};
use crate::act::rollback::{About, Name, shelf};
use crate::config::Config;
use crate::console::columns::{Column, Table};
use crate::terminal::{Terminal, Tone, plain};

/// Narrower than this nothing is cut any more.
pub(super) const NARROWEST: usize = 20;

/// Why each file is still there.
type Fates = HashMap<PathBuf, Fate>;

/// All files in `rollback.dir`, the newest first, this instance's before others'.
///
/// # Errors
/// The directory can't be read.
pub(crate) fn list(config: &Config, json: bool, terminal: &Terminal) -> anyhow::Result<()> {
    let dir = &config.rollback.dir;
    let Listing { files, unfinished } = listing(dir)?;
    let ours = |file: &Found| file.is_of(&config.instance, &config.nodes);
    let fates = fates(config, &files);
    if json {
        let all: Vec<Value> = files
            .iter()
            .map(|file| {
                let mut told = as_json(file);
                if let Some(map) = told.as_object_mut() {
                    map.insert("ours".to_owned(), ours(file).into());
                    let fate = fates.get(&file.path);
                    map.insert("stays".to_owned(), fate.map(|fate| fate.stays).into());
                    map.insert(
                        "kept_as".to_owned(),
                        fate.map(|fate| fate.why.clone()).into(),
                    );
                }
                told
            })
            .collect();
        terminal.json(
            &json!({"dir": dir, "instance": config.instance, "unfinished": unfinished, "files": all}).to_string(),
        );
        return Ok(());
    }
    let (ours, others): (Vec<Found>, Vec<Found>) = files.into_iter().partition(ours);
    let what = if ours.is_empty() {
        "no rollback file"
    } else {
        "rollback files"
    };
    terminal.line(&format!(
        "{what} of {} in {}",
        config.instance,
        dir.display()
    ));
    table(&ours, &fates, terminal);
    if !others.is_empty() {
        terminal.line("of other instances:");
        table(&others, &fates, terminal);
    }
    if unfinished > 0 {
        let are = if unfinished == 1 {
            "one is"
        } else {
            "some are"
        };
        terminal.line(&format!(
            "{are} being written, or a program that was killed has left it: \
                {unfinished} (.rdb.part)"
        ));
    }
    if !ours.is_empty() {
        let hint = "`keepalived-redis rollback inspect latest` names the keys that are in the \
            newest and not in the service";
        terminal.line(&terminal.paint(Tone::Faint, hint));
    }
    Ok(())
}

/// Of other instances as well, by the settings of this one: theirs are most often the same.
fn fates(config: &Config, files: &[Found]) -> Fates {
    let named = files.iter().filter_map(|file| Name::of(&file.path));
    let whose: BTreeSet<String> = named.map(|name| name.whose).collect();
    let of = |whose: &String| fate::fates(&config.rollback, whose);
    let fates = whose.iter().flat_map(of);
    fates.map(|fate| (fate.path.clone(), fate)).collect()
}

const HEADER: [&str; 6] = ["FILE", "DATA OF", "GAVE WAY TO", "KEYS", "SIZE", "DIVERGED"];

/// A line for each with its columns, and one with what is to be said of it.
fn table(files: &[Found], fates: &Fates, terminal: &Terminal) {
    if files.is_empty() {
        return;
    }
    let mut table = Table::new(HEADER.map(Column::of_texts).to_vec(), 1);
    files.iter().for_each(|file| table.push(row(file).to_vec()));
    let heading = cut(&table.heading(), terminal.width);
    terminal.line(&terminal.paint(Tone::Strong, &heading));
    for (file, line) in files.iter().zip(table.lines()) {
        terminal.line(&cut(&line, terminal.width));
        let (tone, text) = match (file.trouble(), &file.about) {
            (Some(trouble), _) => (Tone::Bad, trouble),
            (None, Ok(about)) => (Tone::Faint, in_short(&about.why).to_owned()),
            (None, Err(why)) => (Tone::Bad, why.clone()),
        };
        let kept = fates
            .get(&file.path)
            .map_or_else(String::new, |fate| format!("[{}] ", fate.why));
        let text = format!("  {}", plain(&format!("{kept}{text}")));
        terminal.line(&terminal.paint(tone, &cut(&text, terminal.width)));
    }
}

fn row(file: &Found) -> [String; 6] {
    let unknown = || "?".to_owned();
    let size = |bytes| ByteSize(bytes).display().si().to_string();
    let about = file.about.as_ref().ok();
    let of = |what: &dyn Fn(&About) -> Option<String>| about.and_then(what).unwrap_or_else(unknown);
    [
        plain(&file.stamp()),
        of(&|about| Some(about.node.to_string())),
        of(&|about| Some(about.followed.to_string())),
        of(&|about| about.keys.map(|keys| keys.to_string())),
        file.bytes.map_or_else(|| "-".to_owned(), size),
        of(&|about| about.diverged_bytes.map(size)),
    ]
}

pub(super) fn as_json(file: &Found) -> Value {
    json!({"name": file.name, "path": file.path, "bytes": file.bytes,
        "looked_at": shelf::is_looked_at(&file.path),
        "about": file.about.as_ref().ok(), "trouble": file.trouble().as_deref().map(plain)})
}

/// Without what the columns say.
fn in_short(why: &str) -> &str {
    why.split_once(" was about to follow ")
        .and_then(|(_, rest)| rest.split_once(": "))
        .map_or(why, |(_, why)| why)
}

fn cut(text: &str, width: Option<usize>) -> String {
    match width.map(|width| width.max(NARROWEST)) {
        Some(width) if text.chars().count() > width => {
            text.chars().take(width - 3).chain("...".chars()).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_told_without_what_the_columns_say() {
        let why = "192.168.158.11:6379 was about to follow 192.168.158.12:6379: it serves";
        assert_eq!(in_short(why), "it serves");
        assert_eq!(in_short("because: so"), "because: so");
    }

    #[test]
    fn a_line_is_no_wider_than_the_terminal() {
        let text = "a long line that says a lot";
        assert_eq!(cut(text, None), text);
        assert_eq!(cut(text, Some(80)), text);
        assert_eq!(cut(text, Some(22)), "a long line that sa...");
        assert_eq!(cut(text, Some(1)).chars().count(), NARROWEST);
    }
}
