//! A pair in which all is well, to be spoilt and cured: for tests.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::config::{Config, Environment};
use crate::console::doctor::finding::{Finding, Findings, Subject};
use crate::console::doctor::judge::sentinels;
use crate::console::doctor::judge::servers::{node, pair, rights};
use crate::console::doctor::look::sentinels as asked;
use crate::console::doctor::look::sentinels::Said;
use crate::console::doctor::look::servers::{AskedNode, Login, NO_COMMAND, Redises, Seen};
use crate::console::doctor::redis_cli::RedisCli;
use crate::console::doctor::rights::wanted;
use crate::decide::view::Vip;
use crate::server::failure::{Denial, Failure};
use crate::server::info::{
    Disk, Following, Lineage, Make, Observation, Replication, Role, Version,
};
use crate::server::term::Term;

pub(crate) const A: &str = "192.168.158.11:6379";
pub(crate) const B: &str = "192.168.158.12:6379";

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

pub(crate) fn config(more: &str) -> Config {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("redis-ha.toml");
    let text = format!("nodes = [\"{A}\", \"{B}\"]\nvip = \"192.168.158.13\"\n{more}");
    std::fs::write(&path, text).expect("a file");
    let environment = Environment {
        state: dir.path().to_owned(),
        password: None,
    };
    Config {
        path: "/etc/keepalived/redis-ha.toml".into(),
        ..Config::load_in(&path, &environment).expect("it is good")
    }
}

pub(crate) const SENTINEL: &str = "[sentinel]\nmaster_name = \"m\"\n\
    nodes = [\"192.168.158.11:26379\", \"192.168.158.12:26379\", \"192.168.158.14:26379\"]\n";

pub(crate) fn following(of: &str) -> Role {
    let (host, port) = of.split_once(':').expect("a port");
    let port = port.parse().expect("a port");
    let host = host.to_owned();
    Role::Replica(Following {
        host,
        port,
        link_up: true,
        syncing: false,
        copied: None,
        received: None,
    })
}

pub(crate) fn seen(config: &Config, role: Role) -> Seen {
    let term = Term {
        sure: 3,
        unsure: 0,
        node: address(A),
        replid: "a".repeat(40),
        base: "a".repeat(8),
        id: "a".repeat(8),
        at: "now".to_owned(),
    };
    let version = Version(7, 0, 15);
    let observation = Observation {
        run_id: "r".repeat(40),
        version,
        make: Make::Redis,
        loading: false,
        keys: 5,
        changes: 0,
        disk: Disk::default(),
        replication: Replication {
            role,
            lineage: Lineage::default(),
            replicas: 1,
            backlog: None,
        },
        term: Some(term),
    };
    let settings = [
        ("repl-backlog-size", "67108864"),
        ("repl-diskless-sync", "yes"),
        ("repl-diskless-sync-delay", "0"),
        ("repl-timeout", "60"),
        ("appendonly", "yes"),
        ("save", "3600 1"),
        ("stop-writes-on-bgsave-error", "yes"),
        ("bind", "* -::*"),
        ("min-replicas-to-write", "0"),
        ("replica-read-only", "yes"),
        ("replica-priority", "100"),
        ("requirepass", "set"),
    ];
    let info = [
        ("config_file", "/etc/redis/redis.conf"),
        ("latest_fork_usec", "1000"),
        ("connected_clients", "20"),
        ("maxclients", "10000"),
        ("used_memory", "1000000"),
        ("maxmemory", "100000000"),
        ("maxmemory_policy", "noeviction"),
    ];
    Seen {
        observation,
        info: info
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        settings: Some(
            settings
                .map(|(name, value)| (name, value.to_owned()))
                .into(),
        ),
        user: "ha".to_owned(),
        rights: Ok(wanted(config, version)
            .into_iter()
            .map(|right| (right, Ok(())))
            .collect()),
        clock: Some(0.0),
        rate: Some(1000.0),
    }
}

/// A pair, or what Sentinel looks after, in which all is well.
pub(crate) struct Case {
    pub config: Config,
    pub redises: Redises,
    pub sentinels: Vec<asked::AskedSentinel>,
    pub vip: Vip,
}

