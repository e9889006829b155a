//! Two hosts with Redis and the programs, the second one following the first, and a VIP that the
//! test moves.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use lab::host::Host;
use lab::lab::{Lab, NODES, Node, VIP, tree};
use lab::redis_client::{Connection, Reply};
use lab::redis_server::{self, PASSWORD, PORT, Settings};
use lab::wait;

/// How long anything here may take that should take moments.
pub const SOON: Duration = Duration::from_secs(10);
const PROGRAMS: [&str; 6] = [
    "check_redis",
    "redis_master",
    "redis_backup",
    "redis_fault",
    "redis_stop",
    "keepalived-redis",
];
/// Where the programs are installed.
pub const BIN: &str = "/usr/libexec/keepalived";
pub const CONFIG: &str = "/etc/keepalived/redis-ha.toml";
pub const JOURNAL: &str = "/var/log/keepalived-redis/keepalived-redis-status.log";
pub const MEMORY: &str = "/var/lib/keepalived-redis/redis-ha";
pub const ROLLBACK: &str = "/var/lib/keepalived-redis/rollback";

/// Which Redis.
#[derive(Clone, Copy, PartialEq)]
pub enum Version {
    /// The machine's own.
    Own,
    /// 5.0.6, which has no pause of writes.
    Five,
}

pub struct Pair {
    pub lab: Lab,
    version: Version,
}

impl Pair {
    /// Redis runs on both, b follows a, the VIP is on a.
    pub fn new(version: Version) -> Pair {
        Pair::with(version, "")
    }

    /// The same with more in the configuration file: `[section]` lines.
    pub fn with(version: Version, more: &str) -> Pair {
        Pair::of(&NODES[..2], version, more)
    }

    /// The same with a third host, which follows a, too.
    pub fn three(version: Version) -> Pair {
        Pair::of(&NODES, version, "")
    }

    fn of(nodes: &[Node], version: Version, more: &str) -> Pair {
        let pair =
            Pair::blank(nodes, version, more).expect("a pair can be set up (root? LAB_BIN_DIR?)");
        for host in &pair.lab.hosts {
            pair.start_redis(host);
        }
        pair.replicate();
        pair.vip(pair.a());
        pair
    }

    /// a was master, b was promoted without it and serves; each has writes that the other lacks, b
    /// more.
    pub fn diverged(more: &str) -> Pair {
        let pair = Pair::with(Version::Own, more);
        ask(pair.b(), &["SLAVEOF", "NO", "ONE"]);
        pair.vip(pair.b());
        ask(pair.a(), &["SET", "only-on-a", "1"]);
        for number in 0..50 {
            ask(pair.b(), &["SET", &format!("only-on-b:{number}"), "1"]);
        }
        pair
    }

    fn blank(nodes: &[Node], version: Version, more: &str) -> Result<Pair> {
        let lab = Lab::of(Settings::default(), nodes, &[])?;
        let pair = Pair { lab, version };
        for host in &pair.lab.hosts {
            host.sh(&format!("mkdir -p {BIN}"))?;
            for program in PROGRAMS {
                let to = host.file(&format!("{BIN}/{program}"));
                std::fs::copy(programs()?.join(program), to)
                    .with_context(|| format!("copying {program}"))?;
            }
            host.write("/etc/keepalived/redis.pass", PASSWORD, 0o600)?;
            host.write(CONFIG, &pair.config(more), 0o644)?;
            host.write("/etc/redis/redis.conf", &pair.redis_conf(), 0o640)?;
        }
        Ok(pair)
    }

    /// The configuration file with `more` after `[auth]`.
    pub fn config(&self, more: &str) -> String {
        let nodes: Vec<String> = self
            .lab
            .hosts
            .iter()
            .map(|host| format!("\"{}:{PORT}\"", host.address))
            .collect();
        let nodes = nodes.join(", ");
        format!(
            "nodes = [{nodes}]\nvip = \"{VIP}\"\n[auth]\npassword_file = \
             \"/etc/keepalived/redis.pass\"\n{more}\n"
        )
    }

    fn redis_conf(&self) -> String {
        let more = match self.version {
            Version::Own => "bind * -::*\nenable-debug-command yes\nrepl-diskless-sync-delay 0\n",
            Version::Five => "protected-mode no\n",
        };
        format!(
            "port {PORT}\nrequirepass \"{PASSWORD}\"\nmasterauth \"{PASSWORD}\"\nappendonly yes\n\
             dir /var/lib/redis\nlogfile /var/log/redis.log\n{more}"
        )
    }

    pub fn start_redis(&self, host: &Host) {
        self.boot_redis(host);
        redis_server::until_up(host).expect("Redis comes up");
    }

