//! A fresh pair for a campaign: everything on both hosts, one serving.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Orders;
use super::field;
use crate::clients::Kind;
use crate::host::Host;
use crate::lab::Lab;
use crate::redis_server;
use crate::wait;
use crate::workload::DATABASES;

/// For so long it must stay settled.
const STEADY: Duration = Duration::from_secs(1);
/// At last by then.
const LIMIT: Duration = Duration::from_secs(60);

/// Both hosts with everything on them, one serving.
pub fn bring_up(orders: &Orders) -> Result<Lab> {
    let lab = Lab::new(orders.settings)?;
    orders.suite.prepare()?;
    for host in &lab.hosts {
        // A power loss of the lab spares the machine's page cache, so that every acknowledged write
        // is on the disk. With `everysec` Redis holds writes back while it syncs, and then they are
        // not.
        append(
            &host.file("/etc/redis/redis.conf"),
            &format!(
                "appendfsync no\nrepl-diskless-sync-delay 1\n{}",
                match orders.client {
                    Kind::Adding => String::new(),
                    _ => format!("databases {DATABASES}\n"),
                }
            ),
        )?;
        redis_server::start(host)?;
    }
    for host in &lab.hosts {
        redis_server::until_up(host)?;
    }
    orders.suite.install(&lab)?;
    for host in &lab.hosts {
        configure(host, orders.keep_nothing)?;
        orders.suite.start_keepalived(host)?;
    }
    wait::until_steady("the pair is settled", STEADY, LIMIT, || {
        field::is_settled(&lab)
    })?;
    if let Some(serving) = lab
        .hosts
        .iter()
        .find(|host| lab.serves(host))
        .filter(|_| orders.megabytes > 0)
    {
        redis_server::fill(serving, orders.megabytes)?;
    }
    Ok(lab)
}

/// Nothing that is evidence is thrown away, and a Redis that died is not held against its node for
/// half an hour.
fn configure(host: &Host, keep_nothing: bool) -> Result<()> {
    let file = host.file("/etc/keepalived/redis-ha.toml");
    let mut text = std::fs::read_to_string(&file).context("reading redis-ha.toml")?;
    let mode = if keep_nothing {
        "\nmode = \"never\""
    } else {
        ""
    };
    for (section, keys) in [
        ("[rollback]", format!("keep = 1000{mode}")),
        (
            "[flap]",
            "count = 3\nwindow = \"30s\"\nhold = \"15s\"".to_owned(),
        ),
    ] {
        text = match text.contains(&format!("\n{section}\n")) {
            true => text.replace(&format!("\n{section}\n"), &format!("\n{section}\n{keys}\n")),
            false => format!("{text}\n{section}\n{keys}\n"),
        };
    }
    Ok(std::fs::write(&file, text)?)
}

fn append(file: &Path, text: &str) -> Result<()> {
    let before = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    Ok(std::fs::write(file, before + text)?)
}
