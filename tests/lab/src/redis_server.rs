//! Redis on a host.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use crate::host::Host;
use crate::resp::{Connection, Reply};
use crate::wait;

/// The port that every Redis of the lab listens on.
pub const PORT: u16 = 6379;
/// The password of every Redis of the lab.
pub const PASSWORD: &str = "a lab's password";
const CONFIG: &str = "/etc/redis/redis.conf";
const NAME: &str = "redis-server";

/// What may differ between one Redis and another.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// `appendonly yes`; otherwise Redis's own RDB rules.
    pub appendonly: bool,
}

/// Writes the host's redis.conf.
pub fn configure(host: &Host, settings: Settings) -> Result<()> {
    let appendonly = if settings.appendonly { "yes" } else { "no" };
    let text = format!(
        "bind * -::*\nport {PORT}\nrequirepass \"{PASSWORD}\"\nmasterauth \"{PASSWORD}\"\n\
         appendonly {appendonly}\ndir /var/lib/redis\nlogfile /var/log/redis.log\n\
         enable-debug-command yes\n"
    );
    host.write(CONFIG, &text, 0o640)
}

/// Starts it on what redis.conf says now. Does not wait.
pub fn start(host: &Host) -> Result<()> {
    host.tell("start redis");
    host.spawn(NAME, &[CONFIG])
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
    let net = host.net().with_context(|| format!("{} is off", host.name))?;
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
    let net = host.net().with_context(|| format!("{} is off", host.name))?;
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
            anyhow::ensure!(reply.text() == "OK", "SET: {}", reply.text());
        }
        Ok(())
    })
}