    /// Starts it and does not wait.
    pub fn boot_redis(&self, host: &Host) {
        let program = match self.version {
            Version::Own => "redis-server",
            Version::Five => "/mnt/target/redis-5.0.6/redis-server",
        };
        // The threads of one that was killed may hold the port for a moment longer than their
        // process is to be seen.
        let net = host.net().expect("the host is on");
        let free = || {
            net.within(|| Ok(TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT))?))
                .is_ok()
        };
        wait::until("the port is free", SOON, free).expect("no other Redis runs");
        host.spawn(program, &["/etc/redis/redis.conf"])
            .expect("Redis starts");
    }

    fn replicate(&self) {
        for host in &self.lab.hosts[1..] {
            ask(host, &["SLAVEOF", &self.a().address.to_string(), "6379"]);
            self.until_linked(host);
        }
        for host in &self.lab.hosts {
            ask(host, &["CONFIG", "REWRITE"]);
        }
    }

    pub fn until_linked(&self, host: &Host) {
        let linked = || info(host, "master_link_status").as_deref() == Some("up");
        wait::until(&format!("{} is linked", host.name), SOON, linked).expect("replication works");
    }

    pub fn a(&self) -> &Host {
        self.lab.a()
    }

    pub fn b(&self) -> &Host {
        self.lab.b()
    }

    /// Moves the VIP as keepalived does: gone here, there at once, and every neighbour told.
    pub fn vip(&self, to: &Host) {
        for host in &self.lab.hosts {
            let verb = if host.name == to.name {
                "replace"
            } else {
                "del"
            };
            let _ = host.sh(&format!("ip addr {verb} {VIP}/24 dev eth0"));
            let _ = host.sh(&format!("ip neigh flush to {VIP}"));
        }
        self.lab
            .client
            .sh(&format!("ip neigh flush to {VIP}"))
            .expect("the client forgets the neighbour");
    }

    /// `host` is master and the other one follows it, its link up.
    pub fn until_serves(&self, host: &Host) {
        let other = self.other(host);
        let serves = || {
            info(host, "role").as_deref() == Some("master")
                && info(other, "role").as_deref() == Some("slave")
                && info(other, "master_host") == Some(host.address.to_string())
                && info(other, "master_link_status").as_deref() == Some("up")
        };
        if let Err(error) = wait::until(
            &format!("{} serves", host.name),
            Duration::from_secs(20),
            serves,
        ) {
            panic!("{error}\n{}", self.story());
        }
    }

    pub fn other(&self, host: &Host) -> &Host {
        if host.name == self.a().name {
            self.b()
        } else {
            self.a()
        }
    }

    /// A write through the VIP.
    pub fn write_through_vip(&self, key: &str) -> String {
        self.lab
            .ask(None, &["SET", key, "1"])
            .map_or_else(|error| format!("{error:#}"), |reply| reply.text())
    }

    /// Both journals and both roles.
    pub fn story(&self) -> String {
        self.lab.hosts.iter().fold(String::new(), |text, host| {
            format!(
                "{text}--- {}: role {:?} of {:?}\n{}",
                host.name,
                info(host, "role"),
                info(host, "master_host"),
                journal(host)
            )
        })
    }
}

/// One command to the Redis of `host`.
pub fn ask(host: &Host, command: &[&str]) -> Reply {
    redis_server::call(host, command).expect("Redis answers")
}

/// A connection to the Redis of `host`, for conversations.
pub fn within<T: Send>(
    host: &Host,
    timeout: Duration,
    talk: impl FnOnce(&mut Connection) -> T + Send,
) -> T {
    let net = host.net().expect("the host is on");
    let address = SocketAddr::new(host.address, PORT);
    net.within(|| Ok(talk(&mut Connection::open(address, PASSWORD, timeout)?)))
        .expect("Redis answers")
}

/// A field of INFO, where the Redis of `host` answers.
pub fn info(host: &Host, field: &str) -> Option<String> {
    let text = redis_server::call_within(host, &["INFO"], Duration::from_secs(1))
        .ok()?
        .text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    Some(line.trim().to_string())
}

/// Waits until the Redis of `host` has all that it has on its disk. After a first sync it writes
/// its whole AOF anew: until that is done a kill loses it, and SIGTERM is refused.
pub fn until_on_disk(host: &Host) {
    let none = |field: &str| info(host, field).as_deref() == Some("0");
    let done = || {
        none("aof_rewrite_in_progress")
            && none("aof_rewrite_scheduled")
            && none("aof_pending_bio_fsync")
    };
    wait::until(&format!("{} has all on its disk", host.name), SOON, done)
        .expect("the AOF is written");
}

/// The journal of transitions of `host`.
pub fn journal(host: &Host) -> String {
    std::fs::read_to_string(host.file(JOURNAL)).unwrap_or_default()
}

/// The programs under test.
fn programs() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("LAB_BIN_DIR") {
        return Ok(PathBuf::from(dir));
    }
    let own = std::env::current_exe()?;
    let beside = own
        .ancestors()
        .nth(2)
        .map(PathBuf::from)
        .filter(|dir| dir.join("redis_master").is_file());
    beside.context("no programs: name their directory in LAB_BIN_DIR")
}

/// Redis 5.0.6, fetched where it is not there yet.
pub fn fetch_five() {
    let script = tree().expect("a tree").join("tests/lab/fetch-server.sh");
    let fetched = std::process::Command::new("sh")
        .arg(script)
        .arg("redis-5.0.6")
        .output()
        .expect("sh runs");
    assert!(
        fetched.status.success(),
        "fetching Redis 5.0.6: {}",
        String::from_utf8_lossy(&fetched.stderr)
    );
}
