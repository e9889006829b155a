//! The configuration file: what is taken, what each mistake says, and what holds while an edit is
//! broken.

use std::fs::{self, Permissions};
use std::net::IpAddr;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use keepalived_redis::config::{
    Config, ConfigError, Environment, Flap, Policy, Rollback, RollbackMode, SECTIONS,
    SilentSentinels, Timing,
};
use keepalived_redis::server::access::{Access, Secret};
use keepalived_redis::server::endpoint::Endpoint;
use keepalived_redis::server::renamed::{Commands, RENAMABLE};
use proptest::prelude::*;
use tempfile::TempDir;

const EXAMPLE: &str = include_str!("../redis-ha.toml.example");
const MINIMAL: &str = r#"nodes = ["192.168.158.11:6379", "192.168.158.12:6379"]
vip = "192.168.158.13"
"#;

/// A directory with a configuration file, a password file and room for the last good copy.
struct Place {
    dir: TempDir,
    environment: Environment,
}

impl Place {
    fn new(text: impl AsRef<[u8]>) -> Place {
        let dir = tempfile::tempdir().expect("make a temporary directory");
        let environment = Environment {
            state: dir.path().join("state"),
            password: None,
        };
        let place = Place { dir, environment };
        place.write(text);
        place
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("redis-ha.toml")
    }

    fn copy(&self) -> PathBuf {
        self.environment.state.join("redis-ha/config.last.toml")
    }

    fn write(&self, text: impl AsRef<[u8]>) {
        fs::write(self.file(), text).expect("write the configuration");
    }

    /// Writes the password file, and returns the `[auth]` section that names it.
    fn password(&self, text: impl AsRef<[u8]>, mode: u32) -> String {
        let path = self.dir.path().join("redis.pass");
        fs::write(&path, text).expect("write the password file");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set its mode");
        format!("[auth]\npassword_file = \"{}\"\n", path.display())
    }

    fn load(&self) -> Result<Config, ConfigError> {
        Config::load_in(&self.file(), &self.environment)
    }

    fn load_or_last(&self) -> Result<(Config, Option<ConfigError>), ConfigError> {
        Config::load_or_last_in(&self.file(), &self.environment)
    }

    /// The error of the file, with the directory left out.
    fn error(&self) -> String {
        let error = self
            .load()
            .expect_err("a wrong file is refused")
            .to_string();
        error.replace(&format!("{}/", self.dir.path().display()), "")
    }
}

