//! The answer of one check, from the configuration to the exit code, and the journal of what has changed.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::check::{self, Verdict};
use crate::config::{Config, LOG_DIR, STATE_DIR};
use crate::deadline::Deadline;
use crate::journal::{CHECKS, Journal, Label};
use crate::memory::Store;
use crate::program::{code, local_node, say};

const NAME: &str = "check_redis";

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Is the local Redis alive and in the right role?
    Health,
    /// May this node take the VIP?
    Eligible,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The exit code.
    pub code: u8,
    /// Why, for a person.
    pub sentence: String,
}

/// Asks, with the configuration at `path`, within `timeout` (default: `timing.check`). A verdict that is not the last
/// run's is one line in the journal. After a failure, and only then, `stop_keepalived` does what it says.
pub fn answer(path: &Path, question: Question, timeout: Option<Duration>, stop_keepalived: bool) -> Answer {
    let (config, alarm) = match Config::load_or_last(path) {
        Ok(loaded) => loaded,
        Err(error) => {
            let memory = Path::new(STATE_DIR).join(path.file_stem().unwrap_or_default());
            let sentence = error.to_string();
            note_change(&Store::new(&memory), question, Path::new(LOG_DIR), &sentence, &sentence);
            return Answer { code: code::CANNOT_TELL, sentence };
        }
    };
    let store = Store::new(&config.memory_dir);
    let local = match local_node(&config) {
        Ok(local) => local,
        Err(error) => {
            let sentence = format!("{error:#}");
            note_change(&store, question, &config.log_dir, &sentence, &sentence);
            return Answer { code: code::CANNOT_TELL, sentence };
        }
    };
    let deadline = Deadline::after(timeout.unwrap_or(config.timing.check));
    let verdict = match question {
        Question::Health => check::health(&config, local, deadline),
        Question::Eligible => check::eligible(&config, local, deadline),
    };
    let mut kind = verdict.kind();
    let Verdict { ok, mut sentence } = verdict;
    if let Some(alarm) = alarm {
        sentence = format!("{sentence}; ALARM: {alarm}; going on with what was last read");
        kind = format!("{kind}; {alarm}");
    }
    let said = format!("{}: {sentence}", if ok { "ok" } else { "failed" });
    note_change(&store, question, &config.log_dir, &kind, &said);
    if !ok && stop_keepalived {
        stop(&Journal::new(&config.log_dir, CHECKS, NAME, question.label(), true));
    }
    Answer { code: if ok { code::YES } else { code::NO }, sentence }
}

impl Question {
    fn label(self) -> Label {
        match self {
            Question::Health => Label::Check,
            Question::Eligible => Label::Eligible,
        }
    }

    /// Where the last verdict is remembered.
    fn file(self) -> &'static str {
        match self {
            Question::Health => "check.verdict",
            Question::Eligible => "eligible.verdict",
        }
    }
}

/// One line, where `kind` is not what the last run found: not a line a second.
fn note_change(store: &Store, question: Question, log_dir: &Path, kind: &str, sentence: &str) {
    if store.note(question.file()).as_deref() == Some(kind) {
        return;
    }
    Journal::new(log_dir, CHECKS, NAME, question.label(), false).line(sentence, &[]);
    if let Err(error) = store.set_note(question.file(), kind) {
        say(&mut std::io::stderr(), &format!("{NAME}: {error}"));
    }
}

fn stop(journal: &Journal) {
    let stop = Command::new("systemctl")
        .args(["--no-block", "stop", "keepalived"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match stop {
        Ok(status) if status.success() => journal.line("stopped keepalived, as --stop-keepalived asks", &[]),
        Ok(status) => journal.line(&format!("stopping keepalived: systemctl ended with {status}"), &[]),
        Err(error) => journal.line(&format!("stopping keepalived: starting systemctl: {error}"), &[]),
    }
}
