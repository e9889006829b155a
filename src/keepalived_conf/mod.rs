//! keepalived's configuration as keepalived 2.x reads it: includes, lines for one host alone,
//! parameters, comments, quotes, blocks. Pure but for the reader that is handed in.

pub(crate) mod lines;
pub(crate) mod statements;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod vrrp;

use std::path::{Path, PathBuf};

use self::lines::Lines;
use self::statements::statements;

/// A word with what follows it on its line, and its block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statement {
    pub words: Vec<String>,
    /// What stands between its braces.
    pub block: Option<Vec<Statement>>,
    pub place: Place,
    pub open: Place,
}

/// A line of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub file: PathBuf,
    /// Counted from 1.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

impl Statement {
    pub(crate) fn name(&self) -> &str {
        self.word(0)
    }

    /// A word of it; empty where there are fewer.
    pub(crate) fn word(&self, number: usize) -> &str {
        self.words.get(number).map_or("", String::as_str)
    }

    pub(crate) fn inner(&self) -> &[Statement] {
        self.block.as_deref().unwrap_or_default()
    }

    /// The last statement called one of `names` in its block: a later one wins.
    pub(crate) fn get(&self, names: &[&str]) -> Option<&Statement> {
        self.inner()
            .iter()
            .rev()
            .find(|inner| names.contains(&inner.name()))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conf {
    /// The statements outside of all blocks.
    pub statements: Vec<Statement>,
    /// The names of hosts behind `@`, whether this is one of them or not.
    pub names: Vec<String>,
    /// What could not be read: the place, and why.
    pub troubles: Vec<(Place, String)>,
}

pub(crate) struct Reader<'a> {
    /// The text of a file, or why not.
    pub read: &'a dyn Fn(&Path) -> Result<String, String>,
    /// The files of an `include`, which may hold wildcards.
    pub glob: &'a dyn Fn(&Path) -> Vec<PathBuf>,
}

impl Conf {
    /// Reads `path` as the host of the name `host` would.
    ///
    /// # Errors
    /// Why the file itself can't be read.
    pub(crate) fn read(path: &Path, host: &str, reader: &Reader<'_>) -> Result<Conf, String> {
        let mut lines = Lines::of(host, reader);
        lines.file(path, &(reader.read)(path)?, 0);
        let (out, mut conf) = lines.read();
        conf.statements = statements(&out, &mut conf.troubles);
        Ok(conf)
    }
}
