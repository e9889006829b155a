//! `rollback show`: what is known of one file, without looking into it.

use std::path::Path;

use anyhow::Context;
use bytesize::ByteSize;

use super::found::Found;
use super::list::{NARROWEST, as_json};
use super::tally::counted;
use crate::act::rollback::{About, Ids, verify};
use crate::console::interrupt::Interrupt;
use crate::deadline::Deadline;
use crate::node::turn::Ended;
use crate::server::info::short;
use crate::terminal::{Terminal, Tone, plain, wrapped};

/// Where the texts begin.
const INDENT: usize = 13;

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
        file.stamp()
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
    if let Some(worth) = &about.worth {
        let served = match worth.served {
            Some(true) => ", which had served in this run",
            Some(false) => ", which had not served in this run",
            None => "",
        };
        let contained = match worth.ids {
            Ids::Contained => "all of it was in what took its place",
            Ids::Diverged => "it may hold what nobody else has, past a fork that is known",
            Ids::Unknown => "it may hold what nobody else has, as the ids prove nothing",
        };
        say(
            "worth",
            &format!("of a {}{served}; {contained}", worth.role),
        );
    }
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