/// Writes a certificate that signs itself as `ca.crt` and `client.crt`, and its key, closed to
/// others, as `client.key`.
fn certificates(place: &Place) {
    let made = rcgen::generate_simple_self_signed(["redis-a".to_owned()]).expect("a certificate");
    let key = made.signing_key.serialize_pem();
    for (name, text) in [
        ("ca.crt", made.cert.pem()),
        ("client.crt", made.cert.pem()),
        ("client.key", key),
    ] {
        let path = place.dir.path().join(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(path, Permissions::from_mode(0o600)).expect("closed");
    }
}

fn loaded(text: &str) -> Config {
    Place::new(text).load().expect("a right file is taken")
}

/// The error of `MINIMAL` and then `rest`, whose first line is line 3.
fn error_of(rest: &str) -> String {
    Place::new(format!("{MINIMAL}{rest}")).error()
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts
        .iter()
        .map(|text| text.parse().expect("an address of the test"))
        .collect()
}

#[test]
fn nodes_and_vip_are_enough_and_the_rest_has_defaults() {
    let config = loaded(MINIMAL);
    assert_eq!(config.instance, "redis-ha");
    assert_eq!(config.nodes.len(), 2);
    assert_eq!(config.nodes[0].to_string(), "192.168.158.11:6379");
    assert_eq!(config.vip.to_string(), "192.168.158.13");
    assert_eq!(config.local, None);
    assert_eq!(config.auth, Access::default());
    assert_eq!(config.timing, Timing::default());
    assert_eq!(
        config.policy,
        Policy {
            outdated_after: None,
            max_lag: 1024 * 1024,
            term_key: None
        }
    );
    assert_eq!(config.flap, Flap::default());
    assert_eq!(config.rollback, Rollback::default());
    assert_eq!(config.log_dir, Path::new("/var/log/keepalived-redis"));
    assert_eq!(
        config.memory_dir,
        Path::new("/var/lib/keepalived-redis/redis-ha")
    );
}

#[test]
fn the_example_is_taken_as_it_is() {
    let mut config = loaded(EXAMPLE);
    config.path = PathBuf::new();
    let mut minimal = loaded(MINIMAL);
    minimal.path = PathBuf::new();
    assert_eq!(config, minimal);
}

/// The example with each key that is commented out put in force.
fn uncommented() -> String {
    let is_key = |line: &&str| line.starts_with(|c: char| c.is_ascii_lowercase() || c == '[');
    let uncomment = |line| str::strip_prefix(line, '#').filter(is_key).unwrap_or(line);
    EXAMPLE
        .lines()
        .map(|line| format!("{}\n", uncomment(line)))
        .collect()
}

/// Every key, with its section before it.
fn every_key() -> Vec<String> {
    let in_section = |(section, keys): &(&str, &[&str])| -> Vec<String> {
        let named = |key: &&str| {
            format!("{section}.{key}")
                .trim_start_matches('.')
                .to_owned()
        };
        keys.iter().map(named).collect()
    };
    SECTIONS.iter().flat_map(in_section).collect()
}

#[test]
fn the_example_shows_every_key_and_its_default() {
    let place = Place::new("");
    place.password("sesame\n", 0o600);
    let uncommented = uncommented();
    for (section, _) in SECTIONS {
        let start = uncommented.find(&format!("[{section}]\n")).unwrap_or(0);
        let below = &uncommented[start + 1..];
        let below = &below[..below.find("\n[").unwrap_or(below.len())];
        let error = if section.is_empty() {
            error_of("zzzz = 1")
        } else {
            error_of(&format!("[{section}]\nzzzz = 1"))
        };
        let (_, allowed) = error
            .split_once("allowed here: ")
            .expect("the error lists the keys");
        for key in allowed.split(", ").filter(|key| !key.starts_with('[')) {
            assert!(
                below.contains(&format!("\n{key} = ")),
                "{section}.{key} is not in the example"
            );
        }
    }
    let password_file = place.dir.path().join("redis.pass").display().to_string();
    for file in [
        "/etc/keepalived/redis.pass",
        "/etc/keepalived/sentinel.pass",
    ] {
        assert!(uncommented.contains(file));
    }
    let uncommented = uncommented.replace("/etc/keepalived/sentinel.pass", &password_file);
    certificates(&place);
    let dir = format!("{}/", place.dir.path().display());
    place.write(uncommented.replace("/etc/keepalived/", &dir));

    let config = place.load().expect("the example without its comment signs");
    let plain = loaded(EXAMPLE);
    assert_eq!(config.local, Some(Endpoint::Tcp(config.nodes[0])));
    assert_eq!(config.auth.username.as_deref(), Some("ha"));
    assert_eq!(config.auth.password, Some(Secret::new("sesame".to_owned())));
    let names = [
        &config.auth,
        &config.sentinel.as_ref().expect("Sentinel mode").auth,
    ]
    .map(|auth| {
        auth.tls
            .as_ref()
            .and_then(|tls| tls.files.server_name.clone())
    });
    assert_eq!(
        names,
        [
            Some("redis.example.org".to_owned()),
            Some("sentinel.example.org".to_owned())
        ]
    );
    let commands = config.auth.commands.as_ref().expect("names of commands");
    for command in RENAMABLE {
        let sent = commands
            .translate(&redis::cmd(&command.to_uppercase()))
            .get_packed_command();
        assert!(
            String::from_utf8_lossy(&sent).contains(&format!("my-{command}")),
            "{command} is not translated"
        );
    }
    assert_eq!(config.timing, plain.timing);
    assert_eq!(
        config.policy,
        Policy {
            term_key: Some("keepalived-redis:term".into()),
            ..plain.policy
        }
    );
    assert_eq!(config.flap, plain.flap);
    assert_eq!(config.rollback, plain.rollback);
    assert_eq!(config.log_dir, plain.log_dir);
    assert_eq!(config.memory_dir, plain.memory_dir);
}

#[test]
fn every_value_of_the_file_arrives() {
    let config = loaded(
        r#"nodes = ["[2001:db8::1]:6379", "[2001:db8::2]:6380", "10.0.0.3:6379"]
vip = "2001:db8::3"
local = "unix:/run/redis.sock"
timing = { check = "900ms", connect = "1s", command = "2s", delay = "15s", sync = "1h 30m", alone_after = "1m", hang = "6s" }
policy = { max_lag = "10MB", term_key = "ha:term", outdated = "10m" }
flap = { count = 5, window = "1m", hold = "1h" }
[rollback]
mode = "never"
dir = "/srv/rollback"
keep = 1
days = 90
[log]
dir = "/srv/log"
[memory]
dir = "/srv/memory"
"#,
    );
    assert_eq!(config.nodes[1].to_string(), "[2001:db8::2]:6380");
    assert_eq!(config.vip.to_string(), "2001:db8::3");
    assert_eq!(config.local, Some(Endpoint::Unix("/run/redis.sock".into())));
    let timing = Timing {
        check: Duration::from_millis(900),
        connect: Duration::from_secs(1),
        command: Duration::from_secs(2),
        delay: Duration::from_secs(15),
        sync: Duration::from_secs(5400),
        alone_after: Duration::from_secs(60),
        hang: Duration::from_secs(6),
    };
    assert_eq!(config.timing, timing);
    assert_eq!(
        config.policy,
        Policy {
            outdated_after: Some(Duration::from_secs(600)),
            max_lag: 10_000_000,
            term_key: Some("ha:term".into())
        }
    );
    let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
    assert_eq!(
        config.flap,
        Flap {
            count: 5,
            window: minute,
            hold: hour
        }
    );
    assert_eq!(
        config.rollback,
        Rollback {
            mode: RollbackMode::Never,
            dir: "/srv/rollback".into(),
            keep: 1,
            days: 90
        }
    );
    assert_eq!(config.log_dir, Path::new("/srv/log"));
    assert_eq!(config.memory_dir, Path::new("/srv/memory/redis-ha"));
}

#[test]
fn the_section_of_sentinel_makes_sentinel_mode() {
    assert_eq!(loaded(MINIMAL).sentinel, None);
    let short = format!(
        "{MINIMAL}[sentinel]\nmaster_name = \"mymaster\"\nnodes = [\"10.0.0.1:26379\", \
         \"10.0.0.2:26379\", \"10.0.0.4:26379\"]\n"
    );
    let sentinel = loaded(&short).sentinel.expect("Sentinel mode");
    assert_eq!(
        (
            sentinel.master_name.as_str(),
            sentinel.nodes.len(),
            sentinel.quorum
        ),
        ("mymaster", 3, 2)
    );
    assert_eq!(
        (sentinel.when_silent, sentinel.auth),
        (SilentSentinels::Hold, Access::default())
    );

    let place = Place::new("");
    let login = place
        .password("of the sentinels", 0o600)
        .replace("[auth]\n", "");
    place.write(format!(
        "{short}quorum = 3\nwhen_sentinels_silent = \"release\"\nusername = \"watcher\"\n{login}"
    ));
    let config = place.load().expect("a right file");
    let sentinel = config.sentinel.expect("Sentinel mode");
    assert_eq!(
        (sentinel.quorum, sentinel.when_silent),
        (3, SilentSentinels::Release)
    );
    assert_eq!(sentinel.auth.username.as_deref(), Some("watcher"));
    assert_eq!(
        sentinel.auth.password.as_ref().map(Secret::expose),
        Some("of the sentinels")
    );
    assert_eq!(config.auth.password, None, "Redis has a login of its own");
    assert!(!format!("{:?}", sentinel).contains("of the sentinels"));
}

#[test]
fn what_is_wrong_in_the_section_of_sentinel_is_explained() {
    const NODES: &str = "nodes = [\"10.0.0.1:26379\", \"10.0.0.2:26379\"]";
    for (lines, part) in [
        (NODES.to_string(), "sentinel.master_name"),
        ("master_name = \"mymaster\"".to_string(), "sentinel.nodes"),
        (
            format!("master_name = \"my master\"\n{NODES}"),
            "not the name of a master",
        ),
        ("master_name = \"m\"\nnodes = []".to_string(), "no sentinel"),
        (
            "master_name = \"m\"\nnodes = [\"10.0.0.1\"]".to_string(),
            "no port",
        ),
        (
            "master_name = \"m\"\nnodes = [\"10.0.0.1:1\", \"10.0.0.1:1\"]".to_string(),
            "named twice",
        ),
        (
            format!("master_name = \"m\"\n{NODES}\nquorum = 3"),
            "not a whole number from 1 to 2",
        ),
        (
            format!("master_name = \"m\"\n{NODES}\nquorum = 0"),
            "not a whole number from 1 to 2",
        ),
        (
            format!("master_name = \"m\"\n{NODES}\nwhen_sentinels_silent = \"panic\""),
            "not \"hold\" or \"release\"",
        ),
        (
            format!("master_name = \"m\"\n{NODES}\nusername = \"ha\""),
            "sentinel.password_file",
        ),
        (
            format!("master_name = \"m\"\n{NODES}\npassword = \"sesame\""),
            "named by sentinel.password_file",
        ),
        (
            format!("master_name = \"m\"\n{NODES}\nmaster = \"m\""),
            "unknown key",
        ),
    ] {
        let error = Place::new(format!("{MINIMAL}[sentinel]\n{lines}\n"))
            .load()
            .expect_err(&lines)
            .to_string();
        assert!(
            error.contains(part) && !error.contains("sesame") && error.lines().count() == 1,
            "{lines}: {error}"
        );
    }
    let error = Place::new(format!("sentinel = 3\n{MINIMAL}"))
        .load()
        .expect_err("no section")
        .to_string();
    assert!(error.contains("not a section"), "{error}");
}

#[test]
fn commands_have_other_names_where_the_section_says_so_and_sentinels_know_none_of_them() {
    assert_eq!(loaded(MINIMAL).auth.commands, None);
    assert_eq!(
        loaded(&format!("{MINIMAL}[commands]\n")).auth.commands,
        None
    );
    let both = "[sentinel]\nmaster_name = \"m\"\nnodes = [\"10.0.0.1:26379\"]\n[commands]\nclient \
        = \"b840fc02\"\n";
    let config = loaded(&format!("{MINIMAL}{both}"));
    let expected = Commands::new(vec![("client", "b840fc02".to_owned())]);
    assert_eq!(config.auth.commands.as_deref(), Some(&expected));
    assert_eq!(config.sentinel.expect("Sentinel mode").auth.commands, None);
    let auth = loaded(&format!("{MINIMAL}[commands]\nclient = \"\"\n")).auth;
    assert!(
        auth.lacks("client") && !auth.lacks("config"),
        "a command that is disabled has an empty name"
    );
}

#[test]
fn what_is_wrong_with_the_name_of_a_command_is_explained_and_the_name_is_not_repeated() {
    for (lines, expected) in [
        (
            "info = \"\"",
            "redis-ha.toml:4: commands.info = ...: no name; the programs can do without client or \
             config alone",
        ),
        (
            "client = \"\"\nconfig = \"\"",
            "redis-ha.toml:4: commands.client = ...: the programs can do without client or \
             config, but not without both",
        ),
        (
            "config = \"b840 fc02\"",
            "redis-ha.toml:4: commands.config = ...: not the name of a command, as rename-command \
             in redis.conf takes it",
        ),
        (
            "config = 5",
            "redis-ha.toml:4: commands.config = ...: not a string; write it as \"b840fc02\"",
        ),
        (
            "slaveof = \"b840fc02\"\nconfig = \"B840FC02\"",
            "redis-ha.toml:5: commands.config = ...: another command is called so already",
        ),
        (
            "debug = \"b840fc02\"",
            "redis-ha.toml:4: commands.debug: unknown key; allowed here: slaveof, config, client, \
             info, ping, sync, function, fcall_ro",
        ),
        (
            "slavof = \"b840fc02\"",
            "redis-ha.toml:4: commands.slavof: unknown key; did you mean slaveof? allowed here: \
             slaveof, config, client, info, ping, sync, function, fcall_ro",
        ),
    ] {
        assert_eq!(error_of(&format!("[commands]\n{lines}\n")), expected);
    }
}

#[test]
fn a_wrong_value_is_an_error_with_line_key_value_and_what_is_allowed() {
    let cases = [
        (
            "[timing]\ncheck = \"fast\"",
            r#"redis-ha.toml:4: timing.check = "fast": not a duration; write it as "400ms" or "2s""#,
        ),
        (
            "[timing]\ncheck = 400",
            r#"redis-ha.toml:4: timing.check = 400: no unit; write it as "400ms", "2s", "10m" or "1h""#,
        ),
        (
            "[timing]\ncheck = \"400\"",
            r#"redis-ha.toml:4: timing.check = "400": no unit; write it as "400ms", "2s", "10m" or "1h""#,
        ),
        (
            "[timing]\ncheck = \"1s\"",
            r#"redis-ha.toml:4: timing.check = "1s": out of range; allowed is 50ms to 900ms"#,
        ),
        (
            "[timing]\nconnect = \"0s\"",
            r#"redis-ha.toml:4: timing.connect = "0s": out of range; allowed is 10ms to 10s"#,
        ),
        (
            "[timing]\n\ndelay = \"6m\"",
            r#"redis-ha.toml:5: timing.delay = "6m": out of range; allowed is 0s to 5m"#,
        ),
        (
            "[timing]\nsync = true",
            r#"redis-ha.toml:4: timing.sync = true: not a string; write it as "400ms" or "2s""#,
        ),
        (
            "timing = 5",
            r#"redis-ha.toml:3: timing = 5: not a section; write [timing] on a line of its own and its keys below"#,
        ),
        (
            "[policy]\nmax_lag = 1048576",
            r#"redis-ha.toml:4: policy.max_lag = 1048576: no unit; write it as "512KiB", "1MiB" or "10MB""#,
        ),
        (
            "[policy]\nmax_lag = \"1048576\"",
            r#"redis-ha.toml:4: policy.max_lag = "1048576": no unit; write it as "512KiB", "1MiB" or "10MB""#,
        ),
        (
            "[policy]\noutdated = \"never\"",
            r#"redis-ha.toml:4: policy.outdated = "never": not a duration; write it as "400ms" or "2s""#,
        ),
        (
            "[policy]\nmax_lag = \"lots\"",
            r#"redis-ha.toml:4: policy.max_lag = "lots": not a size; write it as "512KiB", "1MiB" or "10MB""#,
        ),
        (
            "[policy]\nmax_lag = \"1B\"",
            r#"redis-ha.toml:4: policy.max_lag = "1B": out of range; allowed is 1.0 KiB to 1.0 GiB"#,
        ),
        (
            "[rollback]\nmode = \"maybe\"",
            r#"redis-ha.toml:4: rollback.mode = "maybe": not "auto", "always" or "never""#,
        ),
        (
            "[rollback]\nkeep = 0",
            "redis-ha.toml:4: rollback.keep = 0: not a whole number from 1 to 1000",
        ),
        (
            "[rollback]\nkeep = \"3\"",
            r#"redis-ha.toml:4: rollback.keep = "3": not a whole number from 1 to 1000"#,
        ),
        (
            "[rollback]\ndays = 0",
            "redis-ha.toml:4: rollback.days = 0: not a whole number from 1 to 3650",
        ),
        (
            "[rollback]\ndir = \"rollback\"",
            r#"redis-ha.toml:4: rollback.dir = "rollback": not an absolute path; write it as "/var/lib/keepalived-redis/rollback""#,
        ),
        (
            "[log]\ndir = \"log\"",
            r#"redis-ha.toml:4: log.dir = "log": not an absolute path; write it as "/var/log/keepalived-redis""#,
        ),
        (
            "[memory]\ndir = 1",
            r#"redis-ha.toml:4: memory.dir = 1: not a string; write it as "/var/lib/keepalived-redis""#,
        ),
        (
            "local = \"192.168.158.14:6379\"",
            r#"redis-ha.toml:3: local = "192.168.158.14:6379": not one of nodes ("192.168.158.11:6379", "192.168.158.12:6379"), nor "unix:/run/redis.sock""#,
        ),
        (
            "local = \"unix:redis.sock\"",
            r#"redis-ha.toml:3: local = "unix:redis.sock": not "unix:" and an absolute path; write it as "unix:/run/redis.sock""#,
        ),
    ];
    for (rest, expected) in cases {
        assert_eq!(error_of(rest), expected);
    }
}

#[test]
fn wrong_nodes_and_vips_are_explained() {
    let cases = [
        (
            "",
            "redis-ha.toml: nodes is missing; write nodes = [\"192.168.158.11:6379\", \
             \"192.168.158.12:6379\"] with your servers",
        ),
        (
            "nodes = [\n\"10.0.0.1:1\",\n\"redis-b:6379\"]",
            r#"redis-ha.toml:3: nodes = "redis-b:6379": not IP:port such as "192.168.158.11:6379" or "[::1]:6379"; a host name is not allowed, because a failover can't wait for its lookup"#,
        ),
        (
            "nodes = [\"10.0.0.1\"]",
            r#"redis-ha.toml:1: nodes = "10.0.0.1": no port; write it as "10.0.0.1:6379""#,
        ),
        (
            "nodes = [\"::1\"]",
            r#"redis-ha.toml:1: nodes = "::1": no port; write it as "[::1]:6379""#,
        ),
        (
            "nodes = [\"10.0.0.1:0\"]",
            r#"redis-ha.toml:1: nodes = "10.0.0.1:0": port 0; write the port that it listens on, such as 6379"#,
        ),
        (
            "nodes = [\"0.0.0.0:6379\"]",
            r#"redis-ha.toml:1: nodes = "0.0.0.0:6379": not the address of one server; write the node's own address"#,
        ),
        (
            "nodes = [\"10.0.0.1:1\"]",
            r#"redis-ha.toml:1: nodes = ["10.0.0.1:1"]: fewer than two nodes; write it as ["192.168.158.11:6379", "192.168.158.12:6379"]"#,
        ),
        (
            "nodes = [\"10.0.0.1:1\", \"[::ffff:10.0.0.1]:1\"]",
            r#"redis-ha.toml:1: nodes = "[::ffff:10.0.0.1]:1": named twice; each node once"#,
        ),
        (
            "nodes = \"10.0.0.1:1\"",
            r#"redis-ha.toml:1: nodes = "10.0.0.1:1": not a list; write it as ["192.168.158.11:6379", "192.168.158.12:6379"]"#,
        ),
        (
            "nodes = [\"10.0.0.1:1\", 6379]",
            r#"redis-ha.toml:1: nodes = 6379: not a string; write it as "192.168.158.11:6379" or "[::1]:6379""#,
        ),
        (
            "nodes = [\"redis://:sesame@10.0.0.1:1\"]",
            "redis-ha.toml:1: nodes = ...: not IP:port such as \"192.168.158.11:6379\" or \
             \"[::1]:6379\"; a host name is not allowed, because a failover can't wait for its \
             lookup",
        ),
        (
            "nodes = [\"10.0.0.1:1\", \"10.0.0.2:1\"]",
            "redis-ha.toml: vip is missing; write vip = \"192.168.158.13\" with keepalived's \
             virtual address",
        ),
        (
            "nodes = [\"10.0.0.1:1\", \"10.0.0.2:1\"]\nvip = \"10.0.0.3/24\"",
            r#"redis-ha.toml:2: vip = "10.0.0.3/24": not an IP address such as "192.168.158.13", without port, prefix length or name"#,
        ),
        (
            "nodes = [\"10.0.0.1:1\", \"10.0.0.2:1\"]\nvip = \"10.0.0.2\"",
            r#"redis-ha.toml:2: vip = "10.0.0.2": also the address of a node; the virtual address is one of its own"#,
        ),
        (
            "nodes = [\"10.0.0.1:1\", \"10.0.0.2:1\"]\nvip = \"0.0.0.0\"",
            r#"redis-ha.toml:2: vip = "0.0.0.0": not an address that keepalived could move between hosts"#,
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(Place::new(text).error(), expected);
    }
    for vip in [
        "0.0.0.0",
        "224.0.0.18",
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
    ] {
        let error = Place::new(MINIMAL.replace("192.168.158.13", vip)).error();
        assert!(
            error.ends_with("not an address that keepalived could move between hosts"),
            "{error}"
        );
    }
}

#[test]
fn an_unknown_key_is_an_error_with_its_line_and_what_is_allowed() {
    let cases = [
        (
            "[timing]\nchekc = \"1s\"",
            "redis-ha.toml:4: timing.chekc: unknown key; did you mean check? allowed here: check, \
             connect, command, delay, sync, alone_after, hang",
        ),
        (
            "[timings]\ncheck = \"1s\"",
            "redis-ha.toml:3: timings: unknown key; did you mean [timing]? allowed here: nodes, \
             vip, local, [auth], [tls], [timing], [policy], [flap], [rollback], [log], [memory], \
             [hooks], [commands], [sentinel]",
        ),
        (
            "vips = 1",
            "redis-ha.toml:3: vips: unknown key; did you mean vip? allowed here: nodes, vip, \
             local, [auth], [tls], [timing], [policy], [flap], [rollback], [log], [memory], \
             [hooks], [commands], [sentinel]",
        ),
        (
            "max_lag = 1",
            "redis-ha.toml:3: max_lag: unknown key; max_lag belongs into [policy]; allowed here: \
             nodes, vip, local, [auth], [tls], [timing], [policy], [flap], [rollback], [log], \
             [memory], [hooks], [commands], [sentinel]",
        ),
        (
            "[log]\nlocal = 1",
            "redis-ha.toml:4: log.local: unknown key; local stands at the top, before any \
             [section]; allowed here: dir",
        ),
        (
            "[tls]\ncacert = \"/a\"",
            "redis-ha.toml:4: tls.cacert: unknown key; did you mean cert? allowed here: ca, cert, \
             key, server_name",
        ),
        (
            "[sentinel]\n[sentinel.tls]\nkeys = 1",
            "redis-ha.toml:5: sentinel.tls.keys: unknown key; did you mean key? allowed here: ca, \
             cert, key, server_name",
        ),
        (
            "[sentinel]\ntsl = 1",
            "redis-ha.toml:4: sentinel.tsl: unknown key; allowed here: master_name, nodes, \
             quorum, when_sentinels_silent, username, password_file, [sentinel.tls]",
        ),
        (
            "[sentinel.tls.more]",
            "redis-ha.toml:3: sentinel.tls.more: unknown key; allowed here: ca, cert, key, \
             server_name",
        ),
        (
            "[auth]\npassword = \"sesame\"",
            "redis-ha.toml:4: auth.password: unknown key; the password stands in a file of mode \
             0600, named by auth.password_file",
        ),
        (
            "dir = 1",
            "redis-ha.toml:3: dir: unknown key; allowed here: nodes, vip, local, [auth], [tls], \
             [timing], [policy], [flap], [rollback], [log], [memory], [hooks], [commands], \
             [sentinel]",
        ),
        (
            "zz = 1\naa = 1",
            "redis-ha.toml:3: zz: unknown key; allowed here: nodes, vip, local, [auth], [tls], \
             [timing], [policy], [flap], [rollback], [log], [memory], [hooks], [commands], \
             [sentinel]",
        ),
        (
            "\"a\\nb\" = 1",
            "redis-ha.toml:3: a\\nb: unknown key; allowed here: nodes, vip, local, [auth], [tls], \
             [timing], [policy], [flap], [rollback], [log], [memory], [hooks], [commands], \
             [sentinel]",
        ),
    ];
    for (rest, expected) in cases {
        assert_eq!(error_of(rest), expected);
    }
}

#[test]
fn what_is_not_toml_is_an_error_with_its_line() {
    for rest in [
        "check 400",
        "vip = \"10.0.0.9\"",
        "[timing",
        "local = \"unix:/run",
        "local = ",
    ] {
        let error = error_of(rest);
        assert!(
            error.starts_with("redis-ha.toml:3: not valid TOML: "),
            "{error}"
        );
    }
    let mut text = MINIMAL.as_bytes().to_vec();
    text.extend(b"# caf\xe9\n");
    assert_eq!(Place::new(text).error(), "redis-ha.toml:3: not UTF-8 text");
}

#[test]
fn a_file_that_can_not_be_one_is_refused() {
    let place = Place::new(format!("{MINIMAL}#{}", "x".repeat(65536)));
    assert_eq!(
        place.error(),
        "redis-ha.toml: larger than 64 KiB: not a configuration file"
    );

    fs::remove_file(place.file()).expect("remove the file");
    assert_eq!(
        place.error(),
        "redis-ha.toml: can't be read: No such file or directory (os error 2)"
    );

    fs::create_dir(place.file()).expect("make a directory in its place");
    assert_eq!(place.error(), "redis-ha.toml: not a regular file");

    for name in ["..", "..toml", "...toml"] {
        let error =
            Config::load_in(&place.dir.path().join(name), &place.environment).expect_err(name);
        assert!(
            error.to_string().contains("can't name an instance"),
            "{error}"
        );
    }
}

#[test]
fn a_named_pipe_is_refused_and_not_waited_for() {
    let (answers, received) = std::sync::mpsc::channel();
    // A thread, so that a program that waits for the pipe fails this test instead of stopping it.
    std::thread::spawn(move || {
        let place = Place::new("");
        fs::remove_file(place.file()).expect("remove the file");
        make_pipe(&place.file());
        answers.send(place.error()).expect("hand the answer over");

        fs::remove_file(place.file()).expect("remove the pipe");
        let auth = place.password("", 0o600);
        fs::remove_file(place.dir.path().join("redis.pass")).expect("remove the password file");
        make_pipe(&place.dir.path().join("redis.pass"));
        place.write(format!("{MINIMAL}{auth}"));
        answers.send(place.error()).expect("hand the answer over");
    });
    for expected in [
        "redis-ha.toml: not a regular file",
        "password file redis.pass: refused: not a regular file",
    ] {
        assert_eq!(
            received.recv_timeout(Duration::from_secs(20)).as_deref(),
            Ok(expected)
        );
    }
}

fn make_pipe(path: &Path) {
    let made = Command::new("mkfifo")
        .arg("-m")
        .arg("600")
        .arg(path)
        .status()
        .expect("run mkfifo");
    assert!(made.success(), "mkfifo {}", path.display());
}

#[test]
fn the_password_is_the_one_line_of_its_file() {
    for (text, password) in [
        ("sesame", "sesame"),
        ("sesame\n", "sesame"),
        ("sesame\r\n", "sesame"),
        (" a b ", " a b "),
    ] {
        let place = Place::new("");
        place.write(format!("{MINIMAL}{}", place.password(text, 0o600)));
        let config = place.load().expect("a right password file is taken");
        assert_eq!(
            config.auth.password.as_ref().map(Secret::expose),
            Some(password)
        );
        assert!(!format!("{config:?}").contains(password), "{config:?}");
        assert_eq!(
            config
                .auth
                .password
                .map(|secret| secret.to_string())
                .as_deref(),
            Some("***")
        );
    }
}

#[test]
fn a_password_file_that_others_can_read_or_that_holds_no_password_is_refused() {
    let cases: [(&[u8], u32, &str); 8] = [
        (
            b"sesame",
            0o640,
            "refused: group or others can read or write it (mode 0640); run: chmod 600 redis.pass",
        ),
        (
            b"sesame",
            0o604,
            "refused: group or others can read or write it (mode 0604); run: chmod 600 redis.pass",
        ),
        (
            b"sesame",
            0o602,
            "refused: group or others can read or write it (mode 0602); run: chmod 600 redis.pass",
        ),
        (b"", 0o600, "empty; write the password into it, on one line"),
        (
            b"\n",
            0o600,
            "empty; write the password into it, on one line",
        ),
        (
            b"sesame\n\n",
            0o600,
            "more than one line; write the password alone, on one line",
        ),
        (
            b"open\nsesame\n",
            0o600,
            "more than one line; write the password alone, on one line",
        ),
        (b"\xff\xfe", 0o600, "not UTF-8 text"),
    ];
    for (text, mode, expected) in cases {
        let place = Place::new("");
        place.write(format!("{MINIMAL}{}", place.password(text, mode)));
        assert_eq!(
            place.error(),
            format!("password file redis.pass: {expected}")
        );
    }
    let place = Place::new("");
    place.write(format!("{MINIMAL}{}", place.password("sesame", 0o600)));
    // Only root can give a file away; anybody else has shown the rest.
    if std::os::unix::fs::chown(place.dir.path().join("redis.pass"), Some(4711), None).is_ok() {
        let expected = "refused: its owner (uid 4711) is neither root nor the user of this program";
        assert_eq!(
            place.error(),
            format!("password file redis.pass: {expected}; run: chown root redis.pass")
        );
    }
    let missing = error_of("[auth]\npassword_file = \"/nowhere/redis.pass\"");
    assert_eq!(
        missing,
        "password file /nowhere/redis.pass: can't be read: No such file or directory (os error 2)"
    );
}

#[test]
fn names_with_control_characters_are_refused() {
    for value in [
        "log.dir = \"/a\\nb\"",
        "local = \"unix:/a\\nb\"",
        "auth.username = \"a\\nb\"",
        "auth.username = \"\"",
    ] {
        assert!(error_of(value).contains(": not "), "{}", error_of(value));
    }
}

#[test]
fn a_password_written_where_its_file_should_be_named_is_not_repeated() {
    let error = error_of("[auth]\npassword_file = \"sesame\"");
    assert!(
        error.starts_with("redis-ha.toml:4: auth.password_file = ...: not an absolute path"),
        "{error}"
    );
    assert!(!error.contains("sesame"), "{error}");
}

#[test]
fn the_environment_wins_over_the_password_file() {
    let mut place = Place::new("");
    place.write(format!("{MINIMAL}{}", place.password("from file", 0o600)));
    place.environment.password = Some(Secret::new("from environment".to_owned()));
    let config = place.load().expect("a right file is taken");
    assert_eq!(
        config.auth.password.as_ref().map(Secret::expose),
        Some("from environment")
    );
}

#[test]
fn a_user_without_a_password_is_refused() {
    let mut place = Place::new(format!("{MINIMAL}[auth]\nusername = \"ha\""));
    assert_eq!(
        place.error(),
        "redis-ha.toml: auth.password_file is missing; auth.username needs it, or REDISCLI_AUTH \
         in the environment"
    );
    place.environment.password = Some(Secret::new("sesame".to_owned()));
    assert_eq!(
        place
            .load()
            .expect("with a password it is taken")
            .auth
            .username
            .as_deref(),
        Some("ha")
    );
}

/// Runs in a process of its own (see below), because the environment belongs to the whole process.
#[test]
fn says_what_the_environment_holds() {
    if std::env::var_os("SAY_ENVIRONMENT").is_none() {
        return;
    }
    match Environment::of_process() {
        Ok(Environment { state, password }) => {
            println!(
                "state={} password={:?}",
                state.display(),
                password.as_ref().map(Secret::expose)
            );
        }
        Err(error) => println!("{error}"),
    }
}

#[test]
fn the_environment_of_the_process_is_read() {
    let said = |variables: Vec<(&str, std::ffi::OsString)>| {
        let program = std::env::current_exe().expect("name this program");
        let mut command = Command::new(program);
        command.args(["--exact", "says_what_the_environment_holds", "--nocapture"]);
        command
            .env_clear()
            .env("SAY_ENVIRONMENT", "1")
            .envs(variables);
        let output = command.output().expect("run this program again");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let output = said(vec![]);
    assert!(
        output.contains("state=/var/lib/keepalived-redis password=None"),
        "{output}"
    );
    let output = said(vec![
        ("REDISCLI_AUTH", "".into()),
        ("KEEPALIVED_REDIS_STATE", "".into()),
    ]);
    assert!(
        output.contains("state=/var/lib/keepalived-redis password=None"),
        "{output}"
    );
    let output = said(vec![
        ("REDISCLI_AUTH", "sesame".into()),
        ("KEEPALIVED_REDIS_STATE", "/srv/state".into()),
    ]);
    assert!(
        output.contains("state=/srv/state password=Some(\"sesame\")"),
        "{output}"
    );
    let output = said(vec![(
        "REDISCLI_AUTH",
        std::ffi::OsString::from_vec(vec![0xff]),
    )]);
    assert!(
        output.contains("environment REDISCLI_AUTH: not UTF-8 text"),
        "{output}"
    );
}

#[test]
fn a_broken_edit_leaves_the_last_good_version_in_force_and_raises_an_alarm() {
    let place = Place::new("");
    assert!(place.load_or_last().is_err(), "a wrong file and no copy");
    assert!(!place.copy().exists(), "a wrong file is no good copy");

    let good = format!("{MINIMAL}{}", place.password("sesame", 0o600));
    place.write(&good);
    let (first, alarm) = place.load_or_last().expect("a right file is taken");
    assert_eq!(alarm, None);

    for broken in ["", "nodes = [", "\u{0}", &format!("{good}max_lagg = 1")] {
        place.write(broken);
        let (config, alarm) = place.load_or_last().expect("the copy stands in");
        assert_eq!(config, first);
        assert_eq!(alarm, Some(place.load().expect_err("the file is wrong")));
    }
    fs::remove_file(place.file()).expect("remove the file");
    let (config, alarm) = place.load_or_last().expect("the copy stands in");
    assert_eq!(config, first);
    assert!(
        alarm
            .expect("the file is gone")
            .to_string()
            .contains("No such file")
    );

    place.write(good.replace(".13", ".14"));
    let (config, alarm) = place.load_or_last().expect("a right file is taken");
    assert_eq!(
        (config.vip.to_string().as_str(), alarm),
        ("192.168.158.14", None)
    );
    place.write("");
    let (config, _) = place.load_or_last().expect("the new copy stands in");
    assert_eq!(config.vip.to_string(), "192.168.158.14");
}

#[test]
fn a_damaged_copy_does_not_stand_in_and_is_written_anew() {
    let place = Place::new(MINIMAL);
    place.load_or_last().expect("a right file is taken");
    fs::write(place.copy(), b"nodes = [\xff").expect("damage the copy");
    place.write("");
    let error = place.load_or_last().expect_err("neither is right");
    assert_eq!(
        error,
        place.load().expect_err("the error is that of the file")
    );
    place.write(MINIMAL);
    place.load_or_last().expect("a right file is taken");
    assert_eq!(
        fs::read_to_string(place.copy()).expect("read the copy"),
        MINIMAL
    );
}

#[test]
fn the_copy_is_private_holds_no_secret_and_is_replaced_only_when_it_differs() {
    use std::os::unix::fs::MetadataExt;
    let place = Place::new("");
    place.write(format!("{MINIMAL}{}", place.password("sesame", 0o600)));
    place.load_or_last().expect("a right file is taken");
    let first = fs::metadata(place.copy()).expect("look at the copy");
    assert_eq!(first.mode() & 0o7777, 0o600);
    assert!(
        !fs::read_to_string(place.copy())
            .expect("read the copy")
            .contains("sesame")
    );

    place.load_or_last().expect("a right file is taken");
    assert_eq!(
        fs::metadata(place.copy()).expect("look again").ino(),
        first.ino()
    );

    place.write(MINIMAL);
    place.load_or_last().expect("a right file is taken");
    let dir = place
        .copy()
        .parent()
        .map(Path::to_owned)
        .expect("the copy is in a directory");
    let names: Vec<_> = fs::read_dir(&dir)
        .expect("list it")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(names, ["config.last.toml"]);
    assert_eq!(
        fs::read_to_string(place.copy()).expect("read the copy"),
        MINIMAL
    );
}

#[test]
fn a_comment_counts_as_an_empty_line_and_a_hash_in_a_string_is_none() {
    let comments = "# one\n  # two \"quote\n\t#\r\n";
    let place = Place::new(format!("{comments}{MINIMAL}{comments}wrong = 1"));
    let line = comments.lines().count() * 2 + MINIMAL.lines().count() + 1;
    let error = place.load().expect_err("an unknown key").to_string();
    assert!(
        error.contains(&format!("line {line}:")) || error.contains(&format!(":{line}:")),
        "{error}"
    );
    let many_lines = format!("{MINIMAL}[policy]\nterm_key = \"\"\"\\\n#no-comment\"\"\"\n");
    place.write(&many_lines);
    assert_eq!(
        place
            .load()
            .expect("a string of two lines")
            .policy
            .term_key
            .as_deref(),
        Some("#no-comment")
    );
}

/// Runs in processes of its own (see below).
#[test]
fn loads_again_and_again() {
    let Some(dir) = std::env::var_os("LOAD_AGAIN") else {
        return;
    };
    let dir = Path::new(&dir);
    let environment = Environment {
        state: dir.join("state"),
        password: None,
    };
    for _ in 0..300 {
        let (_, alarm) = Config::load_or_last_in(&dir.join("redis-ha.toml"), &environment)
            .expect("take the file");
        assert_eq!(alarm, None);
    }
}

#[test]
fn programs_that_run_at_once_leave_a_whole_copy() {
    let place = Place::new(MINIMAL);
    place.load_or_last().expect("a right file is taken");
    let other = format!("{MINIMAL}[log]\ndir = \"/{}\"\n", "x".repeat(20_000));
    let program = std::env::current_exe().expect("name this program");
    let mut programs: Vec<_> = (0..4)
        .map(|_| {
            let mut command = Command::new(&program);
            command
                .args(["--exact", "loads_again_and_again"])
                .env("LOAD_AGAIN", place.dir.path());
            command
                .stdout(std::process::Stdio::null())
                .spawn()
                .expect("run this program again")
        })
        .collect();
    let mut running = true;
    while running {
        for text in [other.as_str(), MINIMAL] {
            let new = place.dir.path().join("new");
            fs::write(&new, text).expect("write the next version");
            fs::rename(&new, place.file()).expect("put it in place");
            let copy = fs::read_to_string(place.copy()).expect("read the copy");
            assert!(copy == MINIMAL || copy == other, "{} bytes", copy.len());
        }
        running = programs
            .iter_mut()
            .any(|program| program.try_wait().expect("look at it").is_none());
    }
    for mut program in programs {
        assert!(program.wait().expect("wait for it").success());
    }
    place.load_or_last().expect("a right file is taken");
    assert_eq!(
        fs::read_to_string(place.copy()).expect("read the copy"),
        MINIMAL
    );
}

#[test]
fn a_copy_that_can_not_be_written_stops_nothing_and_leaves_nothing() {
    let mut place = Place::new(MINIMAL);
    fs::create_dir_all(place.copy()).expect("make a directory in its place");
    assert_eq!(place.load_or_last().expect("a right file is taken").1, None);
    let dir = place.environment.state.join("redis-ha");
    assert_eq!(fs::read_dir(dir).expect("list it").count(), 1);

    place.environment.state = place.file().join("below a file");
    assert_eq!(place.load_or_last().expect("a right file is taken").1, None);
}

#[test]
fn with_the_copy_an_opened_password_file_is_an_alarm_and_no_outage() {
    let place = Place::new("");
    place.write(format!("{MINIMAL}{}", place.password("sesame", 0o600)));
    place.load_or_last().expect("a right file is taken");

    place.password("sesame", 0o644);
    let (config, alarm) = place.load_or_last().expect("the copy stands in");
    assert_eq!(
        config.auth.password.as_ref().map(Secret::expose),
        Some("sesame")
    );
    assert!(
        alarm
            .expect("the mode is wrong")
            .to_string()
            .contains("mode 0644")
    );

    fs::remove_file(place.dir.path().join("redis.pass")).expect("remove the password file");
    let (config, alarm) = place.load_or_last().expect("the copy stands in");
    assert_eq!(config.auth.password, None);
    assert!(
        alarm
            .expect("the password is gone")
            .to_string()
            .contains("can't be read")
    );
}

/// `MINIMAL` and a `[tls]` section with these keys, its files in the directory of `place`.
fn with_tls(place: &Place, keys: &[&str]) -> String {
    let file = |key: &&str| match *key {
        "ca" => format!("ca = \"{}/ca.crt\"\n", place.dir.path().display()),
        key => format!(
            "{key} = \"{}/client.{}\"\n",
            place.dir.path().display(),
            key.replace("cert", "crt")
        ),
    };
    format!(
        "{MINIMAL}[tls]\n{}",
        keys.iter().map(file).collect::<String>()
    )
}

#[test]
fn the_section_of_tls_makes_tls_and_names_what_it_needs() {
    let place = Place::new("");
    certificates(&place);
    assert_eq!(loaded(MINIMAL).auth.tls, None);
    place.write(with_tls(&place, &["ca"]));
    let config = place.load().expect("ca is enough");
    let files = config.auth.tls.expect("TLS").files.clone();
    assert_eq!(
        (files.ca, files.client, files.server_name),
        (place.dir.path().join("ca.crt"), None, None)
    );
    place.write(with_tls(&place, &["ca", "cert", "key"]));
    let config = place.load().expect("a client's certificate");
    let said = format!("{config:?}");
    assert!(
        said.contains("client.key") && !said.contains("PRIVATE"),
        "{said}"
    );
    let again = place.load().expect("the same");
    assert_eq!(config, again);
    certificates(&place);
    assert_ne!(config, place.load().expect("other certificates"));

    let missing = |keys: &[&str]| {
        place.write(with_tls(&place, keys));
        place.error()
    };
    assert_eq!(
        missing(&["cert"]),
        "redis-ha.toml: tls.ca is missing; write ca = \"/etc/keepalived/ca.crt\" with those who \
         sign the servers' certificates"
    );
    let key = "redis-ha.toml: tls.key is missing; cert needs it: the certificate's private key";
    assert_eq!(missing(&["ca", "cert"]), key);
    assert_eq!(
        missing(&["ca", "key"]),
        "redis-ha.toml: tls.cert is missing; key needs it: the key's certificate"
    );
    for (line, expected) in [
        (
            "ca = \"ca.crt\"",
            r#"tls.ca = "ca.crt": not an absolute path; write it as "/etc/keepalived/ca.crt""#,
        ),
        (
            "ca = \"/a\"\ncert = \"/a\"\nkey = \"-----BEGIN\"",
            "tls.key = ...: not an absolute path",
        ),
        (
            "ca = \"/a\"\nserver_name = \"no name\"",
            "tls.server_name = \"no name\": not a name that a certificate can",
        ),
        (
            "ca = \"/nowhere/ca.crt\"",
            "tls.ca /nowhere/ca.crt: can't be read: No such file or directory",
        ),
    ] {
        let error = error_of(&format!("[tls]\n{line}\n"));
        assert!(error.contains(expected), "{error}");
    }
    let error = Place::new(format!("tls = true\n{MINIMAL}"))
        .load()
        .expect_err("no section")
        .to_string();
    assert!(
        error.contains("tls = true: not a section; write [tls] on a line of its own"),
        "{error}"
    );
}

#[test]
fn files_of_tls_that_are_no_use_are_refused_and_with_the_copy_left_out() {
    let place = Place::new("");
    certificates(&place);
    let text = with_tls(&place, &["ca", "cert", "key"]);
    place.write(&text);
    place.load_or_last().expect("a right file is taken");
    let key = place.dir.path().join("client.key");

    fs::set_permissions(&key, Permissions::from_mode(0o640)).expect("opened");
    let expected =
        "refused: group or others can read or write it (mode 0640); run: chmod 600 client.key";
    assert_eq!(place.error(), format!("tls.key client.key: {expected}"));
    let (config, alarm) = place.load_or_last().expect("the copy stands in");
    assert!(config.auth.tls.is_some() && alarm.is_some());

    for (name, text, expected) in [
        (
            "client.key",
            "nonsense",
            "tls.key client.key: holds no private key (PEM, without a passphrase)",
        ),
        ("client.crt", "", "tls.cert client.crt: empty"),
        (
            "ca.crt",
            "-----BEGIN CERTIFICATE-----\n",
            "tls.ca ca.crt: not a file of certificates (PEM): ",
        ),
    ] {
        certificates(&place);
        fs::write(place.dir.path().join(name), text).expect("spoilt");
        assert!(place.error().starts_with(expected), "{}", place.error());
        let (config, alarm) = place.load_or_last().expect("the copy stands in");
        assert!(config.auth.tls.is_some(), "plain text is no way out");
        assert!(alarm.expect("an alarm").to_string().contains(name));
    }
    let other = Place::new("");
    certificates(&other);
    certificates(&place);
    fs::copy(other.dir.path().join("client.key"), key).expect("another key");
    assert_eq!(
        place.error(),
        "tls.key client.key: not the key of the certificate"
    );
}

#[test]
fn sentinels_have_a_section_of_tls_of_their_own() {
    let place = Place::new("");
    certificates(&place);
    let sentinel = "[sentinel]\nmaster_name = \"mymaster\"\nnodes = [\"10.0.0.1:26379\"]\n";
    let tls = with_tls(&place, &["ca"])
        .replace(MINIMAL, "")
        .replace("[tls]", "[sentinel.tls]");
    place.write(format!("{MINIMAL}{sentinel}{tls}"));
    let config = place.load().expect("a right file");
    assert!(
        config.auth.tls.is_none() && config.sentinel.expect("Sentinel mode").auth.tls.is_some()
    );
    place.write(format!(
        "{MINIMAL}{sentinel}[sentinel.tls]\nca = \"/nowhere\"\n"
    ));
    let error = "sentinel.tls.ca /nowhere: can't be read: No such file or directory (os error 2)";
    assert_eq!(place.error(), error);
    place.write(format!("{MINIMAL}{tls}"));
    assert!(
        place.error().contains("sentinel.master_name is missing"),
        "{}",
        place.error()
    );
}

#[test]
fn the_local_node_is_the_one_with_an_address_of_this_machine() {
    let config = loaded(MINIMAL);
    let node = config.local_node(&addresses(&[
        "127.0.0.1",
        "::1",
        "192.168.158.12",
        "192.168.158.13",
    ]));
    assert_eq!(node, Ok(config.nodes[1]));
    assert_eq!(
        config.local_node(&addresses(&["::ffff:192.168.158.11"])),
        Ok(config.nodes[0])
    );

    let none = config
        .local_node(&addresses(&["127.0.0.1", "10.0.0.1"]))
        .expect_err("no address of a node");
    assert_eq!(
        none.to_string()
            .split_once(": ")
            .map(|(_, sentence)| sentence.to_owned())
            .as_deref(),
        Some(
            "none of nodes (192.168.158.11:6379, 192.168.158.12:6379) has an address of this \
             machine (127.0.0.1, 10.0.0.1); correct nodes, or set local to one of them"
        )
    );
    let several = config
        .local_node(&addresses(&["192.168.158.11", "192.168.158.12"]))
        .expect_err("both nodes");
    assert!(
        several
            .to_string()
            .contains("several of nodes (192.168.158.11:6379, 192.168.158.12:6379)"),
        "{several}"
    );
}

#[test]
fn local_names_the_node_and_a_socket_does_not() {
    let here = addresses(&["192.168.158.11", "192.168.158.12"]);
    let config = loaded(&format!("{MINIMAL}local = \"192.168.158.12:6379\""));
    assert_eq!(config.local_node(&here), Ok(config.nodes[1]));
    assert_eq!(config.local_node(&[]), Ok(config.nodes[1]));
    let config = loaded(&format!("{MINIMAL}local = \"unix:/run/redis.sock\""));
    assert_eq!(config.local_node(&here[..1]), Ok(config.nodes[0]));
    assert!(config.local_node(&[]).is_err());
}

/// Whatever the bytes: no panic, and one line without control characters.
fn any_bytes_are_taken_or_refused_on_one_line(bytes: &[u8]) {
    let place = Place::new(bytes);
    if let Err(error) = place.load() {
        let line = error.to_string();
        assert!(
            !line.is_empty() && !line.contains(char::is_control),
            "{line:?}"
        );
        assert!(line.len() < 70_000, "{} bytes", line.len());
    }
}

/// What may replace a stretch of the example: pieces of TOML, of values, and rubbish.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let toml = prop::sample::select(vec![
        "",
        "\"",
        "'",
        "\"\"\"",
        "[",
        "]",
        "[[",
        "{",
        "}",
        "=",
        ".",
        ",",
        "#",
        "\n",
        "\r\n",
        "\0",
        "-1",
        "1e999",
        "0x7f",
        "nan",
        "inf",
        "true",
        "\"400ms\"",
        "\"9999999999999999999s\"",
        "\"0.5ns\"",
        "\"1 µs\"",
        "\"µ1µ\"",
        "\"1.ms\"",
        "\"99999999999999999999EiB\"",
        "\"1.5.5MiB\"",
        "\"-1KiB\"",
        "1979-05-27T07:32:00Z",
        "nodes",
        "vip",
        "[timing]",
        "[auth]\nusername = \"\"",
        "\"[fe80::1%1]:6379\"",
        "\"unix:\"",
        "\u{feff}",
        "\u{2028}",
    ]);
    prop_oneof![
        toml.prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..8),
        any::<String>().prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn random_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        any_bytes_are_taken_or_refused_on_one_line(&bytes);
    }

    #[test]
    fn random_text_below_good_lines_does_no_harm(text in "\\PC{0,80}") {
        any_bytes_are_taken_or_refused_on_one_line(format!("{MINIMAL}{text}").as_bytes());
    }

    #[test]
    fn random_edits_of_the_example_do_no_harm(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, piece()), 1..6),
        whole in any::<bool>(),
    ) {
        let text = if whole { uncommented() } else { EXAMPLE.to_owned() };
        let mut bytes = text.into_bytes();
        for (at, cut, piece) in edits {
            let start = at.index(bytes.len() + 1);
            let end = (start + cut).min(bytes.len());
            bytes.splice(start..end, piece);
        }
        any_bytes_are_taken_or_refused_on_one_line(&bytes);
    }

    #[test]
    fn any_string_as_any_value_does_no_harm(value in ".{0,40}", key in prop::sample::select(every_key())) {
        let quoted = toml::Value::String(value).to_string();
        let text = match key.as_str() {
            "nodes" => format!("nodes = [\"10.0.0.1:1\", {quoted}]\nvip = \"10.0.0.3\""),
            "vip" => format!("nodes = [\"10.0.0.1:1\", \"10.0.0.2:1\"]\nvip = {quoted}"),
            key => format!("{MINIMAL}{key} = {quoted}"),
        };
        any_bytes_are_taken_or_refused_on_one_line(text.as_bytes());
    }
}
