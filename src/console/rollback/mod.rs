//! `keepalived-redis rollback`: the rollback files, looked at. Nothing of the service is changed.

pub(crate) mod compare;
pub(crate) mod export;
pub(crate) mod found;
pub(crate) mod inspect;
pub(crate) mod key;
pub(crate) mod list;
pub(crate) mod listing;
pub(crate) mod private_redis;
pub(crate) mod progress;
pub(crate) mod reader;
pub(crate) mod tally;
pub(crate) mod value;

use std::path::Path;
use std::time::Duration;

pub(crate) use self::inspect::Inspection;
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
        list::show(&file, Deadline::after(budget), json, terminal)
    }))
}

/// `rollback inspect`: yes where all that is in the file is in the service.
pub(crate) fn inspect(path: &Path, word: &str, wanted: &Inspection, terminal: &Terminal) -> u8 {
    told(configuration(path).and_then(|config| {
        let file = listing::pick(&config.rollback.dir, &config.instance, &config.nodes, word)?;
        inspect::inspect(&config, &file, wanted, terminal)
    }))
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
