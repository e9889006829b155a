//! A person with redis-cli makes a settled pair wrong, in one way after the other. Each is put
//! right before the next.

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Result, ensure};

use super::{LIMIT, at_the_end};
use crate::host::Host;
use crate::lab::VIP;
use crate::redis_server;
use crate::run::Run;

/// Nobody is there.
const NOBODY: Ipv4Addr = Ipv4Addr::new(192, 168, 158, 99);

/// One command, as typed.
fn types(host: &Host, command: &[&str]) -> Result<()> {
    host.tell(format!("redis-cli {}", command.join(" ")));
    let reply = redis_server::call(host, command)?.text();
    ensure!(
        reply.starts_with("OK"),
        "{} on {}: {reply}",
        command.join(" "),
        host.name
    );
    Ok(())
}

fn follows(run: &mut Run<'_>, name: &'static str, host: &Arc<Host>, whom: &str) -> Result<()> {
    run.phase(name, LIMIT, at_the_end(run), || {
        types(host, &["SLAVEOF", whom, "6379"])
    })
}

pub(super) fn replicas(run: &mut Run<'_>) -> Result<()> {
    let (a, b) = (run.lab.a(), run.lab.b());
    let [itself, other] = [a, b].map(|host| host.address.to_string());
    follows(run, "two replicas of each other", a, &other)?;
    follows(run, "the serving one a replica of itself", a, &itself)?;
    follows(run, "the replica a replica of itself", b, &other)?;
    follows(
        run,
        "the serving one a replica of the VIP",
        a,
        &VIP.to_string(),
    )?;
    follows(run, "the replica a replica of the VIP", b, &VIP.to_string())?;
    follows(
        run,
        "the serving one a replica of nobody",
        a,
        &NOBODY.to_string(),
    )?;
    follows(
        run,
        "the replica a replica of nobody",
        b,
        &NOBODY.to_string(),
    )
}

pub(super) fn masters(run: &mut Run<'_>) -> Result<()> {
    let (a, b) = (run.lab.a(), run.lab.b());
    run.phase("two masters", LIMIT, at_the_end(run), || {
        types(b, &["SLAVEOF", "NO", "ONE"])
    })?;
    // Redis's own way to move the role: nothing is lost, and the VIP stays where it is.
    run.phase("a role without its VIP", LIMIT, at_the_end(run), || {
        types(a, &["FAILOVER"])
    })?;
    run.phase("a lone master on BACKUP", LIMIT, at_the_end(run), || {
        redis_server::kill(b)?;
        redis_server::forget_role(b)?;
        redis_server::start(b)
    })
}