impl Case {
    pub(crate) fn good(more: &str) -> Case {
        let config = config(more);
        let node = |text: &str, role| AskedNode {
            address: address(text),
            is_local: text == A,
            seen: Ok(seen(&config, role)),
            at_address: None,
        };
        let login = |replica: &str, master: &str| Login {
            replica: address(replica),
            master: address(master),
            user: None,
            has_password: true,
            outcome: Ok(()),
        };
        let mut nodes = vec![node(A, Role::Master), node(B, following(A))];
        if config.sentinel.is_some() {
            for (node, priority) in nodes.iter_mut().zip(["10", "20"]) {
                set(node, "replica-priority", priority);
            }
        }
        let logins = vec![login(A, B), login(B, A)];
        let fields = [
            ("down-after-milliseconds", "5000"),
            ("num-other-sentinels", "2"),
            ("quorum", "2"),
        ];
        let said = Said {
            master: Some(("192.168.158.11".to_owned(), "6379".to_owned())),
            fields: fields
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            no_quorum: None,
            tilt: false,
            refused: Vec::new(),
        };
        let sentinels = config.sentinel.iter().flat_map(|sentinel| &sentinel.nodes);
        let sentinels = sentinels
            .map(|address| asked::AskedSentinel {
                address: *address,
                said: Ok(said.clone()),
            })
            .collect();
        Case {
            config,
            redises: Redises { nodes, logins },
            sentinels,
            vip: Vip::Here,
        }
    }

    pub(crate) fn judged(&self) -> Vec<Finding> {
        let cli = RedisCli {
            password_file: Some("/etc/p".into()),
            ..RedisCli::default()
        };
        let mut found = Findings::of(Subject::Redis);
        for one in &self.redises.nodes {
            node::judge(&mut found, one, &self.config, &cli);
            if let Ok(seen) = &one.seen {
                rights::judge(&mut found, one, seen, &cli);
                node::fork(&mut found, one, seen, self.config.timing.hang);
            }
        }
        pair::judge(&mut found, &self.redises, &self.config, self.vip, &cli);
        if let Some(sentinel) = &self.config.sentinel {
            sentinels::judge(
                &mut found,
                &self.sentinels,
                &self.redises,
                &self.config,
                sentinel,
                &cli,
                &cli,
            );
        }
        found.list
    }

    pub(crate) fn a(&mut self) -> &mut AskedNode {
        self.redises.nodes.first_mut().expect("two nodes")
    }

    pub(crate) fn b(&mut self) -> &mut AskedNode {
        self.redises.nodes.last_mut().expect("two nodes")
    }

    pub(crate) fn role(&mut self, node: &str, role: Role) {
        let node = self
            .redises
            .nodes
            .iter_mut()
            .find(|known| known.address == address(node))
            .expect("a node");
        up(node).observation.replication.role = role;
    }
}

pub(crate) fn up(node: &mut AskedNode) -> &mut Seen {
    node.seen.as_mut().expect("it answers")
}

pub(crate) fn set(node: &mut AskedNode, name: &str, value: &str) {
    let settings: &mut BTreeMap<&'static str, String> =
        up(node).settings.as_mut().expect("they can be asked for");
    let name = match name {
        "tls-replication" => "tls-replication",
        "replica-announce-ip" => "replica-announce-ip",
        name => settings
            .keys()
            .copied()
            .find(|known| *known == name)
            .expect("a setting"),
    };
    settings.insert(name, value.to_owned());
}

pub(crate) fn denied(code: &str, text: &str) -> Failure {
    Failure::Denied(Denial {
        code: code.to_owned(),
        text: text.to_owned(),
    })
}

pub(crate) fn refuse(node: &mut AskedNode, rule: &str) {
    let rights = up(node).rights.as_mut().expect("they can be asked for");
    rights
        .iter_mut()
        .filter(|(right, _)| right.rule == rule)
        .for_each(|(_, may)| *may = Err("no".to_owned()));
}

pub(crate) fn rename(node: &mut AskedNode, rule: &str) {
    let rights = up(node).rights.as_mut().expect("they can be asked for");
    rights
        .iter_mut()
        .filter(|(right, _)| right.rule == rule)
        .for_each(|(_, may)| *may = Err(NO_COMMAND.to_owned()));
}
