//! Where a Redis listens: an address and port, or a Unix socket.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// Never a host name: a DNS lookup has no place in a failover.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `192.168.158.11:6379` or `[::1]:6379`.
    Tcp(SocketAddr),
    /// `unix:/run/redis.sock`; absolute paths only, because keepalived's working directory is `/`
    /// (K2).
    Unix(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp(address) => write!(f, "{address}"),
            Endpoint::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Endpoint::Tcp(address)
    }
}

impl FromStr for Endpoint {
    type Err = String;

    /// Reads `IP:port`, `[IPv6]:port` or `unix:/absolute/path`; the error says which of these is
    /// allowed.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.starts_with('/') && path.len() > 1 && !path.contains('\0') {
                Ok(Endpoint::Unix(PathBuf::from(path)))
            } else {
                Err(format!(
                    "{text:?}: write a Unix socket as \"unix:/absolute/path\""
                ))
            };
        }
        match text.parse::<SocketAddr>() {
            Ok(address) if address.port() != 0 => Ok(Endpoint::Tcp(address)),
            _ => Err(format!(
                "{text:?}: write an address and a port, as \"192.168.158.11:6379\" or \
                 \"[::1]:6379\" (no host names)"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_the_same_way() {
        for text in ["192.168.158.11:6379", "[::1]:6379", "unix:/run/redis.sock"] {
            assert_eq!(
                text.parse::<Endpoint>().map(|e| e.to_string()).as_deref(),
                Ok(text)
            );
        }
    }

    #[test]
    fn anything_else_is_an_error_that_says_what_is_allowed() {
        for text in [
            "",
            "redis-a:6379",
            "192.168.158.11",
            "192.168.158.11:0",
            "::1:6379",
            "unix:",
            "unix:run/redis.sock",
            "unix:/",
        ] {
            let error = text.parse::<Endpoint>().expect_err(text);
            assert!(error.contains("write"), "{error}");
        }
    }
}
