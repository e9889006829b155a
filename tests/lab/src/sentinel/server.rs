//! A redis-sentinel on a host.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{Local, NaiveDateTime, TimeZone};
use nix::sys::signal::Signal;

use crate::host::Host;
use crate::netns::NetNs;
use crate::redis_client::{Connection, Reply};
use crate::redis_server;
use crate::story::{Event, Story};
use crate::tls;

/// The port that every sentinel of the lab listens on.
pub const PORT: u16 = 26379;
/// What all of them call the master.
pub const NAME: &str = "mymaster";
/// As whom they log in to Redis. A password with a space or a quote in it, as the lab's own, is
/// their end: they write it into their file without quotes, and can't read that when they are
/// started again.
const LOGIN: [&str; 2] = ["sentinel", "watches-and-promotes"];
/// What Sentinel's documentation says that it needs.
const RIGHTS: &str = "allchannels +multi +slaveof +ping +exec +subscribe +config|rewrite +role \
    +publish +info \
    +client|setname +client|kill +script|kill";
const CONFIG: &str = "/etc/redis/sentinel.conf";
const LOG: &str = "/var/log/sentinel.log";
const PROGRAM: &str = "redis-sentinel";
/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_millis(500);

/// What the sentinels of a cluster are told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// How many of them have to find the master down.
    pub quorum: usize,
    /// How long a master has to be silent.
    pub down_after: Duration,
    /// The longest time for a failover; twice that until it is tried again.
    pub failover_timeout: Duration,
    /// `requirepass` of the sentinels.
    pub password: Option<&'static str>,
}

impl Default for Terms {
    fn default() -> Self {
        Terms {
            quorum: 2,
            down_after: Duration::from_secs(5),
            failover_timeout: Duration::from_secs(10),
            password: None,
        }
    }
}

/// Writes the host's sentinel.conf: it watches the master at that address.
pub fn configure(host: &Host, master: IpAddr, terms: Terms) -> Result<()> {
    let [user, secret] = LOGIN;
    let login = terms.password.map_or(String::new(), |password| {
        format!("requirepass \"{password}\"\nsentinel sentinel-pass \"{password}\"\n")
    });
    let text = format!(
        "{}bind * -::*\nprotected-mode no\ndir /tmp\nlogfile {LOG}\n{login}\
         sentinel monitor {NAME} {master} {} {}\n\
         sentinel auth-user {NAME} {user}\nsentinel auth-pass {NAME} {secret}\n\
         sentinel down-after-milliseconds {NAME} {}\n\
         sentinel failover-timeout {NAME} {}\n\
         sentinel parallel-syncs {NAME} 1\n",
        tls::port_lines(PORT),
        redis_server::PORT,
        terms.quorum,
        terms.down_after.as_millis(),
        terms.failover_timeout.as_millis()
    );
    tls::certify(host)?;
    host.write(CONFIG, &text, 0o640)
}

/// Lets sentinels log in to the Redis of that host, from its next start on.
pub fn admit(host: &Host) -> Result<()> {
    let [user, secret] = LOGIN;
    redis_server::add_line(host, &format!("user {user} on >{secret} {RIGHTS}"))
}

/// Starts it on what sentinel.conf says now. Does not wait.
pub fn start(host: &Host) -> Result<()> {
    host.tell("start sentinel");
    redis_server::until_free(host, PORT)?;
    host.spawn(PROGRAM, &[CONFIG])
}

/// `kill -9`.
pub fn kill(host: &Host) -> Result<()> {
    host.signal(PROGRAM, Signal::SIGKILL);
    host.tell("kill -9 sentinel");
    host.until_gone("sentinel", |name| name == PROGRAM)
}

/// SIGSTOP: it is there, and silent.
pub fn hang(host: &Host) {
    host.signal(PROGRAM, Signal::SIGSTOP);
    host.tell("sentinel hangs (SIGSTOP)");
}

/// SIGCONT.
pub fn wake(host: &Host) {
    host.tell("sentinel goes on (SIGCONT)");
    host.signal(PROGRAM, Signal::SIGCONT);
}

/// A connection from the namespace `from`.
pub fn connect(from: &NetNs, at: IpAddr, password: Option<&str>) -> Result<Connection> {
    let address = SocketAddr::new(at, PORT);
    from.within(|| {
        Ok(match password {
            Some(password) => Connection::open_within(address, password, PATIENCE, PATIENCE)?,
            None => Connection::open_plain(address, PATIENCE, PATIENCE)?,
        })
    })
    .with_context(|| format!("asking the sentinel at {at}"))
}

/// `SENTINEL` and more words, to the one at that address; an error of its own is a reply.
pub fn call(from: &NetNs, at: IpAddr, password: Option<&str>, words: &[&str]) -> Result<Reply> {
    let command: Vec<&str> = ["SENTINEL"]
        .into_iter()
        .chain(words.iter().copied())
        .collect();
    Ok(connect(from, at, password)?.call(&command)?)
}

/// What it wrote into its log, at the times that it gives.
pub fn told(story: &Story, host: &Host) -> Vec<Event> {
    let Ok(text) = std::fs::read_to_string(host.file(LOG)) else {
        return Vec::new();
    };
    let parse = |line: &str| {
        // 17:X 25 Nov 2026 22:08:01.123 # +sdown master mymaster 192.168.158.11 6379
        let (_, rest) = line.split_once(":X ")?;
        let mut words = rest.splitn(6, ' ');
        let stamp: Vec<&str> = words.by_ref().take(4).collect();
        let what = words.last()?;
        let at = NaiveDateTime::parse_from_str(&stamp.join(" "), "%d %b %Y %H:%M:%S%.3f").ok()?;
        let wall = Local.from_local_datetime(&at).earliest()?;
        let (at, who) = (story.moment(wall), host.name.clone());
        // Events begin with a sign.
        what.starts_with(['+', '-']).then(|| Event {
            at,
            who,
            source: "sentinel",
            what: what.to_owned(),
        })
    };
    text.lines().filter_map(parse).collect()
}
