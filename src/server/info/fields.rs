//! How one field of INFO is parsed.

use super::{Make, Version, short};

/// The lines of INFO. Of about a hundred some twenty are looked up, once each: a table would cost
/// more than it saves.
pub(super) struct Fields<'t>(Vec<(&'t str, &'t str)>);

impl<'t> Fields<'t> {
    pub(super) fn get(&self, name: &str) -> Option<&'t str> {
        self.0
            .iter()
            .rev()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    }
}

pub(super) fn fields(text: &str) -> Fields<'_> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    Fields(
        lines
            .map(|(name, value)| (name.trim_ascii(), value.trim_ascii()))
            .collect(),
    )
}

pub(super) fn number<T: std::str::FromStr>(
    fields: &Fields<'_>,
    name: &str,
) -> Result<Option<T>, String> {
    match fields.get(name) {
        None => Ok(None),
        Some(value) => match value.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(format!(
                "{name}:{} in INFO is not a number in its range",
                short(value)
            )),
        },
    }
}

pub(super) fn hex_id(fields: &Fields<'_>, name: &str) -> Result<Option<String>, String> {
    match fields.get(name) {
        None => Ok(None),
        Some(id) if id.len() == 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Ok(Some(id.to_string()))
        }
        // What a copy by SYNC leaves, which a replica falls back to (R41).
        Some("") => Err(format!(
            "{name} in INFO is empty: its master refuses PSYNC, so see that the user named by \
             masteruser has +psync there"
        )),
        Some(id) => Err(format!(
            "{name}:{} in INFO is not an id of 40 hex digits",
            short(id)
        )),
    }
}

pub(super) fn make(fields: &Fields<'_>) -> Make {
    match fields.get("valkey_version") {
        Some(_) => Make::Valkey(version(fields, "valkey_version")),
        None => Make::Redis,
    }
}

pub(super) fn version(fields: &Fields<'_>, name: &str) -> Version {
    let mut parts = fields
        .get(name)
        .unwrap_or("")
        .split('.')
        .map(|part| part.parse().unwrap_or(0));
    let mut part = || parts.next().unwrap_or(0);
    Version(part(), part(), part())
}

/// How many keys all databases have together.
pub(super) fn keys(fields: &Fields<'_>) -> u64 {
    fields
        .0
        .iter()
        .filter(|(name, _)| {
            name.strip_prefix("db")
                .is_some_and(|n| n.parse::<u32>().is_ok())
        })
        .filter_map(|(_, value)| value.split(',').find_map(|part| part.strip_prefix("keys=")))
        .filter_map(|keys| keys.parse::<u64>().ok())
        .fold(0, u64::saturating_add)
}
