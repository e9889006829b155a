//! What a check answers, and whether that is worth a line.

use super::SILENT;
use crate::config::Config;
use crate::node::memory::{StateFile, Store};
use crate::server::failure::Failure;
use crate::server::info::Observation;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub ok: bool,
    /// The local Redis is not there at all: neither loading its data nor merely in the wrong role,
    /// which pass.
    pub dead: bool,
    pub sentence: String,
    /// Something that happened since the last check, worth a line whatever the verdict.
    pub news: Option<String>,
}

impl Verdict {
    pub(crate) fn yes(sentence: String) -> Verdict {
        Verdict {
            ok: true,
            dead: false,
            sentence,
            news: None,
        }
    }

    pub(crate) fn no(sentence: String) -> Verdict {
        Verdict {
            ok: false,
            dead: false,
            sentence,
            news: None,
        }
    }

    /// The verdict without what changes at each run (times, offsets): what is journalled when it
    /// changes.
    pub(crate) fn kind(&self) -> String {
        let words = self.sentence.split(" (took").next().unwrap_or_default();
        let sentence: String = words.chars().filter(|c| !c.is_ascii_digit()).collect();
        format!("{} {sentence}", if self.ok { "ok" } else { "failed" })
    }
}

/// A local Redis that is busy, or silent for a moment, says nothing of its data: one slow command
/// must not move the VIP. Whether it is dead is for the health check to say, which fails only when
/// it finds that twice, and for the watcher. `stays`: the last answer was yes, and the VIP is here;
/// it is not brought back to a Redis that answers nobody.
pub(crate) fn silent(
    config: &Config,
    store: &Store,
    seen: &Result<Observation, Failure>,
    stays: bool,
) -> Option<Verdict> {
    let busy = matches!(seen, Err(Failure::Denied(denial)) if denial.code == "BUSY");
    let timed_out = matches!(seen, Err(Failure::TimedOut));
    let since = store.spell(StateFile::Silent, busy || timed_out);
    let failure = seen.as_ref().err()?;
    let held = busy || timed_out && since < SILENT.max(2 * config.timing.hang);
    let sentence = format!("the local Redis: {failure}");
    held.then(|| {
        if stays {
            Verdict::yes(format!("as before: {sentence}"))
        } else {
            Verdict::no(sentence)
        }
    })
}
