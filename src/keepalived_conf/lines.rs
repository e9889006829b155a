//! The lines that one host reads: includes, `@NAME`, parameters, comments.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Conf, Place, Reader};

/// Includes within includes, and parameters within parameters, go no deeper.
const DEEPEST: usize = 16;
/// More lines than any configuration has.
const LONGEST: usize = 100_000;

/// The lines that count, parameters put in.
pub(crate) struct Lines<'a> {
    host: &'a str,
    reader: &'a Reader<'a>,
    parameters: BTreeMap<String, String>,
    out: Vec<(Place, String)>,
    conf: Conf,
}

impl<'a> Lines<'a> {
    /// Of the host called `host`; none yet.
    pub(crate) fn of(host: &'a str, reader: &'a Reader<'a>) -> Lines<'a> {
        Lines {
            host,
            reader,
            parameters: BTreeMap::new(),
            out: Vec::new(),
            conf: Conf::default(),
        }
    }

    /// All of them, and what was seen on the way.
    pub(crate) fn read(self) -> (Vec<(Place, String)>, Conf) {
        (self.out, self.conf)
    }

    /// Those of `path`, and of what it includes.
    pub(crate) fn file(&mut self, path: &Path, text: &str, depth: usize) {
        let mut lines = text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let place = Place {
                file: path.to_owned(),
                line: number + 1,
            };
            let mut line = without_comment(line);
            while let Some(begun) = line.strip_suffix('\\') {
                let Some((_, next)) = lines.next() else { break };
                // Of a definition each is a line of its own.
                let glue = if begun.trim_start().starts_with(['$', '@']) {
                    '\n'
                } else {
                    ' '
                };
                line = format!("{begun}{glue}{}", without_comment(next));
            }
            self.line(place, &line, depth);
        }
    }

    fn line(&mut self, place: Place, line: &str, depth: usize) {
        let Some(line) = self.for_us(line.trim()) else {
            return;
        };
        if let Some((name, value)) = definition(&line) {
            self.parameters.insert(name.to_owned(), value.to_owned());
            return;
        }
        for part in self.replaced(&line, 0).split('\n') {
            // A parameter may hold the @NAME.
            let Some(part) = self.for_us(part.trim()) else {
                continue;
            };
            match included(&part) {
                Some(pattern) => self.include(&place, pattern, depth),
                None if !part.is_empty() && self.out.len() < LONGEST => {
                    self.out.push((place.clone(), part))
                }
                None => {}
            }
        }
    }

    /// The line without its `@NAME`; `None` where it is another host's.
    fn for_us(&mut self, line: &str) -> Option<String> {
        let Some(rest) = line.strip_prefix('@') else {
            return Some(line.to_owned());
        };
        let (rest, negated) = rest
            .strip_prefix('^')
            .map_or((rest, false), |rest| (rest, true));
        let (name, rest) = rest
            .split_once(|c: char| c.is_whitespace())
            .unwrap_or((rest, ""));
        if !self.conf.names.iter().any(|known| known == name) {
            self.conf.names.push(name.to_owned());
        }
        ((name == self.host) != negated).then(|| rest.trim().to_owned())
    }

    fn include(&mut self, place: &Place, pattern: &str, depth: usize) {
        let pattern = place.file.parent().unwrap_or(Path::new("/")).join(pattern);
        let files = (self.reader.glob)(&pattern);
        if depth >= DEEPEST {
            self.conf.troubles.push((
                place.clone(),
                format!("{} is included in itself", pattern.display()),
            ));
            return;
        }
        if files.is_empty() {
            self.conf.troubles.push((
                place.clone(),
                format!("include {}: no such file", pattern.display()),
            ));
        }
        for file in files {
            match (self.reader.read)(&file) {
                Ok(text) => self.file(&file, &text, depth + 1),
                Err(why) => self
                    .conf
                    .troubles
                    .push((place.clone(), format!("include {}: {why}", file.display()))),
            }
        }
    }

    /// `$NAME` before a space or the end, and `${NAME}` anywhere; what is not defined stays as it
    /// is.
    fn replaced(&self, line: &str, depth: usize) -> String {
        let mut out = String::with_capacity(line.len());
        let mut rest = line;
        while let Some(at) = rest.find('$') {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            let found = parameter(from)
                .and_then(|(name, length)| Some((self.parameters.get(name)?, length)));
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
    let end = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(rest.len());
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
