//! How a person sends a command to one of the nodes: the command line that is advised. Never with
//! the password in it.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::Config;
use crate::server::access::Access;
use crate::server::tls::Files;

/// What stands on it for every node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RedisCli {
    /// `password_file`.
    pub password_file: Option<PathBuf>,
    /// `username`.
    pub user: Option<String>,
    /// The section `tls`.
    pub tls: Option<Files>,
}

impl RedisCli {
    /// To the nodes.
    pub(crate) fn of(config: &Config) -> RedisCli {
        RedisCli::by(&config.auth)
    }

    /// To the sentinels.
    pub(crate) fn of_sentinels(config: &Config) -> RedisCli {
        let auth = config.sentinel.as_ref().map(|sentinel| &sentinel.auth);
        auth.map_or_else(RedisCli::default, RedisCli::by)
    }

    fn by(auth: &Access) -> RedisCli {
        RedisCli {
            password_file: auth.password_file.clone(),
            user: auth.username.clone(),
            tls: auth.tls.as_ref().map(|tls| tls.files.clone()),
        }
    }

    /// `words`, to `node`.
    pub(crate) fn line(&self, node: SocketAddr, words: &str) -> String {
        let password = self
            .password_file
            .as_ref()
            .map(|file| format!("REDISCLI_AUTH=\"$(cat {})\" ", file.display()));
        let user = self
            .user
            .as_ref()
            .map(|user| format!(" --user {user}"))
            .unwrap_or_default();
        format!(
            "{}redis-cli{user} {}",
            password.unwrap_or_default(),
            self.rest(node, words)
        )
    }

    /// The same for somebody who may do everything.
    pub(crate) fn as_administrator(&self, node: SocketAddr, words: &str) -> String {
        format!(
            "REDISCLI_AUTH=ADMIN-PASSWORD redis-cli {}",
            self.rest(node, words)
        )
    }

    /// A setting, now and after a restart.
    pub(crate) fn set(&self, node: SocketAddr, name: &str, value: &str) -> String {
        format!(
            "{} && {}",
            self.line(node, &format!("config set {name} {value}")),
            self.line(node, "config rewrite")
        )
    }

    /// Has `replica` follow others as the programs log in to them. `None` where the password is in
    /// no file.
    pub(crate) fn masterauth(&self, replica: SocketAddr) -> Option<String> {
        let file = self.password_file.as_ref()?.display();
        let user = self.user.as_deref().unwrap_or("");
        // Through a pipe, for whoever looks at command lines.
        Some(format!(
            "{{ printf 'config set masteruser \"{user}\"\\nconfig set masterauth \"'; tr -d '\\n' \
             <{file}; printf '\"\\nconfig \
             rewrite\\n'; }} | {}",
            self.line(replica, "").trim_end()
        ))
    }

    fn rest(&self, node: SocketAddr, words: &str) -> String {
        let tls = match &self.tls {
            None => String::new(),
            Some(files) => {
                let client = files.client.as_ref();
                let client = client.map(|(cert, key)| {
                    format!(" --cert {} --key {}", cert.display(), key.display())
                });
                format!(
                    " --tls --cacert {}{}",
                    files.ca.display(),
                    client.unwrap_or_default()
                )
            }
        };
        format!("-h {} -p {}{tls} {words}", node.ip(), node.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_read_from_its_file_and_stands_on_no_command_line() {
        let cli = RedisCli {
            password_file: Some("/etc/p".into()),
            user: Some("ha".to_owned()),
            tls: None,
        };
        let node = "[::1]:6379".parse().expect("an address");
        assert_eq!(
            cli.set(node, "appendonly", "yes"),
            "REDISCLI_AUTH=\"$(cat /etc/p)\" redis-cli --user ha -h ::1 -p 6379 config set \
             appendonly yes && \
             REDISCLI_AUTH=\"$(cat /etc/p)\" redis-cli --user ha -h ::1 -p 6379 config rewrite"
        );
        let given = cli.masterauth(node).expect("there is a file");
        let expected = "{ printf 'config set masteruser \"ha\"\\nconfig set masterauth \"'; tr -d \
            '\\n' </etc/p; \
                        printf '\"\\nconfig rewrite\\n'; } | REDISCLI_AUTH=\"$(cat /etc/p)\" \
                        redis-cli --user ha -h ::1 -p 6379";
        assert_eq!(given, expected);
        let tls = Files {
            ca: "/ca".into(),
            client: Some(("/c".into(), "/k".into())),
            server_name: None,
        };
        let cli = RedisCli {
            tls: Some(tls),
            ..RedisCli::default()
        };
        assert_eq!(
            cli.line(node, "ping"),
            "redis-cli -h ::1 -p 6379 --tls --cacert /ca --cert /c --key /k ping"
        );
    }
}
