//! The parsed file: finding a key, and refusing those that mean nothing.

use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::ConfigError;
use super::document::{Field, Source};
use super::keys::{hint, keys, within};

pub(crate) struct File<'t> {
    pub source: Source<'t>,
    pub top: &'t DeTable<'t>,
}

impl<'t> File<'t> {
    fn table(&self, section: &str) -> Option<&'t DeTable<'t>> {
        let names = section.split('.').filter(|name| !name.is_empty());
        names.into_iter().try_fold(self.top, |table, name| {
            table.get(name)?.get_ref().as_table()
        })
    }

    pub(crate) fn has(&self, section: &str) -> bool {
        self.table(section).is_some()
    }

    pub(crate) fn field(&self, section: &'static str, key: &'static str) -> Option<Field<'t>> {
        self.table(section)?.get(key).map(|value| Field {
            source: self.source,
            section,
            key,
            value,
        })
    }

    /// The value of a key that may be absent, as `read` takes it.
    pub(crate) fn optional<T>(
        &self,
        section: &'static str,
        key: &'static str,
        read: impl FnOnce(&Field<'t>) -> Result<T, ConfigError>,
    ) -> Result<Option<T>, ConfigError> {
        self.field(section, key)
            .map(|field| read(&field))
            .transpose()
    }

    /// The directory that `<section>.dir` names.
    pub(crate) fn dir(&self, section: &'static str, default: &str) -> Result<PathBuf, ConfigError> {
        let example = format!("\"{default}\"");
        let dir = self.optional(section, "dir", |field| field.absolute_path(&example))?;
        Ok(dir.unwrap_or_else(|| PathBuf::from(default)))
    }

    pub(crate) fn missing(&self, key: &'static str, hint: &'static str) -> ConfigError {
        ConfigError::Missing {
            path: self.source.path.to_owned(),
            key,
            hint,
        }
    }

    /// Refuses what is not in [`SECTIONS`], the first such key of the text.
    pub(crate) fn refuse_unknown_keys(&self) -> Result<(), ConfigError> {
        let mut unknown = Vec::new();
        let mut tables = vec![("", self.top)];
        while let Some((section, table)) = tables.pop() {
            for (name, value) in table {
                match (within(section, name.get_ref()), value.get_ref()) {
                    (Some((inner, _)), DeValue::Table(table)) => tables.push((inner, table)),
                    (Some((inner, key)), _) => {
                        let field = Field {
                            source: self.source,
                            section,
                            key,
                            value,
                        };
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
