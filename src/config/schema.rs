//! The keys of the file: which there are, what each may be, what holds where one is absent.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::{Field, Source};
use super::file::File;
use super::{
    Auth, Config, ConfigError, Flap, LOG_DIR, Policy, Rollback, RollbackMode, STATE_DIR, Sentinel, SilentSentinels,
    Timing,
};
use crate::endpoint::Endpoint;
use crate::tls;

/// Every section and its keys; the first is what stands before any section. A dot is a section within another.
pub(super) const SECTIONS: &[(&str, &[&str])] = &[
    ("", &["nodes", "vip", "local"]),
    ("auth", &["username", "password_file"]),
    ("tls", &["ca", "cert", "key", "server_name"]),
    ("timing", &["check", "connect", "command", "delay", "sync", "alone_after", "hang"]),
    ("policy", &["max_lag", "term_key"]),
    ("flap", &["count", "window", "hold"]),
    ("rollback", &["mode", "dir", "keep"]),
    ("log", &["dir"]),
    ("memory", &["dir"]),
    ("sentinel", &["master_name", "nodes", "quorum", "when_sentinels_silent", "username", "password_file"]),
    ("sentinel.tls", &["ca", "cert", "key", "server_name"]),
];

/// The instance's name: the stem of the file's name.
pub(super) fn instance(path: &Path) -> Result<String, ConfigError> {
    match path.file_stem().and_then(|stem| stem.to_str()) {
        // It names a directory below memory.dir.
        Some(stem) if !matches!(stem, "." | "..") => Ok(stem.to_owned()),
        _ => Err(ConfigError::Unreadable {
            path: path.to_owned(),
            reason: "the file's name can't name an instance; call it redis-ha.toml or the like".to_owned(),
        }),
    }
}

/// The files that hold passwords and certificates.
pub(super) struct Files {
    /// The password of Redis.
    pub redis: Option<PathBuf>,
    /// That of the sentinels.
    pub sentinel: Option<PathBuf>,
    /// For TLS to Redis.
    pub redis_tls: Option<tls::Files>,
    /// For TLS to the sentinels.
    pub sentinel_tls: Option<tls::Files>,
}

/// The configuration that `text` holds, all but what stands in other files, and those.
pub(super) fn config(path: &Path, instance: String, text: &str) -> Result<(Config, Files), ConfigError> {
    let source = Source { path, text };
    let document = source.parse()?;
    let file = File { source, top: document.get_ref() };
    file.refuse_unknown_keys()?;

    let nodes = nodes(&file)?;
    let vip = vip(&file, &nodes)?;
    let local = local(&file, &nodes)?;
    let files = Files {
        redis: file.optional("auth", "password_file", |field| field.absolute_path("\"/etc/keepalived/redis.pass\""))?,
        sentinel: file
            .optional("sentinel", "password_file", |field| field.absolute_path("\"/etc/keepalived/sentinel.pass\""))?,
        redis_tls: tls_files(&file, "tls", ["tls.ca", "tls.cert", "tls.key"])?,
        sentinel_tls: tls_files(&file, "sentinel.tls", ["sentinel.tls.ca", "sentinel.tls.cert", "sentinel.tls.key"])?,
    };
    let memory = file.dir("memory", STATE_DIR)?;
    let config = Config {
        path: path.to_owned(),
        nodes,
        vip,
        local,
        auth: Auth { username: username(&file, "auth")?, ..Auth::default() },
        timing: timing(&file)?,
        policy: policy(&file)?,
        flap: flap(&file)?,
        rollback: rollback(&file)?,
        log_dir: file.dir("log", LOG_DIR)?,
        memory_dir: memory.join(&instance),
        instance,
        sentinel: sentinel(&file)?,
    };
    Ok((config, files))
}

/// A user without a password would be silently left out of AUTH.
pub(super) fn check_login(config: &Config) -> Result<(), ConfigError> {
    let missing = |key, hint| Err(ConfigError::Missing { path: config.path.clone(), key, hint });
    let lacks = |auth: &Auth| auth.username.is_some() && auth.password.is_none();
    if lacks(&config.auth) {
        return missing("auth.password_file", "auth.username needs it, or REDISCLI_AUTH in the environment");
    }
    if config.sentinel.as_ref().is_some_and(|sentinel| lacks(&sentinel.auth)) {
        return missing("sentinel.password_file", "sentinel.username needs it");
    }
    Ok(())
}

fn username(file: &File<'_>, section: &'static str) -> Result<Option<String>, ConfigError> {
    file.optional(section, "username", |field| {
        let name = field.string("\"ha\"")?;
        // Redis takes no such name either.
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(field.wrong("not a user's name; leave it out for the default user"));
        }
        Ok(name.to_owned())
    })
}

