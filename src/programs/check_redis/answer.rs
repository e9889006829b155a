//! The answer of one check, from the configuration to the exit code, and the journal of what has
//! changed.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::verdict::Verdict;
use crate::child;
use crate::config::{Config, LOG_DIR, STATE_DIR};
use crate::deadline::Deadline;
use crate::exit::{code, say};
use crate::node::journal::{CHECKS, Journal, Label};
use crate::node::memory::{StateFile, Store};
use crate::node::{addresses, deaths, drain};
use crate::programs::check_redis;

const NAME: &str = "check_redis";
/// For systemctl to pass on its request: with the check's own deadline less than keepalived's
/// patience of 1 s (K14).
const ASKED: Duration = Duration::from_millis(300);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// Is the local Redis alive and in the right role?
    Health,
    /// May this node take the VIP?
    Eligible,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub code: u8,
    pub sentence: String,
}

/// Asks, with the configuration at `path`, within `timeout` (default: `timing.check`). A verdict
/// that is not the last run's is one line in the journal. `stop_keepalived` does what it says when
/// the local Redis is dead; a wrong role is repaired through FAULT, and a node that a person brings
/// back begins with one.
pub(crate) fn answer(
    path: &Path,
    question: Question,
    timeout: Option<Duration>,
    stop_keepalived: bool,
) -> Answer {
    let (config, alarm) = match Config::load_or_last(path) {
        Ok(loaded) => loaded,
        Err(error) => {
            let memory = Path::new(STATE_DIR).join(path.file_stem().unwrap_or_default());
            let sentence = error.to_string();
            let journal = Journal::new(Path::new(LOG_DIR), CHECKS, NAME, question.label(), false);
            note_change(
                &Store::new(&memory),
                question,
                &journal,
                &sentence,
                &sentence,
            );
            return Answer {
                code: code::CANNOT_TELL,
                sentence,
            };
        }
    };
    let store = Store::new(&config.memory_dir);
    let journal = |echo| {
        Journal::new(&config.log_dir, CHECKS, NAME, question.label(), echo).of(&config.instance)
    };
    let own = addresses::among(&config.addresses()).map_err(anyhow::Error::from);
    let (local, own) = match own.and_then(|own| Ok((config.local_node(&own)?, own))) {
        Ok(found) => found,
        Err(error) => {
            let sentence = format!("{error:#}");
            note_change(&store, question, &journal(false), &sentence, &sentence);
            return Answer {
                code: code::CANNOT_TELL,
                sentence,
            };
        }
    };
    let deadline = Deadline::after(timeout.unwrap_or(config.timing.check));
    let ended = drain::ended(&store);
    let verdict = match question {
        Question::Health => check_redis::health(&config, local, &own, deadline),
        Question::Eligible => {
            drain::hear(&store);
            let was = store
                .note(question.file())
                .is_some_and(|kind| kind.starts_with("ok"));
            check_redis::eligible_and_upheld(&config, local, was, deadline)
        }
    };
    let mut kind = verdict.kind();
    let Verdict {
        ok,
        dead,
        mut sentence,
        news,
    } = verdict;
    for news in ended.into_iter().chain(news) {
        journal(false).line(&news, &[]);
    }
    if let Some(alarm) = alarm {
        sentence = format!("{sentence}; ALARM: {alarm}; going on with what was last read");
        kind = format!("{kind}; {alarm}");
    }
    let said = format!("{}: {sentence}", if ok { "ok" } else { "failed" });
    note_change(&store, question, &journal(false), &kind, &said);
    if dead && stop_keepalived {
        stop(&journal(true));
    }
    Answer {
        code: if ok { code::YES } else { code::NO },
        sentence,
    }
}

/// Forgets the failures that hold this node back: a person has mended it.
pub(crate) fn forget_failures(path: &Path) -> Answer {
    let config = match Config::load_or_last(path) {
        Ok((config, _)) => config,
        Err(error) => {
            return Answer {
                code: code::CANNOT_TELL,
                sentence: error.to_string(),
            };
        }
    };
    match deaths::forget(&Store::new(&config.memory_dir)) {
        Ok(count) => {
            let sentence = format!("forgot {count} failures of the local Redis");
            let journal = Journal::new(&config.log_dir, CHECKS, NAME, Label::Eligible, false)
                .of(&config.instance);
            journal.line(&sentence, &[]);
            Answer {
                code: code::YES,
                sentence,
            }
        }
        Err(error) => Answer {
            code: code::NO,
            sentence: format!("forgetting failures: {error}"),
        },
    }
}

impl Question {
    fn label(self) -> Label {
        match self {
            Question::Health => Label::Check,
            Question::Eligible => Label::Eligible,
        }
    }

    /// Where the last verdict is remembered.
    fn file(self) -> StateFile {
        match self {
            Question::Health => StateFile::CheckVerdict,
            Question::Eligible => StateFile::EligibleVerdict,
        }
    }
}

/// One line, where `kind` is not what the last run found: not a line a second.
fn note_change(store: &Store, question: Question, journal: &Journal, kind: &str, sentence: &str) {
    if store.note(question.file()).as_deref() == Some(kind) {
        return;
    }
    journal.line(sentence, &[]);
    if let Err(error) = store.set_note(question.file(), kind) {
        say(&mut std::io::stderr(), &format!("{NAME}: {error}"));
    }
}

/// Asks systemd, and does not wait for what comes of it: keepalived is about to end us.
fn stop(journal: &Journal) {
    let asked = Command::new("systemctl")
        .args(["--no-block", "stop", "keepalived"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut systemctl = match asked {
        Ok(systemctl) => systemctl,
        Err(error) => {
            return journal.line(
                &format!("stopping keepalived: starting systemctl: {error}"),
                &[],
            );
        }
    };
    let patience = Deadline::after(ASKED);
    match child::wait(&mut systemctl, patience, || io::Result::Ok(())) {
        Ok(Some(status)) if status.success() => journal.line(
            "asked systemd to stop keepalived, as --stop-keepalived wants",
            &[],
        ),
        Ok(Some(status)) => journal.line(
            &format!("stopping keepalived: systemctl ended with {status}"),
            &[],
        ),
        _ => journal.line(
            "stopping keepalived: systemctl has not answered yet; leaving it to it",
            &[],
        ),
    }
}
