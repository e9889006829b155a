//! Each line on Redis and the sentinels, provoked, and cured by its own advice.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::config::{Config, Environment};
use crate::doctor::finding::{Finding, Findings, Fix, Level, Subject, tests::level};
use crate::doctor::of_redis::{Login, NO_COMMAND, Node, Redises, Seen};
use crate::doctor::of_sentinel::{self, Said};
use crate::doctor::redis_cli::RedisCli;
use crate::doctor::rights::wanted;
use crate::info::{Following, Lineage, Observation, Replication, Role, Version};
use crate::plan::Vip;
use crate::server::{Denial, Failure};
use crate::term::Term;

use super::{node, pair, rights, sentinels};

const A: &str = "192.168.158.11:6379";
const B: &str = "192.168.158.12:6379";

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

pub fn config(more: &str) -> Config {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("redis-ha.toml");
    let text = format!("nodes = [\"{A}\", \"{B}\"]\nvip = \"192.168.158.13\"\n{more}");
    std::fs::write(&path, text).expect("a file");
    let environment = Environment { state: dir.path().to_owned(), password: None };
    Config { path: "/etc/keepalived/redis-ha.toml".into(), ..Config::load_in(&path, &environment).expect("it is good") }
}

const SENTINEL: &str = "[sentinel]\nmaster_name = \"m\"\n\
    nodes = [\"192.168.158.11:26379\", \"192.168.158.12:26379\", \"192.168.158.14:26379\"]\n";

fn following(of: &str) -> Role {
    let (host, port) = of.split_once(':').expect("a port");
    let port = port.parse().expect("a port");
    let host = host.to_owned();
    Role::Replica(Following { host, port, link_up: true, syncing: false, copied: None, received: None })
}

fn seen(config: &Config, role: Role) -> Seen {
    let term = Term { number: 3, node: address(A), replid: "a".repeat(40), at: "now".to_owned() };
    let version = Version(7, 0, 15);
    let observation = Observation {
        run_id: "r".repeat(40),
        version,
        loading: false,
        keys: 5,
        changes: 0,
        replication: Replication { role, lineage: Lineage::default(), replicas: 1 },
        term: Some(term),
    };
    let settings = [
        ("repl-backlog-size", "67108864"),
        ("repl-diskless-sync", "yes"),
        ("repl-diskless-sync-delay", "0"),
        ("repl-timeout", "60"),
        ("appendonly", "yes"),
        ("save", "3600 1"),
        ("bind", "* -::*"),
        ("min-replicas-to-write", "0"),
        ("replica-read-only", "yes"),
        ("replica-priority", "100"),
        ("requirepass", "set"),
    ];
    let info = [("config_file", "/etc/redis/redis.conf"), ("latest_fork_usec", "1000")];
    Seen {
        observation,
        info: info.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        settings: Some(settings.map(|(name, value)| (name, value.to_owned())).into()),
        user: "ha".to_owned(),
        rights: Ok(wanted(config, version).into_iter().map(|right| (right, Ok(()))).collect()),
        clock: Some(0.0),
        rate: Some(1000.0),
    }
}

/// A pair, or what Sentinel looks after, in which all is well.
pub struct Case {
    config: Config,
    redises: Redises,
    sentinels: Vec<of_sentinel::Node>,
    vip: Vip,
}

impl Case {
    fn good(more: &str) -> Case {
        let config = config(more);
        let node = |text: &str, role| Node {
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
        let fields = [("down-after-milliseconds", "5000"), ("num-other-sentinels", "2"), ("quorum", "2")];
        let said = Said {
            master: Some(("192.168.158.11".to_owned(), "6379".to_owned())),
            fields: fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            no_quorum: None,
            tilt: false,
            refused: Vec::new(),
        };
        let sentinels = config.sentinel.iter().flat_map(|sentinel| &sentinel.nodes);
        let sentinels =
            sentinels.map(|address| of_sentinel::Node { address: *address, said: Ok(said.clone()) }).collect();
        Case { config, redises: Redises { nodes, logins }, sentinels, vip: Vip::Here }
    }

    fn judged(&self) -> Vec<Finding> {
        let cli = RedisCli { password_file: Some("/etc/p".into()), ..RedisCli::default() };
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
            sentinels::judge(&mut found, &self.sentinels, &self.redises, &self.config, sentinel, (&cli, &cli));
        }
        found.list
    }

    fn a(&mut self) -> &mut Node {
        self.redises.nodes.first_mut().expect("two nodes")
    }

    fn b(&mut self) -> &mut Node {
        self.redises.nodes.last_mut().expect("two nodes")
    }

    fn role(&mut self, node: &str, role: Role) {
        let node = self.redises.nodes.iter_mut().find(|known| known.address == address(node)).expect("a node");
        up(node).observation.replication.role = role;
    }

