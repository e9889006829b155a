//! `keepalived-redis status`: all nodes at one glance, for a person, for a program, or for
//! Prometheus. It changes nothing in Redis, and remembers what every look remembers.

pub(crate) mod cells;
pub(crate) mod gathered;
pub(crate) mod journal_tail;
pub(crate) mod metrics;
#[cfg(test)]
pub(crate) mod sample;
pub(crate) mod screen;
pub(crate) mod troubles;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use self::gathered::{Gathered, NodeStatus};
use super::configuration::for_people;
use crate::deadline::Deadline;
use crate::exit::code;
use crate::look::survey::Survey;
use crate::terminal::{Terminal, complain, escaped_json};
use crate::whole_file::{self, Readers};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Form {
    #[default]
    Table,
    Json,
    Prometheus,
}

/// What a person wants to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub form: Form,
    /// Again and again, so long apart.
    pub watch: Option<Duration>,
    /// Into this file, which is replaced by rename, and not to standard output.
    pub output: Option<PathBuf>,
    /// So many of the last transitions.
    pub transitions: usize,
}

/// `keepalived-redis status`; answers with the exit code: 0 all is as it should be, 1 something is
/// not, 3 cannot tell. With metrics it is 0 wherever they could be told: they say themselves
/// whether all is well.
pub(crate) fn run(path: &Path, terminal: &Terminal, shown: &Shown) -> u8 {
    let cannot_tell = |error: &dyn std::fmt::Display| {
        complain(error);
        code::CANNOT_TELL
    };
    let (config, local, notes) = match for_people(path) {
        Ok(found) => found,
        Err(error) => return cannot_tell(&error),
    };
    let mut survey = Survey::new(&config, local);
    loop {
        let mut found = gathered::gather(&config, &mut survey, shown.transitions);
        found.notes.splice(0..0, notes.iter().cloned());
        let text = match shown.form {
            Form::Table => screen::render(&found, terminal),
            Form::Json => match serde_json::to_string(&found) {
                Ok(text) => escaped_json(&text) + "\n",
                Err(error) => return cannot_tell(&error),
            },
            Form::Prometheus => metrics::render(&found),
        };
        let written = match &shown.output {
            Some(file) => {
                write(file, &text).map_err(|error| format!("writing {}: {error}", file.display()))
            }
            None if shown.watch.is_some() && shown.form == Form::Table => {
                Ok(terminal.redraw(&text))
            }
            None => Ok(terminal.text(&text)),
        };
        let healthy = found.healthy || shown.form == Form::Prometheus;
        match (written, shown.watch) {
            (Err(error), _) => {
                complain(&error);
                return code::NO;
            }
            (Ok(true), Some(pause)) => {
                Deadline::after(pause).pause(pause);
            }
            (Ok(_), _) => return if healthy { code::YES } else { code::NO },
        }
    }
}

/// As a whole, for the collector's own user, which reads every `*.prom`: a hidden file's name ends
/// otherwise.
fn write(file: &Path, text: &str) -> std::io::Result<bool> {
    let written = whole_file::replace(file, Readers::Everybody, text.as_bytes());
    whole_file::clear_abandoned(file);
    written.map(|()| true)
}
