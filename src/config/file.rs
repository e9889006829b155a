//! The parsed file: finding a key, and refusing those that mean nothing.

use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::ConfigError;
use super::document::{Field, Source};
use super::schema::SECTIONS;

/// The parsed file.
pub(crate) struct File<'t> {
    pub source: Source<'t>,
    pub top: &'t DeTable<'t>,
}

impl<'t> File<'t> {
    fn table(&self, section: &str) -> Option<&'t DeTable<'t>> {
        let names = section.split('.').filter(|name| !name.is_empty());
        names.into_iter().try_fold(self.top, |table, name| table.get(name)?.get_ref().as_table())
    }

    pub fn has(&self, section: &str) -> bool {
        self.table(section).is_some()
    }

    pub fn field(&self, section: &'static str, key: &'static str) -> Option<Field<'t>> {
        self.table(section)?.get(key).map(|value| Field { source: self.source, section, key, value })
    }

    /// The value of a key that may be absent, as `read` takes it.
    pub fn optional<T>(
        &self,
        section: &'static str,
        key: &'static str,
        read: impl FnOnce(&Field<'t>) -> Result<T, ConfigError>,
    ) -> Result<Option<T>, ConfigError> {
        self.field(section, key).map(|field| read(&field)).transpose()
    }

    /// The directory that `<section>.dir` names.
    pub fn dir(&self, section: &'static str, default: &str) -> Result<PathBuf, ConfigError> {
        let example = format!("\"{default}\"");
        let dir = self.optional(section, "dir", |field| field.absolute_path(&example))?;
        Ok(dir.unwrap_or_else(|| PathBuf::from(default)))
    }

    pub fn missing(&self, key: &'static str, hint: &'static str) -> ConfigError {
        ConfigError::Missing { path: self.source.path.to_owned(), key, hint }
    }

    /// Refuses what is not in [`SECTIONS`], the first such key of the text.
    pub fn refuse_unknown_keys(&self) -> Result<(), ConfigError> {
        let mut unknown = Vec::new();
        let mut tables = vec![("", self.top)];
        while let Some((section, table)) = tables.pop() {
            for (name, value) in table {
                match (within(section, name.get_ref()), value.get_ref()) {
                    (Some((inner, _)), DeValue::Table(table)) => tables.push((inner, table)),
                    (Some((inner, key)), _) => {
                        let field = Field { source: self.source, section, key, value };
                        return Err(field.wrong(format_args!(
                            "not a section; write [{inner}] on a line of its own and its keys below"
                        )));
                    }
                    (None, _) if keys(section).contains(&name.get_ref().as_ref()) => {}
                    (None, _) => unknown.push((section, name)),
                }
            }
        }
        let first = unknown.into_iter().min_by_key(|(_, key)| key.span().start);
        first.map_or(Ok(()), |(section, key)| Err(self.unknown(section, key)))
    }

    fn unknown(&self, section: &str, key: &Spanned<DeString<'t>>) -> ConfigError {
        let name = key.get_ref();
        ConfigError::UnknownKey {
            path: self.source.path.to_owned(),
            line: self.source.line(key.span().start),
            key: match section {
                "" => name.to_string(),
                section => format!("{section}.{name}"),
            },
            hint: hint(section, name),
        }
    }
}

fn keys(section: &str) -> &'static [&'static str] {
    SECTIONS.iter().find(|(known, _)| *known == section).map_or(&[], |(_, keys)| keys)
}

/// The section called `name` within `section`: its full name, and the last part of that.
fn within(section: &str, name: &str) -> Option<(&'static str, &'static str)> {
    SECTIONS[1..]
        .iter()
        .map(|(full, _)| (*full, full.rsplit_once('.').unwrap_or(("", full))))
        .find_map(|(full, (outer, inner))| (outer == section && inner == name).then_some((full, inner)))
}

/// What may have been meant, and what is allowed.
fn hint(section: &str, name: &str) -> String {
    if matches!(section, "auth" | "sentinel") && name.contains("pass") {
        return format!("the password stands in a file of mode 0600, named by {section}.password_file");
    }
    let mut allowed: Vec<String> = keys(section).iter().map(|key| (*key).to_owned()).collect();
    let inner = SECTIONS[1..].iter().filter(|(full, _)| {
        within(section, full.rsplit('.').next().unwrap_or(full)).is_some_and(|(found, _)| found == *full)
    });
    allowed.extend(inner.map(|(full, _)| format!("[{full}]")));
    let meant = elsewhere(section, name).or_else(|| {
        let far = |key: &String| distance(key.trim_matches(['[', ']']), name);
        let (nearest, letters) = allowed.iter().map(|key| (key, far(key))).min_by_key(|(_, far)| *far)?;
        // Where half of the letters differ it is another word.
        (letters <= 2 && letters * 2 < name.len()).then(|| format!("did you mean {nearest}? "))
    });
    format!("{}allowed here: {}", meant.unwrap_or_default(), allowed.join(", "))
}

/// A key in the wrong section, the commonest slip of TOML: a line moved below a `[section]`.
fn elsewhere(section: &str, name: &str) -> Option<String> {
    let holds = |(other, keys): &&(&str, &[&str])| *other != section && keys.contains(&name);
    let mut homes = SECTIONS.iter().filter(holds);
    match (homes.next()?, homes.next()) {
        (("", _), _) => Some(format!("{name} stands at the top, before any [section]; ")),
        ((home, _), None) => Some(format!("{name} belongs into [{home}]; ")),
        _ => None,
    }
}

/// How many letters differ (Levenshtein). Long names are not worth the time.
fn distance(a: &str, b: &str) -> usize {
    if b.len() > 32 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.chars().enumerate() {
            let cost = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}
