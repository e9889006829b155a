//! Reads scripts, files and instances out of the blocks of keepalived.conf.

use std::net::IpAddr;

use super::{Command, Instance, Script, TrackFile, Tracked};
use crate::keepalived_conf::Statement;

fn number(statement: Option<&Statement>) -> Option<i32> {
    statement.and_then(|line| line.word(1).parse().ok())
}

fn text(statement: Option<&Statement>) -> Option<String> {
    statement.map(|line| line.word(1).to_owned())
}

/// `"/a/program with arguments"` is one word; without quotes they are several.
fn split(words: &[String]) -> Vec<String> {
    words
        .iter()
        .flat_map(|word| word.split_whitespace().map(str::to_owned))
        .collect()
}

pub(crate) fn script(block: &Statement) -> Script {
    let line = block.get(&["script"]);
    let words = line
        .map(|line| split(line.words.get(1..).unwrap_or_default()))
        .unwrap_or_default();
    let place = line.map_or_else(|| block.place.clone(), |line| line.place.clone());
    Script {
        name: block.word(1).to_owned(),
        command: Command {
            words,
            user: text(block.get(&["user"])),
            place,
        },
        interval: text(block.get(&["interval"])),
        timeout: text(block.get(&["timeout"])),
        weight: number(block.get(&["weight"])).unwrap_or(0),
        init_fail: block.get(&["init_fail"]).is_some(),
        block: block.clone(),
    }
}

pub(crate) fn track_file(block: &Statement) -> TrackFile {
    TrackFile {
        name: block.word(1).to_owned(),
        file: text(block.get(&["file"])).unwrap_or_default().into(),
        weight: number(block.get(&["weight"])),
        block: block.clone(),
    }
}

/// `notify_master PROGRAM [USER [GROUP]]`, where the program and its arguments are one word.
pub(crate) fn notified(line: &Statement) -> Command {
    let words = split(line.words.get(1..2).unwrap_or_default());
    Command {
        words,
        user: line.words.get(2).cloned(),
        place: line.place.clone(),
    }
}

fn tracked(block: &Statement) -> Vec<Tracked> {
    let one = |line: &Statement| Tracked {
        name: line.name().to_owned(),
        weight: (line.word(1) == "weight")
            .then(|| line.word(2).parse().ok())
            .flatten(),
    };
    block.inner().iter().map(one).collect()
}

pub(crate) fn instance(block: &Statement) -> Instance {
    let mut found = Instance {
        name: block.word(1).to_owned(),
        block: block.clone(),
        ..Instance::default()
    };
    for line in block.inner() {
        match line.name() {
            "unicast_peer" => {
                found
                    .peers
                    .get_or_insert_default()
                    .extend(line.inner().iter().map(|peer| peer.name().to_owned()));
            }
            "virtual_ipaddress" | "virtual_ipaddress_excluded" => {
                let address = |line: &Statement| -> Option<IpAddr> {
                    line.name()
                        .split('/')
                        .next()
                        .and_then(|text| text.parse().ok())
                };
                found.vips.extend(line.inner().iter().filter_map(address));
            }
            "track_script" => found.scripts.extend(tracked(line)),
            "track_file" => found.files.extend(tracked(line)),
            name if name.starts_with("notify") && line.words.len() > 1 => {
                found.notify.insert(name.to_owned(), notified(line));
            }
            name if line.words.len() > 1 => {
                found
                    .values
                    .insert(name.to_owned(), line.word(1).to_owned());
            }
            name => {
                found.words.insert(name.to_owned());
            }
        }
    }
    found
}
