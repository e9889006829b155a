//! The keys of the file: which there are, what each may be, what holds where one is absent.

pub(crate) mod places;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::places::{local, nodes, sentinel, tls_files, username, vip};
use super::document::{Field, Source};
use super::file::File;
use super::{
    Config, ConfigError, Flap, Hooks, LOG_DIR, Policy, Rollback, RollbackMode, STATE_DIR, Timing,
};
use crate::server::access::Access;
use crate::server::renamed::{Commands, DISPENSABLE, RENAMABLE};
use crate::server::tls;

/// The instance's name: the stem of the file's name.
pub(crate) fn instance(path: &Path) -> Result<String, ConfigError> {
    match path.file_stem().and_then(|stem| stem.to_str()) {
        // It names a directory below memory.dir.
        Some(stem) if !matches!(stem, "." | "..") => Ok(stem.to_owned()),
        _ => Err(ConfigError::Unreadable {
            path: path.to_owned(),
            reason: "the file's name can't name an instance; call it redis-ha.toml or the like"
                .to_owned(),
        }),
    }
}

/// The files that hold certificates.
pub(crate) struct Files {
    pub redis_tls: Option<tls::Files>,
    /// For TLS to the sentinels.
    pub sentinel_tls: Option<tls::Files>,
}

/// The configuration that `text` holds, all but what stands in other files, and those of TLS.
pub(crate) fn config(
    path: &Path,
    instance: String,
    text: &str,
) -> Result<(Config, Files), ConfigError> {
    let source = Source { path, text };
    let document = source.parse()?;
    let file = File {
        source,
        top: document.get_ref(),
    };
    file.refuse_unknown_keys()?;

    let nodes = nodes(&file)?;
    let vip = vip(&file, &nodes)?;
    let local = local(&file, &nodes)?;
    let password_file = file.optional("auth", "password_file", |field| {
        field.absolute_path("\"/etc/keepalived/redis.pass\"")
    })?;
    let sentinels_password_file = file.optional("sentinel", "password_file", |field| {
        field.absolute_path("\"/etc/keepalived/sentinel.pass\"")
    })?;
    let files = Files {
        redis_tls: tls_files(&file, "tls", ["tls.ca", "tls.cert", "tls.key"])?,
        sentinel_tls: tls_files(
            &file,
            "sentinel.tls",
            ["sentinel.tls.ca", "sentinel.tls.cert", "sentinel.tls.key"],
        )?,
    };
    let memory = file.dir("memory", STATE_DIR)?;
    let config = Config {
        path: path.to_owned(),
        nodes,
        vip,
        local,
        auth: Access {
            username: username(&file, "auth")?,
            commands: commands(&file)?,
            password_file,
            ..Access::default()
        },
        timing: timing(&file)?,
        policy: policy(&file)?,
        flap: flap(&file)?,
        rollback: rollback(&file)?,
        hooks: hooks(&file)?,
        log_dir: file.dir("log", LOG_DIR)?,
        memory_dir: memory.join(&instance),
        instance,
        sentinel: sentinel(&file, sentinels_password_file)?,
    };
    Ok((config, files))
}

fn commands(file: &File<'_>) -> Result<Option<Arc<Commands>>, ConfigError> {
    let mut names: Vec<(&'static str, String)> = Vec::new();
    for command in RENAMABLE {
        let name = file.optional("commands", command, |field| {
            let name = field.string("\"b840fc02\"")?;
            if name.is_empty() && !DISPENSABLE.contains(&command) {
                return Err(
                    field.wrong("no name; the programs can do without client or config alone")
                );
            }
            if name.len() > 100 || name.contains(|c: char| !c.is_ascii_graphic()) {
                return Err(field
                    .wrong("not the name of a command, as rename-command in redis.conf takes it"));
            }
            if names
                .iter()
                .any(|(_, other)| other.eq_ignore_ascii_case(name))
            {
                return Err(field.wrong(match name {
                    "" => "the programs can do without client or config, but not without both",
                    _ => "another command is called so already",
                }));
            }
            Ok(name.to_owned())
        })?;
        names.extend(name.map(|name| (command, name)));
    }
    Ok((!names.is_empty()).then(|| Arc::new(Commands::new(names))))
}

/// A user without a password would be silently left out of AUTH.
pub(crate) fn check_login(config: &Config) -> Result<(), ConfigError> {
    let missing = |key, hint| {
        Err(ConfigError::Missing {
            path: config.path.clone(),
            key,
            hint,
        })
    };
    let lacks = |auth: &Access| auth.username.is_some() && auth.password.is_none();
    if lacks(&config.auth) {
        return missing(
            "auth.password_file",
            "auth.username needs it, or REDISCLI_AUTH in the environment",
        );
    }
    if config
        .sentinel
        .as_ref()
        .is_some_and(|sentinel| lacks(&sentinel.auth))
    {
        return missing("sentinel.password_file", "sentinel.username needs it");
    }
    Ok(())
}

fn timing(file: &File<'_>) -> Result<Timing, ConfigError> {
    const MS: Duration = Duration::from_millis(1);
    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3600);
    let default = Timing::default();
    let duration = |key, default, allowed| {
        let read = |field: &Field<'_>| field.duration(allowed);
        Ok(file.optional("timing", key, read)?.unwrap_or(default))
    };
    Ok(Timing {
        // keepalived's own timeout is a whole second (K14): the check must have answered by then.
        check: duration("check", default.check, 50 * MS..=900 * MS)?,
        connect: duration("connect", default.connect, 10 * MS..=10 * SECOND)?,
        command: duration("command", default.command, 10 * MS..=10 * SECOND)?,
        delay: duration("delay", default.delay, Duration::ZERO..=5 * MINUTE)?,
        sync: duration("sync", default.sync, SECOND..=12 * HOUR)?,
        alone_after: duration("alone_after", default.alone_after, SECOND..=HOUR)?,
        hang: duration("hang", default.hang, 50 * MS..=MINUTE)?,
    })
}

