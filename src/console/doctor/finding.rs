//! One line of the doctor: what was looked at, how it is, and the way out.

use std::path::PathBuf;

use serde::Serialize;

use crate::keepalived_conf::Place;

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It could not be looked at from here.
    Unseen,
    /// It costs something, some day.
    Warn,
    /// A failover, or a write, will be lost by it.
    Fail,
}

impl Level {
    /// As it is shown.
    pub fn word(self) -> &'static str {
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
pub enum Subject {
    /// redis-ha.toml, and what it names.
    Configuration,
    /// keepalived, its configuration, and the programs that it calls.
    Keepalived,
    /// Each Redis, and how they stand to each other.
    Redis,
    /// The sentinels.
    Sentinel,
    /// This machine.
    Machine,
}

impl Subject {
    /// All, in the order in which they are shown.
    pub const ALL: [Subject; 5] = [
        Subject::Configuration,
        Subject::Keepalived,
        Subject::Redis,
        Subject::Sentinel,
        Subject::Machine,
    ];

    /// The heading.
    pub fn heading(self) -> &'static str {
        match self {
            Subject::Configuration => "configuration",
            Subject::Keepalived => "keepalived",
            Subject::Redis => "redis",
            Subject::Sentinel => "sentinel",
            Subject::Machine => "this machine",
        }
    }
}

/// What helps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fix {
    /// A shell command, as root on this machine.
    Run(String),
    /// A line of a file, in the place of the one that stands there.
    Replace {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        number: usize,
        /// As it should be.
        line: String,
    },
    /// A line of a file, below another one.
    Insert {
        /// The file.
        file: PathBuf,
        /// That of the line above, counted from 1.
        number: usize,
        /// As it should be.
        line: String,
    },
    /// A line of a file that should not be there.
    Remove {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        number: usize,
    },
    /// What no single command or line does.
    Do(String),
}

impl Fix {
    /// `line` in the place of what stands at `place`.
    pub fn replace(place: &Place, line: impl Into<String>) -> Fix {
        Fix::Replace {
            file: place.file.clone(),
            number: place.line,
            line: line.into(),
        }
    }

    /// `line` below `place`.
    pub fn insert(place: &Place, line: impl Into<String>) -> Fix {
        Fix::Insert {
            file: place.file.clone(),
            number: place.line,
            line: line.into(),
        }
    }

    /// Nothing at `place`.
    pub fn remove(place: &Place) -> Fix {
        Fix::Remove {
            file: place.file.clone(),
            number: place.line,
        }
    }

    /// For a person; the lines of a file stand on lines of their own.
    pub fn text(&self) -> String {
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

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check's name; the same for ever, and the same whatever was found.
    pub check: &'static str,
    /// Its heading.
    pub subject: Subject,
    /// How it is.
    pub level: Level,
    /// The number of the fact in docs/facts.md; empty where there is none.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub fact: &'static str,
    /// What was found, in plain words.
    pub says: String,
    /// What helps, the first thing first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fix: Vec<Fix>,
}

/// What is being collected under one heading.
pub struct Findings {
    subject: Subject,
    /// So far.
    pub list: Vec<Finding>,
}

impl Findings {
    /// None yet.
    pub fn of(subject: Subject) -> Findings {
        Findings {
            subject,
            list: Vec::new(),
        }
    }

    /// As it should be.
    pub fn ok(&mut self, check: &'static str, fact: &'static str, says: impl Into<String>) {
        self.add(Level::Ok, check, fact, says.into(), Vec::new());
    }

    /// It could not be looked at.
    pub fn unseen(&mut self, check: &'static str, fact: &'static str, says: impl Into<String>) {
        self.add(Level::Unseen, check, fact, says.into(), Vec::new());
    }

    /// It costs something, some day.
    pub fn warn(
        &mut self,
        check: &'static str,
        fact: &'static str,
        says: impl Into<String>,
        fix: Fix,
    ) {
        self.add(Level::Warn, check, fact, says.into(), vec![fix]);
    }

    /// It is wrong.
    pub fn fail(
        &mut self,
        check: &'static str,
        fact: &'static str,
        says: impl Into<String>,
        fix: Fix,
    ) {
        self.add(Level::Fail, check, fact, says.into(), vec![fix]);
    }

    /// Any of these, with several things to do, one after the other.
    pub fn add(
        &mut self,
        level: Level,
        check: &'static str,
        fact: &'static str,
        says: String,
        fix: Vec<Fix>,
    ) {
        self.list.push(Finding {
            check,
            subject: self.subject,
            level,
            fact,
            says,
            fix,
        });
    }

    /// `says`, unless `check` has been found wanting already.
    pub fn ok_unless_said(
        &mut self,
        check: &'static str,
        fact: &'static str,
        says: impl Into<String>,
    ) {
        if !self.list.iter().any(|found| found.check == check) {
            self.ok(check, fact, says);
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The lines of `check`, worst first.
    pub fn lines<'f>(found: &'f [Finding], check: &str) -> Vec<&'f Finding> {
        let mut lines: Vec<&Finding> = found.iter().filter(|line| line.check == check).collect();
        lines.sort_by_key(|line| std::cmp::Reverse(line.level));
        lines
    }

    /// How bad `check` is; fails the test where it was not looked at at all.
    pub fn level(found: &[Finding], check: &str) -> Level {
        match lines(found, check).first() {
            Some(line) => line.level,
            None => panic!("no line of {check} in {found:#?}"),
        }
    }
}
