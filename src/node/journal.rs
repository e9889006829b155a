//! The journals: one appended line an event. They never decide anything and never fail their
//! caller.

use std::fmt::{self, Display, Write as _};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs2::FileExt;

use crate::config::DEFAULT_PATH;
use crate::deadline::Deadline;
use crate::node::clock;
use crate::terminal;

/// The journal of transitions: what keepalived notified, what a person moved, and each step of it.
pub const TRANSITIONS: &str = "keepalived-redis-status.log";
/// The journal of the checks: changes of verdict only.
pub const CHECKS: &str = "check-redis-status.log";

/// Another writer holds the lock for microseconds; one that holds it longer is stuck, and a line
/// out of turn is better than a failover that waits for it.
const LOCK_WAIT: Duration = Duration::from_millis(20);

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    Master,
    Backup,
    Fault,
    Stop,
    Check,
    Eligible,
    Watch,
    /// A person moves the role by hand.
    Drain,
    /// A person lets go of rollback files.
    Rollback,
}

impl Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Label::Master => "[Master]",
            Label::Backup => "[Backup]",
            Label::Fault => "[Fault]",
            Label::Stop => "[Stop]",
            Label::Check => "[Check]",
            Label::Eligible => "[Eligible]",
            Label::Watch => "[Watch]",
            Label::Drain => "[Drain]",
            Label::Rollback => "[Rollback]",
        })
    }
}

/// One journal, written by one program.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    program: &'static str,
    label: Label,
    echo: bool,
    instance: Option<String>,
}

impl Journal {
    /// The journal `file` in `dir`; nothing is opened before the first line. With `echo` each
    /// sentence is also printed: under keepalived that goes to /dev/null (K2), by hand a person
    /// reads it.
    pub(crate) fn new(
        dir: &Path,
        file: &str,
        program: &'static str,
        label: Label,
        echo: bool,
    ) -> Self {
        Journal {
            path: dir.join(file),
            program,
            label,
            echo,
            instance: None,
        }
    }

    /// Marks its lines with their instance, for several instances of a host may share a journal:
    /// those of the default one have no mark, those of any other end with `instance=NAME`.
    #[must_use]
    pub(crate) fn of(self, instance: &str) -> Self {
        Journal {
            instance: mark(instance),
            ..self
        }
    }

    /// What its lines are about.
    pub(crate) fn label(&self) -> Label {
        self.label
    }

    /// Appends `time program[pid] [Label] sentence key=value ...` with one write(2).
    ///
    /// The file is opened for each line, so logrotate needs no signal. The lock keeps lines whole
    /// on file systems where O_APPEND alone does not. A directory that is missing is made; any
    /// failure is said on stderr only.
    pub(crate) fn line(&self, sentence: &str, pairs: &[(&str, &dyn Display)]) {
        let mut text = sentence.to_string();
        for (key, value) in pairs {
            let _ = write!(text, " {key}={}", quoted(&value.to_string()));
        }
        let text = terminal::plain(&text);
        if self.echo {
            let _ = writeln!(
                std::io::stdout(),
                "{}{}: {text}",
                terminal::erase(),
                self.program
            );
        }
        let instance = self.instance.as_deref().unwrap_or_default();
        let now = clock::now();
        let line = format!(
            "{now} {}[{}] {} {text}{instance}\n",
            self.program,
            std::process::id(),
            self.label
        );
        if let Err(error) = self.append(line.as_bytes()) {
            let _ = writeln!(
                std::io::stderr(),
                "{}: writing to {}: {error}",
                self.program,
                self.path.display()
            );
        }
    }

    fn append(&self, line: &[u8]) -> std::io::Result<()> {
        let open = || {
            OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o640)
                .open(&self.path)
        };
        let mut file = match open() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if let Some(dir) = self.path.parent() {
                    fs::DirBuilder::new()
                        .recursive(true)
                        .mode(0o750)
                        .create(dir)?;
                }
                open()?
            }
            opened => opened?,
        };
        let patience = Deadline::after(LOCK_WAIT);
        while file.try_lock_exclusive().is_err() && patience.pause(Duration::from_millis(1)) {}
        let written = file.write(line)?;
        if written < line.len() {
            Err(std::io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }
}

/// Whether a line was written [`Journal::of`] that instance.
pub(crate) fn is_of(line: &str, instance: &str) -> bool {
    mark(instance).map_or_else(
        || !line.contains(" instance="),
        |mark| line.ends_with(&mark),
    )
}

