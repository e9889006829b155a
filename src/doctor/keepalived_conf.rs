//! keepalived's configuration as keepalived 2.x reads it: includes, lines for one host alone, parameters, comments,
//! quotes, blocks. Pure but for the reader that is handed in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Includes within includes, and parameters within parameters, go no deeper.
const DEEPEST: usize = 16;
/// More statements than any configuration has.
const LONGEST: usize = 100_000;

/// A word with what follows it on its line, and its block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// The words, without quotes.
    pub words: Vec<String>,
    /// What stands between its braces.
    pub block: Option<Vec<Statement>>,
    /// Where it stands.
    pub place: Place,
    /// Where its block begins.
    pub open: Place,
}

/// A line of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file.
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
    /// Its first word.
    pub fn name(&self) -> &str {
        self.word(0)
    }

    /// A word of it; empty where there are fewer.
    pub fn word(&self, number: usize) -> &str {
        self.words.get(number).map_or("", String::as_str)
    }

    /// What its block holds.
    pub fn inner(&self) -> &[Statement] {
        self.block.as_deref().unwrap_or_default()
    }

    /// The last statement called one of `names` in its block: a later one wins.
    pub fn get(&self, names: &[&str]) -> Option<&Statement> {
        self.inner().iter().rev().find(|inner| names.contains(&inner.name()))
    }
}

/// What a host reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conf {
    /// The statements outside of all blocks.
    pub statements: Vec<Statement>,
    /// The names of hosts behind `@`, whether this is one of them or not.
    pub names: Vec<String>,
    /// What could not be read: the place, and why.
    pub troubles: Vec<(Place, String)>,
}

/// How files are got.
pub struct Reader<'a> {
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
    pub fn read(path: &Path, host: &str, reader: &Reader<'_>) -> Result<Conf, String> {
        let mut lines = Lines { host, reader, parameters: BTreeMap::new(), out: Vec::new(), conf: Conf::default() };
        lines.file(path, &(reader.read)(path)?, 0);
        let Lines { out, mut conf, .. } = lines;
        conf.statements = statements(&out, &mut conf.troubles);
        Ok(conf)
    }
}

/// The lines that count, parameters put in.
struct Lines<'a> {
    host: &'a str,
    reader: &'a Reader<'a>,
    parameters: BTreeMap<String, String>,
    out: Vec<(Place, String)>,
    conf: Conf,
}