fn policy(file: &File<'_>) -> Result<Policy, ConfigError> {
    // An offset moves without writes (R5): nobody is ever within a few bytes.
    let max_lag = file.optional("policy", "max_lag", |field| field.bytes(1 << 10..=1 << 30))?;
    let term_key = file.optional("policy", "term_key", |field| {
        let key = field.string("\"keepalived-redis:term\"")?;
        if key.is_empty()
            || key.len() > 100
            || key.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            return Err(field.wrong("not the name of a key, such as \"keepalived-redis:term\""));
        }
        Ok(key.to_owned())
    })?;
    let outdated_after = file.optional("policy", "outdated", |field| {
        match field.string("\"hold\" or a time, such as \"10m\"")? {
            "hold" => Ok(None),
            _ => field
                .duration(Duration::from_secs(60)..=Duration::from_secs(30 * 86_400))
                .map(Some),
        }
    })?;
    Ok(Policy {
        outdated_after: outdated_after.flatten(),
        max_lag: max_lag.unwrap_or(Policy::default().max_lag),
        term_key,
    })
}

fn hooks(file: &File<'_>) -> Result<Hooks, ConfigError> {
    const EXAMPLE: &str = "\"/usr/local/sbin/tell-me --by mail\"";
    let on_transition = file.optional("hooks", "on_transition", |field| {
        let text = field.string(EXAMPLE)?;
        let words = shell_words::split(text).map_err(|_| field.wrong("a quote is not closed"))?;
        match words.first() {
            Some(program) if program.starts_with('/') && !text.contains(char::is_control) => {
                Ok(words)
            }
            // No shell, and no PATH that keepalived would hand down.
            _ => Err(field.wrong(format_args!(
                "not the absolute path of a program, and its arguments; write it as {EXAMPLE}"
            ))),
        }
    })?;
    const SECOND: Duration = Duration::from_secs(1);
    let timeout = file.optional("hooks", "timeout", |field| {
        field.duration(SECOND..=600 * SECOND)
    })?;
    let default = Hooks::default();
    Ok(Hooks {
        on_transition: on_transition.unwrap_or(default.on_transition),
        timeout: timeout.unwrap_or(default.timeout),
    })
}

fn flap(file: &File<'_>) -> Result<Flap, ConfigError> {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let default = Flap::default();
    let duration = |key, default, least| {
        let read = |field: &Field<'_>| field.duration(least..=DAY);
        Ok(file.optional("flap", key, read)?.unwrap_or(default))
    };
    Ok(Flap {
        count: file
            .optional("flap", "count", |field| field.count(2..=1000))?
            .unwrap_or(default.count),
        window: duration("window", default.window, Duration::from_secs(1))?,
        hold: duration("hold", default.hold, Duration::ZERO)?,
    })
}

fn rollback(file: &File<'_>) -> Result<Rollback, ConfigError> {
    let default = Rollback::default();
    let mode = file.optional("rollback", "mode", |field| {
        match field.string("\"auto\", \"always\" or \"never\"")? {
            "auto" => Ok(RollbackMode::Auto),
            "always" => Ok(RollbackMode::Always),
            "never" => Ok(RollbackMode::Never),
            _ => Err(field.wrong("not \"auto\", \"always\" or \"never\"")),
        }
    })?;
    let keep = file.optional("rollback", "keep", |field| field.count(1..=1000))?;
    let days = file.optional("rollback", "days", |field| field.count(1..=3650))?;
    let dir = file.optional("rollback", "dir", |field| {
        field.absolute_path("\"/var/lib/keepalived-redis/rollback\"")
    })?;
    Ok(Rollback {
        mode: mode.unwrap_or(default.mode),
        dir: dir.unwrap_or(default.dir),
        keep: keep.unwrap_or(default.keep),
        days: days.unwrap_or(default.days),
    })
}
