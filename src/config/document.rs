//! A TOML text whose every value knows its line, so that every error can say it.

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::Read;
use std::ops::RangeInclusive;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use nix::fcntl::OFlag;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ConfigError;

/// Nothing that a person writes here is larger; a log or an image named by mistake is.
const LARGEST_FILE: u64 = 64 * 1024;

/// Reads a whole configuration file.
pub(crate) fn read(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |reason: String| ConfigError::Unreadable {
        path: path.to_owned(),
        reason,
    };
    let io = |error: std::io::Error| unreadable(format!("can't be read: {error}"));
    // Without O_NONBLOCK a named pipe would hang here for ever.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)
        .map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(unreadable("not a regular file".to_owned()));
    }
    let capacity = metadata.len().min(LARGEST_FILE) as usize + 1;
    let mut bytes = Vec::with_capacity(capacity);
    file.take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(unreadable(
            "larger than 64 KiB: not a configuration file".to_owned(),
        ));
    }
    String::from_utf8(bytes).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: Some(line_of(error.as_bytes(), error.utf8_error().valid_up_to())),
        reason: "not UTF-8 text".to_owned(),
    })
}

/// Empties the lines that are nothing but a comment, of which the shipped file has four times as
/// many as others: to parse them would be half of a check's own time. Every line keeps its number.
pub(crate) fn without_comments(text: String) -> String {
    let mut short = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let comment = line.trim_ascii_start().starts_with('#');
        // In a string of several lines a # is no comment.
        if !comment && (line.contains("\"\"\"") || line.contains("'''")) {
            return text;
        }
        short.push_str(if comment { "\n" } else { line });
    }
    short
}

/// Where values come from: the file's name and text, for error messages.
#[derive(Clone, Copy)]
pub(crate) struct Source<'t> {
    pub path: &'t Path,
    pub text: &'t str,
}

impl<'t> Source<'t> {
    pub(crate) fn parse(self) -> Result<Spanned<DeTable<'t>>, ConfigError> {
        DeTable::parse(self.text).map_err(|error| ConfigError::Syntax {
            path: self.path.to_owned(),
            line: error.span().map(|span| self.line(span.start)),
            reason: format!("not valid TOML: {}", error.message()),
        })
    }

    pub(crate) fn line(self, offset: usize) -> usize {
        line_of(self.text.as_bytes(), offset)
    }
}

fn line_of(text: &[u8], offset: usize) -> usize {
    let before = &text[..offset.min(text.len())];
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// One value of the file and the full name of its key.
#[derive(Clone, Copy)]
pub(crate) struct Field<'t> {
    pub source: Source<'t>,
    pub section: &'static str,
    pub key: &'static str,
    pub value: &'t Spanned<DeValue<'t>>,
}

impl<'t> Field<'t> {
    /// The error for this value; `reason` says what is wrong and what is allowed.
    pub(crate) fn wrong(&self, reason: impl Display) -> ConfigError {
        let key = match self.section {
            "" => self.key.to_owned(),
            section => format!("{section}.{}", self.key),
        };
        ConfigError::Value {
            path: self.source.path.to_owned(),
            line: self.source.line(self.value.span().start),
            key,
            found: self.found(),
            reason: reason.to_string(),
        }
    }

    /// The value as it is written, its first line, not endlessly. What may hold a password or a key
    /// (one given instead of its file, a URL with a login, a command under another name) is not
    /// repeated: errors are journalled.
    fn found(&self) -> String {
        const LONGEST: usize = 60;
        let text = self.source.text.get(self.value.span()).unwrap_or_default();
        if matches!(self.section, "auth" | "commands")
            || self.key.contains("pass")
            || self.key == "key"
            || text.contains('@')
        {
            return "...".to_owned();
        }
        let line = text.lines().next().unwrap_or_default();
        match line.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}...", &line[..end]),
            None if line.len() < text.len() => format!("{line}..."),
            None => line.to_owned(),
        }
    }

    pub(crate) fn string(&self, example: &str) -> Result<&'t str, ConfigError> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text),
            _ => Err(self.wrong(format_args!("not a string; write it as {example}"))),
        }
    }

    pub(crate) fn strings(&self, example: &str) -> Result<Vec<Field<'t>>, ConfigError> {
        let DeValue::Array(items) = self.value.get_ref() else {
            return Err(self.wrong(format_args!("not a list; write it as {example}")));
        };
        Ok(items.iter().map(|value| Field { value, ..*self }).collect())
    }

    pub(crate) fn duration(
        &self,
        allowed: RangeInclusive<Duration>,
    ) -> Result<Duration, ConfigError> {
        let text = match self.value.get_ref() {
            DeValue::Integer(_) | DeValue::Float(_) => {
                return Err(self.wrong("no unit; write it as \"400ms\", \"2s\", \"10m\" or \"1h\""));
            }
            _ => self.string("\"400ms\" or \"2s\"")?,
        };
        if text.trim().parse::<f64>().is_ok() {
            return Err(self.wrong("no unit; write it as \"400ms\", \"2s\", \"10m\" or \"1h\""));
        }
        let duration = match text.is_ascii().then(|| humantime::parse_duration(text)) {
            Some(Ok(duration)) => duration,
            _ => return Err(self.wrong("not a duration; write it as \"400ms\" or \"2s\"")),
        };
        if !allowed.contains(&duration) {
            return Err(self.wrong(format_args!(
                "out of range; allowed is {} to {}",
                humantime::format_duration(*allowed.start()),
                humantime::format_duration(*allowed.end()),
            )));
        }
        Ok(duration)
    }

    pub(crate) fn bytes(&self, allowed: RangeInclusive<u64>) -> Result<u64, ConfigError> {
        const UNITS: &str = "write it as \"512KiB\", \"1MiB\" or \"10MB\"";
        let text = match self.value.get_ref() {
            DeValue::Integer(_) | DeValue::Float(_) => {
                return Err(self.wrong(format_args!("no unit; {UNITS}")));
            }
            _ => self.string("\"1MiB\"")?.trim(),
        };
        if text.parse::<f64>().is_ok() {
            return Err(self.wrong(format_args!("no unit; {UNITS}")));
        }
        let Ok(ByteSize(bytes)) = text.parse() else {
            return Err(self.wrong(format_args!("not a size; {UNITS}")));
        };
        if !allowed.contains(&bytes) {
            return Err(self.wrong(format_args!(
                "out of range; allowed is {} to {}",
                ByteSize(*allowed.start()),
                ByteSize(*allowed.end()),
            )));
        }
        Ok(bytes)
    }

    pub(crate) fn count(&self, allowed: RangeInclusive<usize>) -> Result<usize, ConfigError> {
        let number = match self.value.get_ref() {
            DeValue::Integer(number) => usize::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        number.filter(|n| allowed.contains(n)).ok_or_else(|| {
            let (least, most) = (allowed.start(), allowed.end());
            self.wrong(format_args!("not a whole number from {least} to {most}"))
        })
    }

    pub(crate) fn absolute_path(&self, example: &str) -> Result<PathBuf, ConfigError> {
        let text = self.string(example)?;
        if !text.starts_with('/') || text.contains(char::is_control) {
            // keepalived runs its programs in `/` (K2), a person elsewhere.
            return Err(self.wrong(format_args!("not an absolute path; write it as {example}")));
        }
        Ok(PathBuf::from(text))
    }
}
