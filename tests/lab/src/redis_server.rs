//! Redis on a host.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use nix::sys::signal::Signal;

use crate::host::Host;
use crate::redis_client::{Connection, Reply};
use crate::server::Server;
use crate::tls;
use crate::wait;

/// The port that every Redis of the lab listens on.
pub const PORT: u16 = 6379;
/// The password of every Redis of the lab.
pub const PASSWORD: &str = "a lab's password";
/// Where it listens as well, with [`Local::Socket`].
pub const SOCKET: &str = "/run/redis.sock";
const CONFIG: &str = "/etc/redis/redis.conf";
const DATA: &str = "/var/lib/redis";
/// What a drop-in of the unit would put behind redis.conf on its command line, a word a line.
const ARGUMENTS: &str = "/etc/redis/arguments";
const NAME: &str = "redis-server";

/// What may differ between one Redis and another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// What outlives a restart.
    pub persistence: Persistence,
    /// In which role it starts.
    pub boot: Boot,
    /// Which server it is.
    pub server: Server,
    /// How the programs reach the one on their own host.
    pub local: Local,
    /// The addresses of hosts, client and VIP.
    pub family: Family,
}

impl Settings {
    /// What [`Default`] says, for constants.
    pub const DEFAULT: Settings = Settings {
        persistence: Persistence::Aof,
        boot: Boot::AsConfigured,
        server: Server::Own,
        local: Local::Address,
        family: Family::V4,
    };
}

impl std::fmt::Display for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let persistence = match self.persistence {
            Persistence::Aof => "AOF",
            Persistence::Rdb => "RDB",
            Persistence::None => "no persistence",
        };
        let boot = match self.boot {
            Boot::AsConfigured => "",
            Boot::AsReplica => ", boots as replica",
        };
        write!(f, "{persistence}{boot}")?;
        if self.server != Server::Own {
            write!(f, ", {}", self.server)?;
        }
        if self.local == Local::Socket {
            write!(f, ", behind a unix socket")?;
        }
        if self.family == Family::V6 {
            write!(f, ", IPv6")
        } else {
            Ok(())
        }
    }
}

/// How the programs reach the Redis on their own host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Local {
    /// By the host's address, as every other one.
    #[default]
    Address,
    /// By a unix socket, as `local = "unix:..."` says.
    Socket,
}

/// The kind of all addresses but the loopback's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// 192.168.158.0/24.
    #[default]
    V4,
    /// fd00:158::/64.
    V6,
}

/// What outlives a restart of Redis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Persistence {
    /// `appendonly yes`.
    #[default]
    Aof,
    /// Redis's own rules: after an hour, five minutes, a minute, by the number of changes; and at
    /// a clean stop.
    Rdb,
    /// Nothing.
    None,
}

/// In which role a Redis starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Boot {
    /// In the one that its redis.conf says.
    #[default]
    AsConfigured,
    /// As a replica of nobody, whatever its redis.conf says.
    AsReplica,
}

/// Writes the host's redis.conf, and how it is to be started.
pub fn configure(host: &Host, settings: Settings) -> Result<()> {
    let persistence = match settings.persistence {
        Persistence::Aof => "appendonly yes",
        Persistence::Rdb => "appendonly no",
        Persistence::None => "appendonly no\nsave \"\"",
    };
    let socket = match settings.local {
        Local::Address => String::new(),
        Local::Socket => format!("unixsocket {SOCKET}\n"),
    };
    let text = format!(
        "{}{}requirepass \"{PASSWORD}\"\nmasterauth \"{PASSWORD}\"\n\
         {persistence}\ndir {DATA}\nlogfile /var/log/redis.log\n{socket}",
        settings.server.lines(),
        tls::port_lines(PORT)
    );
    tls::certify(host)?;
    host.write(CONFIG, &text, 0o640)?;
    let more = match settings.boot {
        Boot::AsConfigured => String::new(),
        Boot::AsReplica => "--replicaof\n127.0.0.1\n1".to_owned(),
    };
    host.write(ARGUMENTS, &more, 0o644)
}

/// Starts it on what redis.conf says now, with what its unit adds. Does not wait.
pub fn start(host: &Host) -> Result<()> {
    let more = std::fs::read_to_string(host.file(ARGUMENTS)).unwrap_or_default();
    host.tell(format!("start redis {}", more.replace('\n', " ")).trim());
    until_free(host, PORT)?;
    let arguments: Vec<&str> = [CONFIG].into_iter().chain(more.lines()).collect();
    host.spawn(NAME, &arguments)
}