/// How the lines of an instance end; those of the default one as they are.
fn mark(instance: &str) -> Option<String> {
    let default = Path::new(DEFAULT_PATH)
        .file_stem()
        .is_some_and(|stem| stem == instance);
    (!default).then(|| format!(" instance={}", quoted(instance)))
}

fn quoted(value: &str) -> String {
    if value.is_empty() || value.contains([' ', '"', '=']) {
        format!("{value:?}")
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(dir: &Path) -> Journal {
        Journal::new(dir, TRANSITIONS, "redis_master", Label::Master, false)
    }

    #[test]
    fn a_line_is_time_program_label_sentence_and_pairs() {
        let dir = tempfile::tempdir().expect("a directory");
        journal(&dir.path().join("deep/er"))
            .line("made\nmaster", &[("took_ms", &1.3), ("why", &"link down")]);
        let text =
            fs::read_to_string(dir.path().join("deep/er").join(TRANSITIONS)).expect("a line");
        let (time, rest) = text.split_at(text.find("redis_master[").expect("the program"));
        assert!(
            chrono::DateTime::parse_from_rfc3339(time.trim()).is_ok(),
            "{time:?}"
        );
        let rest = rest.split_once("] ").expect("the pid").1;
        assert_eq!(rest, "[Master] made master took_ms=1.3 why=\"link down\"\n");
    }

    #[test]
    fn a_line_of_another_instance_than_the_default_one_says_of_which() {
        let dir = tempfile::tempdir().expect("a directory");
        journal(dir.path())
            .of("redis-ha")
            .line("the first", &[("took_ms", &1.3)]);
        journal(dir.path())
            .of("redis-6380")
            .line("the second", &[("took_ms", &1.3)]);
        let text = fs::read_to_string(dir.path().join(TRANSITIONS)).expect("two lines");
        let ends: Vec<&str> = text
            .lines()
            .filter_map(|line| Some(line.split_once("[Master] ")?.1))
            .collect();
        assert_eq!(
            ends,
            [
                "the first took_ms=1.3",
                "the second took_ms=1.3 instance=redis-6380"
            ]
        );
        let of = |instance: &str| {
            text.lines()
                .map(|line| is_of(line, instance))
                .collect::<Vec<bool>>()
        };
        assert_eq!(
            (of("redis-ha"), of("redis-6380")),
            (vec![true, false], vec![false, true])
        );
        assert_eq!(of("6380"), [false, false]);
    }

    #[test]
    fn lines_of_many_writers_never_interleave() {
        let dir = tempfile::tempdir().expect("a directory");
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let journal = journal(dir.path());
                let long = writer.to_string().repeat(3000);
                scope.spawn(move || (0..50).for_each(|_| journal.line(&long, &[])));
            }
        });
        let text = fs::read_to_string(dir.path().join(TRANSITIONS)).expect("lines");
        assert_eq!(text.lines().count(), 400);
        for line in text.lines() {
            let sentence = line.rsplit(' ').next().unwrap_or_default();
            assert_eq!(sentence.len(), 3000);
            assert!(
                sentence
                    .bytes()
                    .all(|byte| Some(byte) == sentence.bytes().next()),
                "interleaved"
            );
        }
    }

    #[test]
    fn a_lock_that_is_never_released_delays_a_line_but_does_not_stop_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let stuck = fs::File::create(dir.path().join(TRANSITIONS)).expect("a file");
        stuck.lock_exclusive().expect("the lock");
        journal(dir.path()).line("went on", &[]);
        assert!(
            fs::read_to_string(dir.path().join(TRANSITIONS))
                .expect("a line")
                .contains("went on")
        );
    }

    #[test]
    fn a_directory_that_can_not_be_written_does_not_fail_the_caller() {
        journal(Path::new("/proc/no/such/place")).line("nobody reads this", &[]);
        journal(Path::new("/dev/full")).line("nor this", &[]);
    }

    #[test]
    fn a_rotated_journal_goes_on_in_a_new_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let journal = journal(dir.path());
        journal.line("before", &[]);
        fs::rename(dir.path().join(TRANSITIONS), dir.path().join("rotated")).expect("a rename");
        journal.line("after", &[]);
        let text = fs::read_to_string(dir.path().join(TRANSITIONS)).expect("a new file");
        assert!(text.contains("after") && !text.contains("before"));
    }
}
