//! The settings of one Redis, by `CONFIG GET`, and its `masterauth`.

use std::collections::BTreeMap;

use redis::{Cmd, Value, cmd};

use super::ANSWER;
use crate::deadline::Deadline;
use crate::server::access::Secret;
use crate::server::failure::Failure;
use crate::server::{Server, string};

/// By their newest names; [`settings`] knows the older ones.
const SETTINGS: [(&str, Option<&str>); 21] = [
    ("masterauth", None),
    ("masteruser", None),
    ("repl-backlog-size", None),
    ("repl-diskless-sync", None),
    ("repl-diskless-sync-delay", None),
    ("repl-timeout", None),
    ("appendonly", None),
    ("save", None),
    ("stop-writes-on-bgsave-error", None),
    ("maxclients", None),
    ("bind", None),
    ("min-replicas-to-write", Some("min-slaves-to-write")),
    ("replica-read-only", Some("slave-read-only")),
    ("replica-priority", Some("slave-priority")),
    ("replica-announce-ip", Some("slave-announce-ip")),
    ("tls-replication", None),
    ("requirepass", None),
    ("maxmemory", None),
    ("maxmemory-policy", None),
    ("dir", None),
    ("protected-mode", None),
];

/// What a replica shows to its master.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub user: Option<String>,
    pub password: Option<Secret>,
}

pub(crate) type Settings = Option<BTreeMap<&'static str, String>>;

/// What it says; `None` where that is refused.
pub(crate) fn settings(server: &mut Server) -> Result<(Settings, Option<Credentials>), Failure> {
    let names = SETTINGS.iter().flat_map(|(name, older)| {
        std::iter::once(*name)
            .chain(*older)
            .map(move |asked| (*name, asked))
    });
    let names: Vec<(&'static str, &str)> = names.collect();
    let commands: Vec<Cmd> = names
        .iter()
        .map(|(_, asked)| cmd("CONFIG").arg("GET").arg(*asked).clone())
        .collect();
    let mut found = BTreeMap::new();
    for ((name, _), answer) in names
        .iter()
        .zip(server.batch(&commands, Deadline::after(ANSWER))?)
    {
        match answer {
            Ok(Value::Array(pair)) => {
                let value = pair.into_iter().nth(1).and_then(|value| string(value).ok());
                found.extend(value.map(|value| (*name, value)));
            }
            Ok(_) => {}
            Err(_) => return Ok((None, None)),
        }
    }
    let some = |text: Option<&String>| text.filter(|text| !text.is_empty()).cloned();
    let credentials = Credentials {
        user: some(found.get("masteruser")),
        password: some(found.get("masterauth")).map(Secret::new),
    };
    for secret in ["masterauth", "requirepass"] {
        if let Some(text) = found.get_mut(secret).filter(|text| !text.is_empty()) {
            *text = "set".to_owned();
        }
    }
    Ok((Some(found), Some(credentials)))
}
