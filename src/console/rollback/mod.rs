//! `keepalived-redis rollback`: the rollback files, looked at and let go. Nothing of the service is
//! changed.

pub(crate) mod compare;
pub(crate) mod discard;
pub(crate) mod export;
pub(crate) mod found;
pub(crate) mod inspect;
pub(crate) mod key;
pub(crate) mod list;
pub(crate) mod listing;
pub(crate) mod private_redis;
pub(crate) mod progress;
pub(crate) mod reader;
pub(crate) mod show;
pub(crate) mod tally;
pub(crate) mod value;

use std::path::Path;
use std::time::Duration;

use self::found::Found;
pub(crate) use self::inspect::Inspection;
use crate::act::rollback::shelf;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::exit::code;
use crate::terminal::{Terminal, complain};

/// `rollback list`, with the configuration at `path`; answers with the exit code.
pub(crate) fn list(path: &Path, json: bool, terminal: &Terminal) -> u8 {
    told(
        configuration(path)
            .and_then(|config| list::list(&config, json, terminal))
            .map(|()| true),
    )
}

/// `rollback show`: yes where the file that `word` means is whole. It is read for `budget` at most.
pub(crate) fn show(
    path: &Path,
    word: &str,
    json: bool,
    budget: Duration,
    terminal: &Terminal,
) -> u8 {
    told(configuration(path).and_then(|config| {
        let file = listing::pick(&config.rollback.dir, &config.instance, &config.nodes, word)?;
        let whole = show::show(&file, Deadline::after(budget), json, terminal)?;
        looked_at(&config, &file);
        Ok(whole)
    }))
}

/// `rollback inspect`: yes where all that is in the file is in the service.
pub(crate) fn inspect(path: &Path, word: &str, wanted: &Inspection, terminal: &Terminal) -> u8 {
    told(configuration(path).and_then(|config| {
        let file = listing::pick(&config.rollback.dir, &config.instance, &config.nodes, word)?;
        let all_there = inspect::inspect(&config, &file, wanted, terminal)?;
        looked_at(&config, &file);
        Ok(all_there)
    }))
}

/// `rollback discard`: yes where the files that `words` mean are gone. Asks first, but with `yes`.
pub(crate) fn discard(path: &Path, words: &[String], yes: bool, terminal: &Terminal) -> u8 {
    told(configuration(path).and_then(|config| discard::discard(&config, words, yes, terminal)))
}

/// Whoever has looked at a file has decided: from now on it stays for as long as `keep` lets it.
fn looked_at(config: &Config, file: &Found) {
    if !discard::lies_in(&config.rollback.dir, &file.path) {
        return;
    }
    if let Err(error) = shelf::look_at(&file.path) {
        complain(&format!(
            "noting beside {} that it was looked at: {error}; it counts as not looked at, run this \
             as root where the directory can be written",
            file.path.display()
        ));
    }
}

fn configuration(path: &Path) -> anyhow::Result<Config> {
    let (config, notes) = Config::load_for_people(path)?;
    for note in notes {
        complain(&note);
    }
    Ok(config)
}

/// What can't be told is not the same as no.
fn told(answer: anyhow::Result<bool>) -> u8 {
    match answer {
        Ok(true) => code::YES,
        Ok(false) => code::NO,
        Err(error) => {
            complain(&error);
            code::CANNOT_TELL
        }
    }
}
