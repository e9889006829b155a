//! `rollback list` and `rollback show`: what is known of the files, without looking into them.

use std::path::Path;

use anyhow::Context;
use bytesize::ByteSize;
use serde_json::{Value, json};

use super::found::Found;
use super::listing::{Listing, listing};
use super::tally::counted;
use crate::act::rollback::{About, verify};
use crate::config::Config;
use crate::console::columns::{Column, Table};
use crate::console::interrupt::Interrupt;
use crate::deadline::Deadline;
use crate::node::turn::Ended;
use crate::server::info::short;
use crate::terminal::{Terminal, Tone, plain, wrapped};

/// Narrower than this nothing is cut any more.
const NARROWEST: usize = 20;
/// Where the texts of `show` begin.
const INDENT: usize = 13;

/// All files in `rollback.dir`, the newest first, this instance's before others'.
///
/// # Errors
/// The directory can't be read.
pub(crate) fn list(config: &Config, json: bool, terminal: &Terminal) -> anyhow::Result<()> {
    let dir = &config.rollback.dir;
    let Listing { files, unfinished } = listing(dir)?;
    let ours = |file: &Found| file.is_of(&config.instance, &config.nodes);
    if json {
        let all: Vec<Value> = files
            .iter()
            .map(|file| {
                let mut told = as_json(file);
                if let Some(map) = told.as_object_mut() {
                    map.insert("ours".to_owned(), ours(file).into());
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
    table(&ours, terminal);
    if !others.is_empty() {
        terminal.line("of other instances:");
        table(&others, terminal);
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

const HEADER: [&str; 6] = ["FILE", "DATA OF", "GAVE WAY TO", "KEYS", "SIZE", "DIVERGED"];

/// A line for each with its columns, and one with what is to be said of it.
fn table(files: &[Found], terminal: &Terminal) {
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
        terminal.line(&terminal.paint(tone, &cut(&format!("  {}", plain(&text)), terminal.width)));
    }
}

fn row(file: &Found) -> [String; 6] {
    let unknown = || "?".to_owned();
    let size = |bytes| ByteSize(bytes).display().si().to_string();
    let about = file.about.as_ref().ok();
    let of = |what: &dyn Fn(&About) -> Option<String>| about.and_then(what).unwrap_or_else(unknown);
    [
        plain(file.stamp()),
        of(&|about| Some(about.node.to_string())),
        of(&|about| Some(about.followed.to_string())),
        of(&|about| about.keys.map(|keys| keys.to_string())),
        file.bytes.map_or_else(|| "-".to_owned(), size),
        of(&|about| about.diverged_bytes.map(size)),
    ]
}

fn as_json(file: &Found) -> Value {
    json!({"name": file.name, "path": file.path, "bytes": file.bytes,
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

/// All that is known of one file. True where it is whole.
///
/// # Errors
/// `redis-check-rdb` is not there, or a signal has come.
pub(crate) fn show(
    file: &Found,
    deadline: Deadline,
    json: bool,
    terminal: &Terminal,
) -> anyhow::Result<bool> {
    let interrupt = Interrupt::armed();
    let mut go_on = || {
        if interrupt.has_come() {
            Err(Ended::Terminated)
        } else {
            Ok(())
        }
    };
    let verified = match file.bytes {
        Some(_) => verify(&file.path, deadline, &mut go_on),
        None => Err(anyhow::anyhow!("it is not there")),
    };
    interrupt.check()?;
    if let Err(error) = &verified
        && error.downcast_ref::<std::io::Error>().is_some()
    {
        return verified
            .map(|_| false)
            .with_context(|| format!("reading {}", file.path.display()));
    }
    let whole = verified.is_ok() && file.trouble().is_none_or(|_| file.about.is_err());
    if json {
        let mut told = as_json(file);
        if let Some(map) = told.as_object_mut() {
            map.insert("whole".to_owned(), whole.into());
            map.insert(
                "check".to_owned(),
                verified
                    .as_ref()
                    .map_or_else(|error| plain(&format!("{error:#}")), |_| "ok".to_owned())
                    .into(),
            );
        }
        terminal.json(&told.to_string());
        return Ok(whole);
    }
    let say = |name: &str, text: &str, tone: Option<Tone>| {
        let mut name = name;
        let room = terminal.width.map_or(usize::MAX, |width| {
            width.saturating_sub(INDENT).max(NARROWEST)
        });
        for line in wrapped(&plain(text), room, "") {
            let line = tone.map_or_else(|| line.clone(), |tone| terminal.paint(tone, &line));
            terminal.line(&format!(
                "{}{line}",
                terminal.paint(Tone::Strong, &format!("{name:<INDENT$}"))
            ));
            name = "";
        }
    };
    // To be copied: these are never broken.
    let whole_line = |name: &str, text: &str| {
        terminal.line(&format!(
            "{}{}",
            terminal.paint(Tone::Strong, &format!("{name:<INDENT$}")),
            plain(text)
        ));
    };
    whole_line("file", &file.path.display().to_string());
    match &verified {
        Ok(read) => {
            let keys = read
                .keys
                .map_or_else(|| "some keys".to_owned(), |keys| counted(keys, "key"));
            let version = read
                .version
                .as_ref()
                .map(|version| format!(", written by {version}"))
                .unwrap_or_default();
            let memory = read
                .used_memory
                .map(|bytes| format!(", {} of memory", ByteSize(bytes)))
                .unwrap_or_default();
            say("check", "whole", Some(Tone::Good));
            say("read", &format!("{keys}{version}{memory}"), None);
        }
        Err(error) => say("check", &short(&format!("{error:#}")), Some(Tone::Bad)),
    }
    if let Some(trouble) = file.trouble() {
        say("but", &trouble, Some(Tone::Bad));
    }
    if let Ok(about) = &file.about {
        tell_about(about, &|name, text| say(name, text, None));
    }
    if file.bytes.is_some() {
        whole_line("look", &look(&file.path, file.about.as_ref().ok()));
        whole_line(
            "compare",
            &format!("keepalived-redis rollback inspect {}", compare_word(file)),
        );
    }
    Ok(whole)
}

fn compare_word(file: &Found) -> String {
    if file.path.is_absolute() {
        file.stamp().to_owned()
    } else {
        file.path.display().to_string()
    }
}

/// As the text says it, unless the file lies elsewhere by now.
fn look(path: &Path, about: Option<&About>) -> String {
    let here = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let (dir, name) = (
        here.parent().unwrap_or(Path::new("/")),
        here.file_name().unwrap_or_default(),
    );
    let ours = format!(
        "redis-server --port 7777 --save '' --appendonly no --dir {} --dbfilename {}",
        dir.display(),
        name.to_string_lossy()
    );
    about
        .map(|about| about.look.clone())
        .filter(|look| look.contains(&*dir.to_string_lossy()))
        .unwrap_or(ours)
}

fn tell_about(about: &About, say: &dyn Fn(&str, &str)) {
    say("taken", &about.at);
    say("why", &about.why);
    say(
        "data of",
        &format!(
            "{}, run {}, Redis {}",
            about.node, about.run_id, about.redis_version
        ),
    );
    say("gave way to", &about.followed.to_string());
    let diverged = about
        .diverged_bytes
        .map(|bytes| format!("{bytes} bytes of its history the other node lacks"));
    say(
        "diverged",
        &diverged.unwrap_or_else(|| {
            "how much the other node lacks can't be told from the histories".to_owned()
        }),
    );
    say("history", &about.lineage.to_string());
    say("the other's", &about.followed_lineage.to_string());
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
