//! The names of commands that somebody renamed in redis.conf (`rename-command`). Pure.
//!
//! The programs know each by its own name; the one place that writes them to a Redis translates.
//! Sentinels know no other names. AUTH is not among them: who renames that keeps out every replica,
//! too.

use redis::{Arg, Cmd};

/// Those that the programs send and that people rename, as keys of `[commands]`.
pub const RENAMABLE: [&str; 8] = [
    "slaveof", "config", "client", "info", "ping", "sync", "function", "fcall_ro",
];

/// Those that the programs can do without.
pub(crate) const DISPENSABLE: [&str; 2] = ["config", "client"];

/// What Redis says of a command that it does not have (R39).
const UNKNOWN: &str = "unknown command";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commands(Vec<(&'static str, String)>);

impl Commands {
    /// One of [`RENAMABLE`] each, and what it is called; one of [`DISPENSABLE`] that is disabled
    /// has an empty name.
    pub fn new(names: Vec<(&'static str, String)>) -> Commands {
        Commands(names)
    }

    /// What `word` is called.
    fn name(&self, word: &[u8]) -> Option<&str> {
        let known = self
            .0
            .iter()
            .find(|(command, _)| command.as_bytes().eq_ignore_ascii_case(word));
        known
            .map(|(_, name)| name.as_str())
            .filter(|name| !name.is_empty())
    }

    /// It is disabled, and not to be sent.
    pub(crate) fn lacks(&self, command: &str) -> bool {
        self.0
            .iter()
            .any(|(known, name)| *known == command && name.is_empty())
    }

    /// The command with its first word as this Redis knows it.
    pub fn translate(&self, command: &Cmd) -> Cmd {
        let mut translated = Cmd::new();
        for (index, arg) in command.args_iter().enumerate() {
            // None of ours has a cursor.
            let Arg::Simple(word) = arg else {
                return command.clone();
            };
            match self.name(word).filter(|_| index == 0) {
                Some(name) => translated.arg(name),
                None => translated.arg(word),
            };
        }
        translated
    }
}

/// A sentence for a person, in the place of what a Redis says (without the `ERR`) of a command that
/// it does not have. What a renamed command is called is not repeated: to some it is a password.
pub(crate) fn explain(names: Option<&Commands>, said: &str) -> Option<String> {
    let rest = said.strip_prefix(UNKNOWN)?.trim_start();
    // In quotes, of which the kind differs between versions.
    let quote = rest.chars().next().filter(|c| "'`\"".contains(*c))?;
    let word = rest.get(1..)?.split(quote).next()?;
    if let Some((command, _)) = names.and_then(|names| {
        names
            .0
            .iter()
            .find(|(_, name)| name.eq_ignore_ascii_case(word))
    }) {
        let command = command.to_uppercase();
        return Some(format!(
            "{UNKNOWN}: what [commands] of redis-ha.toml names for {command}; is it called so on \
             that node, too?"
        ));
    }
    let command = RENAMABLE
        .iter()
        .find(|command| command.eq_ignore_ascii_case(word))?;
    let disabled = if DISPENSABLE.contains(command) {
        ", or disabled"
    } else {
        ""
    };
    let word = word.to_uppercase();
    Some(format!(
        "{UNKNOWN} {word}: is it renamed there{disabled}? name it in [commands] of redis-ha.toml"
    ))
}

/// Does an error reply (without the `ERR`) say that there is no such command?
pub(crate) fn is_missing(said: &str) -> bool {
    said.starts_with(UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::cmd;

    fn names() -> Commands {
        Commands::new(vec![
            ("slaveof", "b840fc02".to_owned()),
            ("config", "CONFIG-of-ops".to_owned()),
        ])
    }

    #[test]
    fn the_first_word_is_translated_and_nothing_else() {
        for (command, expected) in [
            (
                cmd("SLAVEOF").arg("NO").arg("ONE").clone(),
                "b840fc02 NO ONE",
            ),
            (
                cmd("slaveof").arg("config").arg(1).clone(),
                "b840fc02 config 1",
            ),
            (
                cmd("CONFIG").arg("SET").arg("slaveof").arg("").clone(),
                "CONFIG-of-ops SET slaveof ",
            ),
            (cmd("CLIENT").arg("PAUSE").arg(5).clone(), "CLIENT PAUSE 5"),
            (cmd("PING"), "PING"),
        ] {
            let words = |arg| match arg {
                Arg::Simple(word) => String::from_utf8_lossy(word).into_owned(),
                _ => "?".to_owned(),
            };
            let translated = names().translate(&command);
            assert_eq!(
                translated
                    .args_iter()
                    .map(words)
                    .collect::<Vec<_>>()
                    .join(" "),
                expected
            );
        }
    }

    #[test]
    fn what_a_redis_does_not_know_is_explained_and_no_name_is_given_away() {
        let unnamed =
            "unknown command SLAVEOF: is it renamed there? name it in [commands] of redis-ha.toml";
        let dispensable = "unknown command CLIENT: is it renamed there, or disabled? name it in \
            [commands] of redis-ha.toml";
        let named = "unknown command: what [commands] of redis-ha.toml names for SLAVEOF; is it \
            called so on that node, too?";
        for (said, names, expected) in [
            (
                "unknown command 'SLAVEOF', with args beginning with: 'NO' 'ONE' ",
                None,
                Some(unnamed),
            ),
            (
                "unknown command `SLAVEOF`, with args beginning with: `NO`, `ONE`, ",
                None,
                Some(unnamed),
            ),
            ("unknown command 'slaveof'", None, Some(unnamed)),
            (
                "unknown command 'CLIENT', with args beginning with: 'PAUSE' ",
                None,
                Some(dispensable),
            ),
            ("unknown command 'b840fc02'", Some(names()), Some(named)),
            ("unknown command 'GET'", Some(names()), None),
            ("unknown command", None, None),
            ("unknown command '", None, None),
            ("unknown command x", None, None),
            (
                "wrong number of arguments for 'slaveof' command",
                None,
                None,
            ),
        ] {
            assert_eq!(explain(names.as_ref(), said).as_deref(), expected, "{said}");
        }
    }
}
