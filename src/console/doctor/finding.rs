//! One line of the doctor: what was looked at, how it is, and the way out.

use std::path::PathBuf;

use serde::Serialize;

use crate::keepalived_conf::Place;
use crate::terminal::plain;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Ok,
    /// It could not be looked at from here.
    Unseen,
    /// It costs something, some day.
    Warn,
    /// A failover, or a write, will be lost by it.
    Fail,
}

impl Level {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Unseen => "?",
            Level::Warn => "warn",
            Level::Fail => "fail",
        }
    }
}

/// The heading that a line stands under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Subject {
    /// redis-ha.toml, and what it names.
    Configuration,
    /// keepalived, its configuration, and the programs that it calls.
    Keepalived,
    /// Each Redis, and how they stand to each other.
    Redis,
    Sentinel,
    Machine,
}

impl Subject {
    /// All, in the order in which they are shown.
    pub(crate) const ALL: [Subject; 5] = [
        Subject::Configuration,
        Subject::Keepalived,
        Subject::Redis,
        Subject::Sentinel,
        Subject::Machine,
    ];

    pub(crate) fn heading(self) -> &'static str {
        match self {
            Subject::Configuration => "configuration",
            Subject::Keepalived => "keepalived",
            Subject::Redis => "redis",
            Subject::Sentinel => "sentinel",
            Subject::Machine => "this machine",
        }
    }
}

/// The number of a fact in docs/facts.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Fact(pub &'static str);

impl Fact {
    /// What is found follows from no fact that stands there.
    pub(crate) const NONE: Fact = Fact("");

    fn is_none(&self) -> bool {
        *self == Fact::NONE
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fix {
    /// A shell command, as root on this machine.
    Run(String),
    /// A line of a file, in the place of the one that stands there.
    Replace {
        file: PathBuf,
        /// Counted from 1.
        number: usize,
        line: String,
    },
    /// A line of a file, below another one.
    Insert {
        file: PathBuf,
        /// That of the line above, counted from 1.
        number: usize,
        line: String,
    },
    /// A line of a file that should not be there.
    Remove {
        file: PathBuf,
        /// Counted from 1.
        number: usize,
    },
    /// What no single command or line does.
    Do(String),
}

impl Fix {
    /// `line` in the place of what stands at `place`.
    pub(crate) fn replace(place: &Place, line: impl Into<String>) -> Fix {
        Fix::Replace {
            file: place.file.clone(),
            number: place.line,
            line: line.into(),
        }
    }

    /// `line` below `place`.
    pub(crate) fn insert(place: &Place, line: impl Into<String>) -> Fix {
        Fix::Insert {
            file: place.file.clone(),
            number: place.line,
            line: line.into(),
        }
    }

    /// Nothing at `place`.
    pub(crate) fn remove(place: &Place) -> Fix {
        Fix::Remove {
            file: place.file.clone(),
            number: place.line,
        }
    }

    /// For a person; the lines of a file stand on lines of their own.
    pub(crate) fn text(&self) -> String {
        match self {
            Fix::Run(command) => format!("run: {command}"),
            Fix::Replace { file, number, line } => {
                format!("write in place of {}:{number}:\n{line}", file.display())
            }
            Fix::Insert { file, number, line } => {
                format!("write below {}:{number}:\n{line}", file.display())
            }
            Fix::Remove { file, number } => format!("take out {}:{number}", file.display()),
            Fix::Do(text) => text.clone(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// The check's name; the same for ever, and the same whatever was found.
    pub check: &'static str,
    pub subject: Subject,
    pub level: Level,
    /// Why it matters.
    #[serde(skip_serializing_if = "Fact::is_none")]
    pub fact: Fact,
    /// What was found, in plain words.
    pub says: String,
    /// What helps, the first thing first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fix: Vec<Fix>,
}

/// What is being collected under one heading.
pub(crate) struct Findings {
    subject: Subject,
    pub list: Vec<Finding>,
}

impl Findings {
    pub(crate) fn of(subject: Subject) -> Findings {
        Findings {
            subject,
            list: Vec::new(),
        }
    }

    pub(crate) fn ok(&mut self, check: &'static str, fact: Fact, says: impl Into<String>) {
        self.add(Level::Ok, check, fact, says.into(), Vec::new());
    }

    /// It could not be looked at.
    pub(crate) fn unseen(&mut self, check: &'static str, fact: Fact, says: impl Into<String>) {
        self.add(Level::Unseen, check, fact, says.into(), Vec::new());
    }

    /// It costs something, some day.
    pub(crate) fn warn(
        &mut self,
        check: &'static str,
        fact: Fact,
        says: impl Into<String>,
        fix: Fix,
    ) {
        self.add(Level::Warn, check, fact, says.into(), vec![fix]);
    }

    pub(crate) fn fail(
        &mut self,
        check: &'static str,
        fact: Fact,
        says: impl Into<String>,
        fix: Fix,
    ) {
        self.add(Level::Fail, check, fact, says.into(), vec![fix]);
    }

    /// Any of these, with several things to do, one after the other.
    pub(crate) fn add(
        &mut self,
        level: Level,
        check: &'static str,
        fact: Fact,
        says: String,
        fix: Vec<Fix>,
    ) {
        self.list.push(Finding {
            check,
            subject: self.subject,
            level,
            fact,
            says: plain(&says),
            fix,
        });
    }

    /// `says`, unless `check` has been found wanting already.
    pub(crate) fn ok_unless_said(
        &mut self,
        check: &'static str,
        fact: Fact,
        says: impl Into<String>,
    ) {
        if !self.list.iter().any(|found| found.check == check) {
            self.ok(check, fact, says);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    /// The lines of `check`, worst first.
    pub(crate) fn lines<'f>(found: &'f [Finding], check: &str) -> Vec<&'f Finding> {
        let mut lines: Vec<&Finding> = found.iter().filter(|line| line.check == check).collect();
        lines.sort_by_key(|line| std::cmp::Reverse(line.level));
        lines
    }

    /// How bad `check` is; fails the test where it was not looked at at all.
    pub(crate) fn level(found: &[Finding], check: &str) -> Level {
        match lines(found, check).first() {
            Some(line) => line.level,
            None => panic!("no line of {check} in {found:#?}"),
        }
    }

    /// The numbers of the facts, each written as `**K13**` where it stands.
    fn facts() -> BTreeSet<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/facts.md");
        let text = fs::read_to_string(path).expect("docs/facts.md");
        text.lines()
            .filter_map(|line| Some(line.strip_prefix("- **")?.split_once("**")?.0.to_owned()))
            .collect()
    }

    fn sources(dir: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in fs::read_dir(dir).expect("a directory of the sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                found.extend(sources(&path));
            } else {
                found.push(path);
            }
        }
        found
    }

    #[test]
    fn each_cited_fact_stands_in_docs_facts() {
        let facts = facts();
        assert!(facts.contains("K13") && facts.contains("R9"), "{facts:?}");
        let mut cited = 0;
        for file in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/console/doctor")) {
            let text = fs::read_to_string(&file).expect("a source file");
            for (number, line) in text.lines().enumerate() {
                for part in line.split("Fact(\"").skip(1) {
                    let fact = part.split('"').next().unwrap_or_default();
                    // Fact::NONE is the one that is empty, and this line names none.
                    let known = fact.is_empty() || fact.ends_with('\\') || facts.contains(fact);
                    assert!(
                        known,
                        "{}:{}: {fact} is not in docs/facts.md",
                        file.display(),
                        number + 1
                    );
                    cited += 1;
                }
            }
        }
        assert!(cited > 100, "only {cited} were found");
    }
}