    /// Does what a command would do.
    fn follow(&mut self, command: &str) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let after = |word: &str| words.iter().position(|known| *known == word).map(|at| &words[at + 1..]);
        let host: std::net::IpAddr =
            after("-h").and_then(|rest| rest.first()).expect("to whom").parse().expect("an address");
        if let Some([_, "down-after-milliseconds", millis]) = after("sentinel").and_then(|rest| rest.get(1..)) {
            let sentinel = self.sentinels.iter_mut().find(|node| node.address.ip() == host).expect("a sentinel");
            let said = sentinel.said.as_mut().expect("it answers");
            said.fields.insert("down-after-milliseconds".to_owned(), (*millis).to_owned());
            return;
        }
        if command.contains("sentinel reset") {
            let said = self.sentinels.iter_mut().filter_map(|node| node.said.as_mut().ok());
            said.for_each(|said| drop(said.fields.insert("num-other-sentinels".to_owned(), "2".to_owned())));
            return;
        }
        let node = self.redises.nodes.iter_mut().find(|node| node.address.ip() == host).expect("a node");
        if command.contains("config set masterauth") || command.contains("+psync") {
            return self.redises.logins.iter_mut().for_each(|login| login.outcome = Ok(()));
        }
        if let Some(sentinel) = self.sentinels.iter_mut().find(|_| words.contains(&"26379")) {
            return sentinel.said.as_mut().expect("it answers").refused.clear();
        }
        if let Some([_, rule]) = after("setuser") {
            let rights = up(node).rights.as_mut().expect("they can be asked for");
            rights
                .iter_mut()
                .filter(|(right, _)| format!("'{}'", right.rule) == *rule)
                .for_each(|(_, may)| *may = Ok(()));
            return;
        }
        let (_, rest) = command.split_once("config set ").expect("a setting");
        let (name, value) = rest.split(" && ").next().and_then(|rest| rest.split_once(' ')).expect("its value");
        let value = value.trim_matches('\'');
        let value = match value.strip_suffix("mb") {
            Some(number) => (number.parse::<u64>().expect("a number") << 20).to_string(),
            None => value.to_owned(),
        };
        set(node, name, &value);
    }
}

fn up(node: &mut Node) -> &mut Seen {
    node.seen.as_mut().expect("it answers")
}

fn set(node: &mut Node, name: &str, value: &str) {
    let settings: &mut BTreeMap<&'static str, String> = up(node).settings.as_mut().expect("they can be asked for");
    let name = match name {
        "tls-replication" => "tls-replication",
        "replica-announce-ip" => "replica-announce-ip",
        name => settings.keys().copied().find(|known| *known == name).expect("a setting"),
    };
    settings.insert(name, value.to_owned());
}

fn denied(code: &str, text: &str) -> Failure {
    Failure::Denied(Denial { code: code.to_owned(), text: text.to_owned() })
}

fn refuse(node: &mut Node, rule: &str) {
    let rights = up(node).rights.as_mut().expect("they can be asked for");
    rights.iter_mut().filter(|(right, _)| right.rule == rule).for_each(|(_, may)| *may = Err("no".to_owned()));
}

fn rename(node: &mut Node, rule: &str) {
    let rights = up(node).rights.as_mut().expect("they can be asked for");
    rights.iter_mut().filter(|(right, _)| right.rule == rule).for_each(|(_, may)| *may = Err(NO_COMMAND.to_owned()));
}

type Change = fn(&mut Case);