impl Lines<'_> {
    fn file(&mut self, path: &Path, text: &str, depth: usize) {
        let mut lines = text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let place = Place { file: path.to_owned(), line: number + 1 };
            let mut line = without_comment(line);
            while let Some(begun) = line.strip_suffix('\\') {
                let Some((_, next)) = lines.next() else { break };
                // Of a definition each is a line of its own.
                let glue = if begun.trim_start().starts_with(['$', '@']) { '\n' } else { ' ' };
                line = format!("{begun}{glue}{}", without_comment(next));
            }
            self.line(place, &line, depth);
        }
    }

    fn line(&mut self, place: Place, line: &str, depth: usize) {
        let Some(line) = self.for_us(line.trim()) else { return };
        if let Some((name, value)) = definition(&line) {
            self.parameters.insert(name.to_owned(), value.to_owned());
            return;
        }
        for part in self.replaced(&line, 0).split('\n') {
            // A parameter may hold the @NAME.
            let Some(part) = self.for_us(part.trim()) else { continue };
            match included(&part) {
                Some(pattern) => self.include(&place, pattern, depth),
                None if !part.is_empty() && self.out.len() < LONGEST => self.out.push((place.clone(), part)),
                None => {}
            }
        }
    }

    /// The line without its `@NAME`; `None` where it is another host's.
    fn for_us(&mut self, line: &str) -> Option<String> {
        let Some(rest) = line.strip_prefix('@') else { return Some(line.to_owned()) };
        let (rest, negated) = rest.strip_prefix('^').map_or((rest, false), |rest| (rest, true));
        let (name, rest) = rest.split_once(|c: char| c.is_whitespace()).unwrap_or((rest, ""));
        if !self.conf.names.iter().any(|known| known == name) {
            self.conf.names.push(name.to_owned());
        }
        ((name == self.host) != negated).then(|| rest.trim().to_owned())
    }

    fn include(&mut self, place: &Place, pattern: &str, depth: usize) {
        let pattern = place.file.parent().unwrap_or(Path::new("/")).join(pattern);
        let files = (self.reader.glob)(&pattern);
        if depth >= DEEPEST {
            self.conf.troubles.push((place.clone(), format!("{} is included in itself", pattern.display())));
            return;
        }
        if files.is_empty() {
            self.conf.troubles.push((place.clone(), format!("include {}: no such file", pattern.display())));
        }
        for file in files {
            match (self.reader.read)(&file) {
                Ok(text) => self.file(&file, &text, depth + 1),
                Err(why) => self.conf.troubles.push((place.clone(), format!("include {}: {why}", file.display()))),
            }
        }
    }

    /// `$NAME` before a space or the end, and `${NAME}` anywhere; what is not defined stays as it is.
    fn replaced(&self, line: &str, depth: usize) -> String {
        let mut out = String::with_capacity(line.len());
        let mut rest = line;
        while let Some(at) = rest.find('$') {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            let found = parameter(from).and_then(|(name, length)| Some((self.parameters.get(name)?, length)));
            match found {
                Some((value, length)) if depth < DEEPEST => {
                    out.push_str(&self.replaced(value, depth + 1));
                    rest = from.get(length..).unwrap_or_default();
                }
                _ => {
                    out.push('$');
                    rest = from.get(1..).unwrap_or_default();
                }
            }
        }
        out.push_str(rest);
        out
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// `$NAME=VALUE`.
fn definition(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix('$')?.split_once('=')?;
    is_name(name).then(|| (name, value.trim_start_matches('\n').trim()))
}

/// The name of a parameter at the beginning of `text`, and how long all of it is.
fn parameter(text: &str) -> Option<(&str, usize)> {
    if let Some(inner) = text.strip_prefix("${") {
        let (name, _) = inner.split_once('}')?;
        return is_name(name).then_some((name, name.len() + 3));
    }
    let rest = text.strip_prefix('$')?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    let ends = after.is_empty() || after.starts_with(|c: char| c.is_whitespace() || c == '"');
    (is_name(name) && ends).then_some((name, end + 1))
}

/// `include`, and its kin that say which errors matter.
fn included(line: &str) -> Option<&str> {
    let (word, rest) = line.split_once(|c: char| c.is_whitespace())?;
    let kind = word.strip_prefix("include")?;
    (kind.len() <= 1).then(|| rest.trim().trim_matches('"'))
}

/// The line up to a `#` or `!` outside of quotes.
fn without_comment(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in line.chars() {
        match c {
            '"' if !escaped => quoted = !quoted,
            '#' | '!' if !quoted && escaped => {
                out.pop();
            }
            '#' | '!' if !quoted => break,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        out.push(c);
    }
    out.trim_end().to_owned()
}

/// The words of a line, and the braces outside of quotes, which are words of their own.
fn words(line: &str) -> Vec<(String, bool)> {
    let mut words: Vec<(String, bool)> = Vec::new();
    let (mut word, mut begun, mut quoted) = (String::new(), false, false);
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' => {
                quoted = !quoted;
                begun = true;
            }
            '\\' if quoted && characters.peek() == Some(&'"') => word.extend(characters.next()),
            '{' | '}' if !quoted && !word.ends_with('$') && !word.contains("${") => {
                if begun {
                    words.push((std::mem::take(&mut word), false));
                }
                begun = false;
                words.push((c.to_string(), true));
            }
            c if c.is_whitespace() && !quoted => {
                if begun {
                    words.push((std::mem::take(&mut word), false));
                }
                begun = false;
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push((word, false));
    }
    words
}

fn statements(lines: &[(Place, String)], troubles: &mut Vec<(Place, String)>) -> Vec<Statement> {
    // The blocks that are open, from the outside in.
    let mut open: Vec<Vec<Statement>> = vec![Vec::new()];
    for (place, line) in lines {
        let mut begun = false;
        for (word, brace) in words(line) {
            match (word.as_str(), brace) {
                ("{", true) => {
                    if let Some(owner) = open.last_mut().and_then(|block| block.last_mut()) {
                        owner.open = place.clone();
                    }
                    open.push(Vec::new());
                    begun = false;
                }
                ("}", true) => {
                    begun = false;
                    close(&mut open, place, troubles);
                }
                _ => {
                    let Some(block) = open.last_mut() else { continue };
                    if !begun {
                        block.push(Statement { place: place.clone(), ..Statement::default() });
                        begun = true;
                    }
                    if let Some(statement) = block.last_mut() {
                        statement.words.push(word);
                    }
                }
            }
        }
    }
    if let (2.., Some((place, _))) = (open.len(), lines.last()) {
        let place = place.clone();
        troubles.push((place.clone(), "a block is not closed: a } is missing".to_owned()));
        while open.len() > 1 {
            close(&mut open, &place, troubles);
        }
    }
    open.pop().unwrap_or_default()
}

/// The innermost block becomes that of the statement before it.
fn close(open: &mut Vec<Vec<Statement>>, place: &Place, troubles: &mut Vec<(Place, String)>) {
    if open.len() < 2 {
        troubles.push((place.clone(), "a } too many".to_owned()));
        return;
    }
    let block = open.pop();
    match open.last_mut().and_then(|outer| outer.last_mut()) {
        Some(owner) => owner.block = block,
        None => troubles.push((place.clone(), "a block without a name".to_owned())),
    }
}

#[cfg(test)]
mod tests;
