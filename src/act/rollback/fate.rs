//! Why a rollback file is still there, in words.

use std::path::PathBuf;
use std::time::SystemTime;

use super::shelf::{DAY, files_of, verdicts};
use crate::config::Rollback;
use crate::decide::retention::{Go, Stay, Verdict};

/// What becomes of a file, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    pub path: PathBuf,
    /// It stays when the next one is taken, as far as is known.
    pub stays: bool,
    pub why: String,
}

/// Why each file of `whose` is there: what would become of it if the newest had just been taken.
pub(crate) fn fates(settings: &Rollback, whose: &str) -> Vec<Fate> {
    let files = files_of(&settings.dir, whose);
    let fate = |(path, verdict): (&PathBuf, Verdict)| Fate {
        path: path.clone(),
        stays: matches!(verdict, Verdict::Stays(_)),
        why: match verdict {
            Verdict::Stays(stay) => staying(stay, settings),
            Verdict::Goes(go) => {
                format!("goes with the next file: {}", going(go, &files, settings))
            }
        },
    };
    let verdicts = verdicts(&files, settings, SystemTime::now());
    files.iter().zip(verdicts).map(fate).collect()
}

fn staying(stay: Stay, settings: &Rollback) -> String {
    match stay {
        Stay::Newest => "the newest".to_owned(),
        Stay::AmongKept => format!("one of {} (rollback.keep)", settings.keep),
        Stay::NotLookedAt(Some(left)) => {
            let days = left.as_secs().div_ceil(DAY);
            let s = if days == 1 { "" } else { "s" };
            format!("not looked at, {days} day{s} left")
        }
        Stay::NotLookedAt(None) => "not looked at, of unknown age".to_owned(),
        Stay::Due => format!("not looked at for {} days, goes some time", settings.days),
    }
}

pub(super) fn going(go: Go, files: &[PathBuf], settings: &Rollback) -> String {
    let name = |at: usize| {
        let name = files.get(at).and_then(|path| path.file_name());
        name.unwrap_or_default().to_string_lossy().into_owned()
    };
    match go {
        Go::Replaced(by) => format!("{} has all of it", name(by)),
        Go::Between(first, last) => format!(
            "it is between {} and {} of a Redis that came up again and again beside one master",
            name(first),
            name(last)
        ),
        Go::OneTooMany => format!("rollback.keep is {}", settings.keep),
        Go::Aged => format!("nobody has looked at it for {} days", settings.days),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::super::shelf::look_at;
    use super::*;

    const WHOSE: &str = "-a-10.0.0.1_6379";

    #[test]
    fn why_a_file_is_there_is_said_and_looking_at_it_changes_that() {
        let dir = tempfile::tempdir().expect("a directory");
        let stamp = chrono::Utc::now().format("%Y%m%dT%H%M%SZ");
        for counter in 1..=3 {
            let name = format!("00000{counter}-{stamp}{WHOSE}.rdb");
            fs::write(dir.path().join(name), "x").expect("a file");
        }
        let settings = Rollback {
            dir: dir.path().to_path_buf(),
            keep: 2,
            ..Rollback::default()
        };
        let told = || -> Vec<(bool, String)> {
            let fates = fates(&settings, WHOSE);
            fates
                .into_iter()
                .map(|fate| (fate.stays, fate.why))
                .collect()
        };
        let first = dir.path().join(format!("000001-{stamp}{WHOSE}.rdb"));
        let stays = |why: &str| (true, why.to_owned());
        let before = told();
        assert_eq!(before[0], stays("not looked at, 14 days left"));
        assert_eq!(
            before[1..],
            [stays("one of 2 (rollback.keep)"), stays("the newest")]
        );
        look_at(&first).expect("written");
        assert_eq!(
            told()[0],
            (
                false,
                "goes with the next file: rollback.keep is 2".to_owned()
            )
        );
        assert!(look_at(Path::new("/proc/nowhere/x.rdb")).is_err());
    }
}