fn tls_files(
    file: &File<'_>,
    section: &'static str,
    [ca_key, cert_key, key_key]: [&'static str; 3],
) -> Result<Option<tls::Files>, ConfigError> {
    if !file.has(section) {
        return Ok(None);
    }
    let path = |key, example| file.optional(section, key, |field: &Field<'_>| field.absolute_path(example));
    let ca = path("ca", "\"/etc/keepalived/ca.crt\"")?;
    let ca = ca.ok_or_else(|| {
        file.missing(ca_key, "write ca = \"/etc/keepalived/ca.crt\" with those who sign the servers' certificates")
    })?;
    let cert = path("cert", "\"/etc/keepalived/client.crt\"")?;
    let client = match (cert, path("key", "\"/etc/keepalived/client.key\"")?) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        (Some(_), None) => return Err(file.missing(key_key, "cert needs it: the certificate's private key")),
        (None, Some(_)) => return Err(file.missing(cert_key, "key needs it: the key's certificate")),
    };
    let server_name = file.optional(section, "server_name", |field| {
        let name = field.string("\"redis.example.org\"")?;
        if !tls::is_name(name) {
            return Err(field.wrong("not a name that a certificate can hold, such as \"redis.example.org\""));
        }
        Ok(name.to_owned())
    })?;
    Ok(Some(tls::Files { ca, client, server_name }))
}

fn sentinel(file: &File<'_>) -> Result<Option<Sentinel>, ConfigError> {
    const EXAMPLE: &str = r#"["192.168.158.11:26379", "192.168.158.12:26379", "192.168.158.14:26379"]"#;
    if !file.top.contains_key("sentinel") {
        return Ok(None);
    }
    let master_name = file.optional("sentinel", "master_name", |field| {
        let name = field.string("\"mymaster\"")?;
        // What sentinel.conf takes.
        if name.is_empty() || name.contains(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c)) {
            return Err(field.wrong("not the name of a master: letters, digits, \".\", \"-\" and \"_\""));
        }
        Ok(name.to_owned())
    })?;
    let master_name = master_name.ok_or_else(|| {
        file.missing("sentinel.master_name", "write master_name = \"mymaster\", as sentinel.conf calls it")
    })?;
    let field = file.field("sentinel", "nodes").ok_or_else(|| {
        file.missing("sentinel.nodes", r#"write nodes = ["192.168.158.11:26379", ...] with your sentinels"#)
    })?;
    let nodes = distinct_nodes(&field, EXAMPLE)?;
    if nodes.is_empty() {
        return Err(field.wrong(format_args!("no sentinel; write it as {EXAMPLE}")));
    }
    let quorum = file.optional("sentinel", "quorum", |field| field.count(1..=nodes.len()))?;
    let when_silent =
        file.optional("sentinel", "when_sentinels_silent", |field| match field.string("\"hold\" or \"release\"")? {
            "hold" => Ok(SilentSentinels::Hold),
            "release" => Ok(SilentSentinels::Release),
            _ => Err(field.wrong("not \"hold\" or \"release\"")),
        })?;
    Ok(Some(Sentinel {
        master_name,
        quorum: quorum.unwrap_or(nodes.len() / 2 + 1),
        nodes,
        when_silent: when_silent.unwrap_or(SilentSentinels::Hold),
        auth: Auth { username: username(file, "sentinel")?, ..Auth::default() },
    }))
}

fn nodes(file: &File<'_>) -> Result<Vec<SocketAddr>, ConfigError> {
    const EXAMPLE: &str = r#"["192.168.158.11:6379", "192.168.158.12:6379"]"#;
    let Some(field) = file.field("", "nodes") else {
        return Err(
            file.missing("nodes", r#"write nodes = ["192.168.158.11:6379", "192.168.158.12:6379"] with your servers"#)
        );
    };
    let nodes = distinct_nodes(&field, EXAMPLE)?;
    if nodes.len() < 2 {
        return Err(field.wrong(format_args!("fewer than two nodes; write it as {EXAMPLE}")));
    }
    Ok(nodes)
}

fn distinct_nodes(field: &Field<'_>, example: &str) -> Result<Vec<SocketAddr>, ConfigError> {
    let mut nodes = Vec::new();
    for item in field.strings(example)? {
        let node = node(&item)?;
        if nodes.contains(&node) {
            return Err(item.wrong("named twice; each node once"));
        }
        nodes.push(node);
    }
    Ok(nodes)
}

fn node(field: &Field<'_>) -> Result<SocketAddr, ConfigError> {
    let text = field.string(r#""192.168.158.11:6379" or "[::1]:6379""#)?;
    let node: SocketAddr = text.parse().map_err(|_| match text.parse::<IpAddr>() {
        Ok(ip) => field.wrong(format_args!(
            "no port; write it as \"{}\"",
            SocketAddr::new(ip, 6379)
        )),
        Err(_) => field.wrong(
            "not IP:port such as \"192.168.158.11:6379\" or \"[::1]:6379\"; a host name is not allowed, because a failover can't wait for its lookup",
        ),
    })?;
    // ::ffff:192.0.2.1 is the same server as 192.0.2.1.
    let node = match node {
        SocketAddr::V6(v6) if v6.ip().to_ipv4_mapped().is_some() => {
            SocketAddr::new(node.ip().to_canonical(), node.port())
        }
        node => node,
    };
    if node.port() == 0 {
        return Err(field.wrong("port 0; write the port that it listens on, such as 6379"));
    }
    if node.ip().is_unspecified() || node.ip().is_multicast() {
        return Err(field.wrong("not the address of one server; write the node's own address"));
    }
    Ok(node)
}

fn vip(file: &File<'_>, nodes: &[SocketAddr]) -> Result<IpAddr, ConfigError> {
    let Some(field) = file.field("", "vip") else {
        return Err(file.missing("vip", r#"write vip = "192.168.158.13" with keepalived's virtual address"#));
    };
    let text = field.string("\"192.168.158.13\"")?;
    let vip: IpAddr = text.parse().map_err(|_| {
        field.wrong("not an IP address such as \"192.168.158.13\", without port, prefix length or name")
    })?;
    let vip = vip.to_canonical();
    if vip.is_unspecified() || vip.is_multicast() || vip.is_loopback() {
        return Err(field.wrong("not an address that keepalived could move between hosts"));
    }
    if nodes.iter().any(|node| node.ip() == vip) {
        return Err(field.wrong("also the address of a node; the virtual address is one of its own"));
    }
    Ok(vip)
}

fn local(file: &File<'_>, nodes: &[SocketAddr]) -> Result<Option<Endpoint>, ConfigError> {
    file.optional("", "local", |field| {
        let text = field.string("\"192.168.158.11:6379\" or \"unix:/run/redis.sock\"")?;
        if let Some(socket) = text.strip_prefix("unix:") {
            if socket.len() < 2 || !socket.starts_with('/') || socket.contains(char::is_control) {
                return Err(field.wrong("not \"unix:\" and an absolute path; write it as \"unix:/run/redis.sock\""));
            }
            return Ok(Endpoint::Unix(PathBuf::from(socket)));
        }
        match node(field) {
            Ok(local) if nodes.contains(&local) => Ok(Endpoint::Tcp(local)),
            _ => {
                let nodes: Vec<String> = nodes.iter().map(|node| format!("\"{node}\"")).collect();
                let nodes = nodes.join(", ");
                Err(field.wrong(format_args!("not one of nodes ({nodes}), nor \"unix:/run/redis.sock\"")))
            }
        }
    })
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
        if key.is_empty() || key.len() > 100 || key.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(field.wrong("not the name of a key, such as \"keepalived-redis:term\""));
        }
        Ok(key.to_owned())
    })?;
    Ok(Policy { max_lag: max_lag.unwrap_or(Policy::default().max_lag), term_key })
}

fn flap(file: &File<'_>) -> Result<Flap, ConfigError> {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let default = Flap::default();
    let duration = |key, default, least| {
        let read = |field: &Field<'_>| field.duration(least..=DAY);
        Ok(file.optional("flap", key, read)?.unwrap_or(default))
    };
    Ok(Flap {
        count: file.optional("flap", "count", |field| field.count(2..=1000))?.unwrap_or(default.count),
        window: duration("window", default.window, Duration::from_secs(1))?,
        hold: duration("hold", default.hold, Duration::ZERO)?,
    })
}

fn rollback(file: &File<'_>) -> Result<Rollback, ConfigError> {
    let default = Rollback::default();
    let mode =
        file.optional("rollback", "mode", |field| match field.string("\"auto\", \"always\" or \"never\"")? {
            "auto" => Ok(RollbackMode::Auto),
            "always" => Ok(RollbackMode::Always),
            "never" => Ok(RollbackMode::Never),
            _ => Err(field.wrong("not \"auto\", \"always\" or \"never\"")),
        })?;
    let keep = file.optional("rollback", "keep", |field| field.count(1..=1000))?;
    let dir =
        file.optional("rollback", "dir", |field| field.absolute_path("\"/var/lib/keepalived-redis/rollback\""))?;
    Ok(Rollback {
        mode: mode.unwrap_or(default.mode),
        dir: dir.unwrap_or(default.dir),
        keep: keep.unwrap_or(default.keep),
    })
}
