//! Who is where: the nodes, the virtual address, the sentinels, and how to reach them.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::config::document::Field;
use crate::config::file::File;
use crate::config::{ConfigError, Sentinel, SilentSentinels};
use crate::server::access::Access;
use crate::server::endpoint::Endpoint;
use crate::server::tls;

pub(crate) fn username(
    file: &File<'_>,
    section: &'static str,
) -> Result<Option<String>, ConfigError> {
    file.optional(section, "username", |field| {
        let name = field.string("\"ha\"")?;
        // Redis takes no such name either.
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(field.wrong("not a user's name; leave it out for the default user"));
        }
        Ok(name.to_owned())
    })
}

pub(crate) fn tls_files(
    file: &File<'_>,
    section: &'static str,
    [ca_key, cert_key, key_key]: [&'static str; 3],
) -> Result<Option<tls::Files>, ConfigError> {
    if !file.has(section) {
        return Ok(None);
    }
    let path = |key, example| {
        file.optional(section, key, |field: &Field<'_>| {
            field.absolute_path(example)
        })
    };
    let ca = path("ca", "\"/etc/keepalived/ca.crt\"")?;
    let ca = ca.ok_or_else(|| {
        file.missing(
            ca_key,
            "write ca = \"/etc/keepalived/ca.crt\" with those who sign the servers' certificates",
        )
    })?;
    let cert = path("cert", "\"/etc/keepalived/client.crt\"")?;
    let client = match (cert, path("key", "\"/etc/keepalived/client.key\"")?) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        (Some(_), None) => {
            return Err(file.missing(key_key, "cert needs it: the certificate's private key"));
        }
        (None, Some(_)) => {
            return Err(file.missing(cert_key, "key needs it: the key's certificate"));
        }
    };
    let server_name = file.optional(section, "server_name", |field| {
        let name = field.string("\"redis.example.org\"")?;
        if !tls::is_name(name) {
            return Err(field
                .wrong("not a name that a certificate can hold, such as \"redis.example.org\""));
        }
        Ok(name.to_owned())
    })?;
    Ok(Some(tls::Files {
        ca,
        client,
        server_name,
    }))
}

pub(crate) fn sentinel(
    file: &File<'_>,
    password_file: Option<PathBuf>,
) -> Result<Option<Sentinel>, ConfigError> {
    const EXAMPLE: &str =
        r#"["192.168.158.11:26379", "192.168.158.12:26379", "192.168.158.14:26379"]"#;
    if !file.top.contains_key("sentinel") {
        return Ok(None);
    }
    let master_name = file.optional("sentinel", "master_name", |field| {
        let name = field.string("\"mymaster\"")?;
        // What sentinel.conf takes.
        if name.is_empty()
            || name.contains(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c))
        {
            return Err(
                field.wrong("not the name of a master: letters, digits, \".\", \"-\" and \"_\"")
            );
        }
        Ok(name.to_owned())
    })?;
    let master_name = master_name.ok_or_else(|| {
        file.missing(
            "sentinel.master_name",
            "write master_name = \"mymaster\", as sentinel.conf calls it",
        )
    })?;
    let field = file.field("sentinel", "nodes").ok_or_else(|| {
        file.missing(
            "sentinel.nodes",
            r#"write nodes = ["192.168.158.11:26379", ...] with your sentinels"#,
        )
    })?;
    let nodes = distinct_nodes(&field, EXAMPLE)?;
    if nodes.is_empty() {
        return Err(field.wrong(format_args!("no sentinel; write it as {EXAMPLE}")));
    }
    let quorum = file.optional("sentinel", "quorum", |field| field.count(1..=nodes.len()))?;
    let when_silent = file.optional("sentinel", "when_sentinels_silent", |field| {
        match field.string("\"hold\" or \"release\"")? {
            "hold" => Ok(SilentSentinels::Hold),
            "release" => Ok(SilentSentinels::Release),
            _ => Err(field.wrong("not \"hold\" or \"release\"")),
        }
    })?;
    Ok(Some(Sentinel {
        master_name,
        quorum: quorum.unwrap_or(nodes.len() / 2 + 1),
        nodes,
        when_silent: when_silent.unwrap_or(SilentSentinels::Hold),
        auth: Access {
            username: username(file, "sentinel")?,
            password_file,
            ..Access::default()
        },
    }))
}

pub(crate) fn nodes(file: &File<'_>) -> Result<Vec<SocketAddr>, ConfigError> {
    const EXAMPLE: &str = r#"["192.168.158.11:6379", "192.168.158.12:6379"]"#;
    let Some(field) = file.field("", "nodes") else {
        return Err(file.missing(
            "nodes",
            r#"write nodes = ["192.168.158.11:6379", "192.168.158.12:6379"] with your servers"#,
        ));
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
            "not IP:port such as \"192.168.158.11:6379\" or \"[::1]:6379\"; a host name is not \
             allowed, because a failover can't wait for its lookup",
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

pub(crate) fn vip(file: &File<'_>, nodes: &[SocketAddr]) -> Result<IpAddr, ConfigError> {
    let Some(field) = file.field("", "vip") else {
        return Err(file.missing(
            "vip",
            r#"write vip = "192.168.158.13" with keepalived's virtual address"#,
        ));
    };
    let text = field.string("\"192.168.158.13\"")?;
    let vip: IpAddr = text.parse().map_err(|_| {
        field.wrong(
            "not an IP address such as \"192.168.158.13\", without port, prefix length or name",
        )
    })?;
    let vip = vip.to_canonical();
    if vip.is_unspecified() || vip.is_multicast() || vip.is_loopback() {
        return Err(field.wrong("not an address that keepalived could move between hosts"));
    }
    if nodes.iter().any(|node| node.ip() == vip) {
        return Err(
            field.wrong("also the address of a node; the virtual address is one of its own")
        );
    }
    Ok(vip)
}

pub(crate) fn local(
    file: &File<'_>,
    nodes: &[SocketAddr],
) -> Result<Option<Endpoint>, ConfigError> {
    file.optional("", "local", |field| {
        let text = field.string("\"192.168.158.11:6379\" or \"unix:/run/redis.sock\"")?;
        if let Some(socket) = text.strip_prefix("unix:") {
            if socket.len() < 2 || !socket.starts_with('/') || socket.contains(char::is_control) {
                return Err(field.wrong(
                    "not \"unix:\" and an absolute path; write it as \"unix:/run/redis.sock\"",
                ));
            }
            return Ok(Endpoint::Unix(PathBuf::from(socket)));
        }
        match node(field) {
            Ok(local) if nodes.contains(&local) => Ok(Endpoint::Tcp(local)),
            _ => {
                let nodes: Vec<String> = nodes.iter().map(|node| format!("\"{node}\"")).collect();
                let nodes = nodes.join(", ");
                Err(field.wrong(format_args!(
                    "not one of nodes ({nodes}), nor \"unix:/run/redis.sock\""
                )))
            }
        }
    })
}