/// The check, how bad, what is wrong, and what a person does where no command is advised.
type Row = (&'static str, Level, Change, Option<Change>);

const PAIR: &[Row] = &[
    ("redis-answers", Level::Fail, |case| case.b().seen = Err(Failure::Refused), Some(revive)),
    ("redis-answers", Level::Fail, |case| case.b().seen = Err(Failure::NoConnection), Some(revive)),
    ("redis-answers", Level::Fail, |case| case.b().seen = Err(Failure::TimedOut), Some(revive)),
    ("redis-answers", Level::Fail, |case| case.b().seen = Err(denied("WRONGPASS", "no")), Some(revive)),
    ("redis-answers", Level::Fail, |case| case.b().seen = Err(denied("DENIED", "protected")), Some(revive)),
    ("redis-answers", Level::Fail, |case| case.b().seen = Err(Failure::Tls("no".to_owned())), Some(revive)),
    ("redis-answers", Level::Warn, |case| case.b().seen = Err(denied("LOADING", "")), Some(revive)),
    (
        "redis-answers",
        Level::Fail,
        |case| case.a().at_address = Some(Err(Failure::Refused)),
        Some(|case| case.a().at_address = None),
    ),
    ("redis-loading", Level::Warn, |case| up(case.b()).observation.loading = true, Some(revive)),
    ("redis-version", Level::Fail, |case| up(case.b()).observation.version = Version(3, 2, 0), Some(revive)),
    ("redis-version", Level::Warn, |case| up(case.b()).observation.version = Version(6, 2, 0), Some(revive)),
    ("redis-versions", Level::Warn, |case| up(case.b()).observation.version = Version(8, 2, 0), Some(revive)),
    ("replica-read-only", Level::Fail, |case| set(case.b(), "replica-read-only", "no"), None),
    ("min-replicas", Level::Warn, |case| set(case.a(), "min-replicas-to-write", "1"), None),
    ("min-replicas", Level::Fail, |case| set(case.a(), "min-replicas-to-write", "2"), None),
    ("min-replicas", Level::Warn, |case| set(case.a(), "min-replicas-to-write", "1000000"), None),
    ("bind", Level::Fail, |case| set(case.a(), "bind", "127.0.0.1 192.168.158.11"), None),
    ("backlog", Level::Warn, |case| set(case.a(), "repl-backlog-size", "16384"), None),
    ("backlog", Level::Warn, |case| up(case.a()).rate = Some(10_000_000.0), None),
    ("diskless-delay", Level::Warn, |case| set(case.a(), "repl-diskless-sync-delay", "5"), None),
    ("persistence", Level::Warn, |case| set(case.a(), "appendonly", "no"), None),
    ("repl-timeout", Level::Warn, |case| set(case.a(), "repl-timeout", "5"), None),
    (
        "config-rewrite",
        Level::Warn,
        |case| drop(up(case.a()).info.insert("config_file".to_owned(), String::new())),
        Some(revive),
    ),
    ("rights", Level::Fail, |case| refuse(case.a(), "+slaveof"), None),
    ("rights", Level::Warn, |case| refuse(case.a(), "+config|rewrite"), None),
    ("commands", Level::Fail, |case| rename(case.a(), "+slaveof"), Some(revive)),
    (
        "fork",
        Level::Warn,
        |case| drop(up(case.a()).info.insert("latest_fork_usec".to_owned(), "900000".to_owned())),
        Some(|case| case.config.timing.hang = Duration::from_millis(1800)),
    ),
    ("roles", Level::Fail, |case| case.role(B, Role::Master), Some(revive)),
    ("roles", Level::Fail, |case| case.role(A, following(B)), Some(revive)),
    ("roles", Level::Fail, |case| case.role(A, following(A)), Some(revive)),
    ("roles", Level::Fail, |case| case.role(B, following("192.168.158.13:6379")), Some(revive)),
    ("roles", Level::Fail, |case| case.role(B, following("192.168.158.77:6379")), Some(revive)),
    (
        "roles",
        Level::Fail,
        |case| {
            case.role(A, following("127.0.0.1:1"));
            case.role(B, following("127.0.0.1:1"));
        },
        Some(revive),
    ),
    (
        "link",
        Level::Fail,
        |case| {
            if let Role::Replica(following) = &mut up(case.b()).observation.replication.role {
                following.link_up = false
            }
        },
        Some(revive),
    ),
    (
        "link",
        Level::Warn,
        |case| {
            if let Role::Replica(following) = &mut up(case.b()).observation.replication.role {
                following.syncing = true
            }
        },
        Some(revive),
    ),
    ("vip-holder", Level::Fail, |case| case.vip = Vip::At(address(B)), Some(|case| case.vip = Vip::Here)),
    ("vip-holder", Level::Fail, |case| case.vip = Vip::Unknown, Some(|case| case.vip = Vip::Here)),
    ("masterauth", Level::Fail, |case| case.redises.logins[0].outcome = Err(denied("WRONGPASS", "invalid")), None),
    (
        "masterauth",
        Level::Fail,
        |case| {
            case.redises.logins[1].outcome = Err(denied("NOAUTH", "needed"));
            case.redises.logins[1].has_password = false;
        },
        None,
    ),
    ("masterauth", Level::Fail, |case| case.redises.logins[0].outcome = Err(denied("NOPERM", "no psync")), None),
    ("clocks", Level::Warn, |case| up(case.b()).clock = Some(-7.0), Some(revive)),
    ("term", Level::Warn, |case| up(case.a()).observation.term = None, Some(revive)),
];

/// Whatever a person did: it is as it was.
fn revive(case: &mut Case) {
    let good = Case::good(if case.config.sentinel.is_some() { SENTINEL } else { "" });
    (case.redises, case.sentinels) = (good.redises, good.sentinels);
}

const BESIDE_SENTINEL: &[Row] = &[
    ("sentinel-answers", Level::Fail, |case| case.sentinels[2].said = Err(Failure::Refused), Some(revive)),
    ("sentinel-answers", Level::Fail, |case| case.sentinels[2].said = Err(denied("NOAUTH", "")), Some(revive)),
    (
        "sentinel-count",
        Level::Fail,
        |case| case.sentinels.iter_mut().skip(1).for_each(|node| node.said = Err(Failure::TimedOut)),
        Some(revive),
    ),
    (
        "sentinel-count",
        Level::Warn,
        |case| case.config.sentinel.as_mut().expect("one").quorum = 1,
        Some(|case| case.config.sentinel.as_mut().expect("one").quorum = 2),
    ),
    ("sentinel-master", Level::Fail, |case| said(case).master = None, Some(revive)),
    (
        "sentinel-master",
        Level::Fail,
        |case| said(case).master = Some(("192.168.158.13".to_owned(), "6379".to_owned())),
        Some(revive),
    ),
    (
        "sentinel-master",
        Level::Fail,
        |case| said(case).master = Some(("192.168.158.12".to_owned(), "6379".to_owned())),
        Some(revive),
    ),
    ("sentinel-quorum", Level::Fail, |case| said(case).no_quorum = Some("1 usable".to_owned()), Some(revive)),
    (
        "down-after",
        Level::Fail,
        |case| drop(said(case).fields.insert("down-after-milliseconds".to_owned(), "500".to_owned())),
        None,
    ),
    ("tilt", Level::Warn, |case| said(case).tilt = true, Some(revive)),
    ("sentinel-rights", Level::Fail, |case| said(case).refused = vec![("PSUBSCRIBE *", "allchannels")], None),
    (
        "sentinel-others",
        Level::Warn,
        |case| drop(said(case).fields.insert("num-other-sentinels".to_owned(), "4".to_owned())),
        None,
    ),
    ("replica-priority", Level::Warn, |case| set(case.b(), "replica-priority", "5"), None),
    ("replica-priority", Level::Fail, |case| set(case.b(), "replica-priority", "0"), None),
    ("announce-ip", Level::Fail, |case| set(case.b(), "replica-announce-ip", "10.0.0.1"), None),
    ("rights", Level::Fail, |case| refuse(case.a(), "+client|pause"), None),
];

fn said(case: &mut Case) -> &mut Said {
    case.sentinels[0].said.as_mut().expect("it answers")
}

#[test]
fn each_line_on_redis_and_on_sentinel_is_provoked_and_cured_by_its_own_advice() {
    for (more, rows) in [("", PAIR), (SENTINEL, BESIDE_SENTINEL)] {
        let bad = |case: &Case| case.judged().into_iter().filter(|line| line.level > Level::Unseen).collect::<Vec<_>>();
        assert_eq!(bad(&Case::good(more)), [], "{more}");
        for (number, (check, how, make, by_hand)) in rows.iter().enumerate() {
            let mut case = Case::good(more);
            make(&mut case);
            assert_eq!(level(&case.judged(), check), *how, "row {number}, {check}: {:#?}", bad(&case));
            for _ in 0..4 {
                let lines = bad(&case);
                let Some(line) = lines.first() else { break };
                match (line.fix.first(), by_hand) {
                    (_, Some(by_hand)) => by_hand(&mut case),
                    (Some(Fix::Run(command)), None) => case.follow(command),
                    (fix, None) => panic!("row {number}, {check}: no command: {fix:?}"),
                }
            }
            assert_eq!(bad(&case), [], "row {number}, {check}");
        }
    }
}

#[test]
fn what_cannot_be_asked_is_said() {
    let mut case = Case::good("");
    up(case.a()).settings = None;
    up(case.b()).rights = Err("user ha has no right to ACL DRYRUN".to_owned());
    case.redises.logins[0].outcome = Err(Failure::TimedOut);
    let found = case.judged();
    for check in ["redis-settings", "rights", "masterauth"] {
        assert_eq!(level(&found, check), Level::Unseen, "{check}");
    }
    assert!(found.iter().all(|line| line.level <= Level::Unseen), "{found:#?}");
    assert_eq!(Path::new("/etc/keepalived/redis-ha.toml"), case.config.path);
}

#[test]
fn the_rights_that_are_asked_for_are_those_that_the_configuration_needs() {
    let rules = |more: &str, version| -> Vec<&str> {
        let mut rules: Vec<&str> = wanted(&config(more), version).into_iter().map(|right| right.rule).collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    };
    let pair = rules("", Version(7, 0, 0));
    for rule in ["+slaveof", "+client|pause", "+client|kill", "+config|rewrite", "+function|load", "+sync"] {
        assert!(pair.contains(&rule), "{rule} in {pair:?}");
    }
    assert!(!rules(SENTINEL, Version(7, 0, 0)).contains(&"+slaveof"), "Sentinel gives out the roles");
    assert!(!rules("[rollback]\nmode = \"never\"\n", Version(7, 0, 0)).contains(&"+sync"));
}
