//! What a check answers, and whether that is worth a line.

use std::net::SocketAddr;
use std::time::Duration;

use super::{BUSY, SILENT};
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

/// A local Redis that is busy, or silent for a moment, or has no connection left, says nothing of
/// its data: neither one slow command nor a burst of clients must move the VIP. Whether it is dead
/// is for the health check to say, which fails only when it finds that twice, and for the watcher.
/// `stays`: the last answer was yes, and the VIP is here; it is not brought back to a Redis that
/// answers nobody. `another`: the node that goes on, where a script does not end.
pub(crate) fn silent(
    config: &Config,
    store: &Store,
    seen: &Result<Observation, Failure>,
    stays: bool,
    another: Option<SocketAddr>,
) -> Option<Verdict> {
    let failure = seen.as_ref().err();
    let says_nothing = failure.is_some_and(|failure| is_busy(failure) || is_late(failure));
    let since = store.spell(StateFile::Silent, says_nothing);
    of_silence(failure?, since, config.timing.hang, stays, another)
}

fn is_busy(failure: &Failure) -> bool {
    matches!(failure, Failure::Denied(denial) if denial.code == "BUSY")
}

fn is_late(failure: &Failure) -> bool {
    *failure == Failure::TimedOut
}

/// The same of a Redis that has been busy or silent `since` then.
fn of_silence(
    failure: &Failure,
    since: Duration,
    hang: Duration,
    stays: bool,
    another: Option<SocketAddr>,
) -> Option<Verdict> {
    let full = matches!(failure, Failure::Denied(denial) if denial.is_about_clients());
    let endless = is_busy(failure) && since >= BUSY;
    let held = is_busy(failure) || full || is_late(failure) && since < SILENT.max(2 * hang);
    let alarm = match (full, endless) {
        (true, _) => "ALARM: no connection is left, raise maxclients: ",
        (_, true) => "ALARM: a script does not end (SCRIPT KILL ends it): ",
        _ => "",
    };
    let sentence = format!("{alarm}the local Redis: {failure}");
    held.then(|| match another.filter(|_| endless) {
        Some(peer) => Verdict::no(format!("{sentence}; {peer} has its data and goes on")),
        None if stays => Verdict::yes(format!("as before: {sentence}")),
        None => Verdict::no(sentence),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::failure::Denial;

    fn denied(code: &str, text: &str) -> Failure {
        Failure::Denied(Denial {
            code: code.to_owned(),
            text: text.to_owned(),
        })
    }

    #[test]
    fn what_says_nothing_of_its_data_stays_where_it_is_but_not_for_ever_beside_one_that_goes_on() {
        let (busy, late) = (denied("BUSY", "script"), Failure::TimedOut);
        let full = denied("ERR", "max number of clients reached");
        let other = denied("NOAUTH", "needed");
        let (here, peer) = (true, "192.168.158.12:6379".parse().ok());
        for (failure, since, stays, another, expected) in [
            (&busy, 0, here, peer, Some(true)),
            (&busy, 9, here, peer, Some(true)),
            (&busy, 10, here, peer, Some(false)),
            (&busy, 999, here, None, Some(true)),
            (&busy, 0, !here, None, Some(false)),
            (&late, 4, here, peer, Some(true)),
            (&late, 5, here, peer, None),
            (&full, 0, here, peer, Some(true)),
            (&full, 999, here, peer, Some(true)),
            (&full, 0, !here, peer, Some(false)),
            (&other, 0, here, peer, None),
        ] {
            let (since, hang) = (Duration::from_secs(since), Duration::from_millis(300));
            let found = of_silence(failure, since, hang, stays, another);
            let told = found.as_ref().is_some_and(|v| v.sentence.contains("ALARM"));
            assert_eq!(found.map(|v| v.ok), expected, "{failure} for {since:?}");
            let alarming = *failure == full || *failure == busy && since >= BUSY;
            assert_eq!(told, alarming, "{failure} for {since:?}");
        }
    }
}