/// Waits until nobody listens there: the threads of a server that was killed may do so for a moment
/// longer than it is to be seen.
pub(crate) fn until_free(host: &Host, port: u16) -> Result<()> {
    let net = host
        .net()
        .with_context(|| format!("{} is off", host.name))?;
    let free = || {
        net.within(|| Ok(TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?))
            .is_ok()
    };
    wait::until(
        &format!("port {port} is free"),
        Duration::from_secs(5),
        free,
    )
}

/// Adds a line to redis.conf.
pub fn add_line(host: &Host, line: &str) -> Result<()> {
    let text =
        std::fs::read_to_string(host.file(CONFIG)).with_context(|| format!("reading {CONFIG}"))?;
    host.write(CONFIG, &format!("{text}{line}\n"), 0o640)
}

/// Takes the role out of redis.conf, as if nobody had ever written it there.
pub fn forget_role(host: &Host) -> Result<()> {
    host.tell("replicaof is taken out of redis.conf");
    let out = host.sh(&format!("sed -i '/^replicaof/d' {CONFIG}"))?;
    ensure!(out.status.success(), "editing {CONFIG} of {}", host.name);
    Ok(())
}

/// Removes its data from the disk. It must be down.
pub fn wipe(host: &Host) -> Result<()> {
    host.tell("the data of redis is removed");
    let out = host.sh(&format!("rm -rf {DATA}/*"))?;
    ensure!(out.status.success(), "removing {DATA}/* of {}", host.name);
    Ok(())
}

/// Waits until it answers.
pub fn until_up(host: &Host) -> Result<()> {
    let limit = Duration::from_secs(60);
    wait::until(&format!("redis up on {}", host.name), limit, || {
        call(host, &["PING"]).is_ok_and(|reply| reply.text() == "PONG")
    })
}

/// `kill -9`.
pub fn kill(host: &Host) -> Result<()> {
    host.signal(NAME, Signal::SIGKILL);
    host.tell("kill -9 redis");
    host.until_gone("redis", |name| name == NAME)
}

/// A clean stop (SIGTERM), as `systemctl stop redis` does.
pub fn stop(host: &Host) -> Result<()> {
    host.signal(NAME, Signal::SIGTERM);
    host.tell("stop redis");
    host.until_gone("redis", |name| name == NAME)
}

/// SIGSTOP: it is there, and silent.
pub fn hang(host: &Host) {
    host.signal(NAME, Signal::SIGSTOP);
    host.tell("redis hangs (SIGSTOP)");
}

/// SIGCONT.
pub fn wake(host: &Host) {
    host.tell("redis goes on (SIGCONT)");
    host.signal(NAME, Signal::SIGCONT);
}

/// One command to the host's own Redis, from inside.
pub fn call(host: &Host, command: &[&str]) -> Result<Reply> {
    call_within(host, command, Duration::from_secs(2))
}

/// One command with a time of its own.
pub fn call_within(host: &Host, command: &[&str], timeout: Duration) -> Result<Reply> {
    let net = host
        .net()
        .with_context(|| format!("{} is off", host.name))?;
    net.within(|| {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        Ok(Connection::open(address, PASSWORD, timeout)?.call(command)?)
    })
}

/// The key of a megabyte that [`fill`] writes.
pub fn bulk_key(number: usize) -> String {
    format!("fill:{number}")
}

/// Writes so many megabytes, a key each, that do not compress.
pub fn fill(host: &Host, megabytes: usize) -> Result<()> {
    host.tell(format!("{megabytes} MB are written"));
    let net = host
        .net()
        .with_context(|| format!("{} is off", host.name))?;
    net.within(|| {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        let mut redis = Connection::open(address, PASSWORD, Duration::from_secs(20))?;
        let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
        for number in 0..megabytes {
            let mut value = Vec::with_capacity(1 << 20);
            while value.len() < 1 << 20 {
                // xorshift64
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                value.extend(noise.to_le_bytes());
            }
            let name = bulk_key(number).into_bytes();
            let reply = redis.call(&[b"SET".to_vec(), name, value])?;
            ensure!(reply.text() == "OK", "SET: {}", reply.text());
        }
        Ok(())
    })
}
