//! What a campaign does to a Redis by its own commands, and how that is put right.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::dice::Dice;
use crate::host::Host;
use crate::redis_client::Connection;
use crate::redis_server::{self, PASSWORD, PORT};

/// What Redis writes its snapshots to.
const DUMP: &str = "/var/lib/redis/dump.rdb";
const CONFIG: &str = "/etc/redis/redis.conf";
const WRONG: &str = "somebody mistyped it";
/// What Redis itself has for `save`.
const SAVE: &str = "3600 1 300 100 60 10000";
/// Microseconds for each key of a copy.
const SLOWLY: &str = "10000";
/// A server that is busy may not answer at all.
const PATIENCE: Duration = Duration::from_millis(300);

fn told(host: &Host, command: &[&str]) -> Result<()> {
    host.tell(command.join(" "));
    let reply = redis_server::call(host, command)?;
    ensure!(
        reply.code().is_none(),
        "{}: {}",
        command.join(" "),
        reply.text()
    );
    Ok(())
}

pub(super) fn erase_term(host: &Host) -> Result<()> {
    told(host, &["FUNCTION", "FLUSH"])
}

pub(super) fn refuse_term(host: &Host) -> Result<()> {
    told(host, &["ACL", "SETUSER", "default", "-function"])
}

/// The one that Redis wants, or the one that it gives its master.
pub(super) fn wrong_password(host: &Host, dice: &mut Dice) -> Result<()> {
    let which = match dice.below(2) {
        0 => "requirepass",
        _ => "masterauth",
    };
    told(host, &["CONFIG", "SET", which, WRONG])
}

/// No snapshot can be written, nor a copy taken, and Redis finds it out within a second or two. It
/// works in its directory, so that a mount above that would change nothing for it.
pub(super) fn fill_disk(host: &Host) -> Result<()> {
    host.tell(format!("{DUMP} can't be written"));
    let out = host.sh(&format!("rm -rf {DUMP} && mkdir -p {DUMP}/full"))?;
    ensure!(out.status.success(), "{DUMP} of {}", host.name);
    told(host, &["CONFIG", "SET", "save", "1 1"])
}

fn free_disk(host: &Host) -> Result<()> {
    host.sh(&format!("if test -d {DUMP}; then rm -rf {DUMP}; fi"))?;
    Ok(())
}

pub(super) fn copy_slowly(host: &Host) -> Result<()> {
    told(host, &["CONFIG", "SET", "rdb-key-save-delay", SLOWLY])
}

/// It goes on when this client has gone.
pub(super) fn endless_script(host: &Host) {
    host.tell("a script that never ends");
    let _ = redis_server::call_within(host, &["EVAL", "while true do end", "0"], PATIENCE);
}

/// Whether none runs any more. A busy Redis answers nothing before its `busy-reply-threshold`.
pub(super) fn kill_script(host: &Host) -> bool {
    let killed = redis_server::call_within(host, &["SCRIPT", "KILL"], PATIENCE);
    killed.is_ok_and(|reply| reply.is_ok() || reply.text().starts_with("NOTBUSY"))
}

/// Puts right whatever was changed, where Redis answers, and says whether it is right now.
pub(super) fn restore(host: &Host) -> Result<bool> {
    let Some(net) = host.net() else {
        return Ok(false);
    };
    free_disk(host)?;
    let restored = net.within(|| {
        let address = (std::net::Ipv4Addr::LOCALHOST, PORT).into();
        let open = |password| Connection::open(address, password, PATIENCE);
        let Ok(mut redis) = open(PASSWORD).or_else(|_| open(WRONG)) else {
            return Ok(false);
        };
        for command in [
            &["ACL", "SETUSER", "default", "+@all"][..],
            &["CONFIG", "SET", "requirepass", PASSWORD],
            &["CONFIG", "SET", "masterauth", PASSWORD],
            &["CONFIG", "SET", "rdb-key-save-delay", "0"],
            &["CONFIG", "SET", "save", SAVE],
        ] {
            let reply = redis.call(command)?;
            match reply.code() {
                None => {}
                Some("LOADING" | "BUSY") => return Ok(false),
                Some(_) => bail!("{}: {}", command.join(" "), reply.text()),
            }
        }
        // Refusals of writes end with a snapshot, and a program may have written the rest down.
        redis.call(&["BGSAVE", "SCHEDULE"])?;
        redis.call(&["CONFIG", "REWRITE"])?;
        Ok(true)
    })?;
    if restored {
        host.tell("the settings of redis are right again");
    }
    Ok(restored)
}

/// The same on the disk and in redis.conf, for a Redis that is down.
pub(super) fn repair_conf(host: &Host) -> Result<()> {
    free_disk(host)?;
    let file = host.file(CONFIG);
    let text = std::fs::read_to_string(&file).context(CONFIG)?;
    let right = |line: &str| match line.split(' ').next() {
        Some(name @ ("requirepass" | "masterauth")) => format!("{name} \"{PASSWORD}\"\n"),
        Some("user" | "rdb-key-save-delay" | "save") => String::new(),
        _ => format!("{line}\n"),
    };
    Ok(std::fs::write(
        &file,
        text.lines().map(right).collect::<String>(),
    )?)
}
