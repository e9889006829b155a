//! What passes between the moment in which a returned node has all data, and the moment in which it
//! serves.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::ifaddrs::getifaddrs;

use super::Say;
use super::figures::{Figures, milliseconds, shown, table};
use super::rig::{LIMIT, RATE, Rig, until_more};
use crate::host::Host;
use crate::lab::VIP;
use crate::redis_client::Connection;
use crate::redis_server::{self, PASSWORD, PORT};
use crate::suite::Suite;
use crate::wait;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(2);

/// Counted from in sync.
struct Round {
    vip: Duration,
    master: Duration,
    write: Duration,
}

/// The benchmark.
pub fn sync(runs: usize, say: Say<'_>) -> Result<String> {
    let mut rows = Vec::new();
    for (name, suite) in [("plain", Suite::OURS), ("fast", Suite::FAST)] {
        let rounds = match rounds(suite, runs, say) {
            Ok(rounds) => rounds,
            Err(e) => {
                say(&format!("sync, {name}: {e:#}"));
                rows.push(vec![format!("{name}: {e:#}")]);
                continue;
            }
        };
        let parts = [
            (
                "the VIP is back",
                Figures::times(rounds.iter().map(|round| round.vip)),
            ),
            (
                "its Redis is master",
                Figures::times(rounds.iter().map(|round| round.master)),
            ),
            (
                "the first write",
                Figures::times(rounds.iter().map(|round| round.write)),
            ),
        ];
        for (what, figures) in parts {
            let mut row = vec![format!("{name}: {what}"), figures.count().to_string()];
            row.extend(figures.cells(milliseconds));
            rows.push(row);
        }
    }
    Ok(format!(
        "The preferred node's Redis was killed and is started again, under {RATE} writes a \
         second. In sync is the first \
         look (every {} ms) at which its link is up and its offset has reached the one that the \
         master had just before. \
         From there it takes the next run of `check_redis --eligible`, and then keepalived's \
         three adverts.\n\n{}",
        LOOK.as_millis(),
        table(
            &[
                "from in sync until",
                "runs",
                "median",
                "95 %",
                "lowest - highest"
            ],
            &rows
        )
    ))
}

fn rounds(suite: Suite, runs: usize, say: Say<'_>) -> Result<Vec<Round>> {
    let mut rig = Rig::new(suite)?;
    let mut rounds = Vec::new();
    for _ in 0..runs {
        let round = round(&mut rig)?;
        say(&format!(
            "sync, {}: VIP after {}, first write after {}",
            suite.name(),
            shown(round.vip),
            shown(round.write)
        ));
        rounds.push(round);
    }
    Ok(rounds)
}

fn round(rig: &mut Rig) -> Result<Round> {
    rig.settle()?;
    let writer = rig.writer()?;
    let lab = &rig.lab;
    let (a, b) = (lab.a(), lab.b());
    redis_server::kill(a)?;
    wait::until("the second host serves", LIMIT, || lab.serves(b))?;
    until_more(&writer, 100)?;
    redis_server::start(a)?;
    redis_server::until_up(a)?;
    a.sh("/usr/libexec/keepalived/check_redis --forget-failures")?;
    let [synced, vip, master] = watch(rig, a, b)?;
    until_more(&writer, 100)?;
    rig.settle()?;
    let written = rig.end(writer)?;
    let first = written
        .acks
        .iter()
        .find(|ack| ack.at >= master)
        .context("no write after the failback")?;
    let since = |moment: Duration| moment.saturating_sub(synced);
    Ok(Round {
        vip: since(vip),
        master: since(master),
        write: since(first.at),
    })
}

/// When `host` was in sync with `serving`, had the VIP, and was master.
fn watch(rig: &Rig, host: &Host, serving: &Host) -> Result<[Duration; 3]> {
    let story = &rig.lab.story;
    let net = host.net().context("the host is off")?;
    net.within(|| {
        let open = |address: IpAddr| {
            Connection::open(
                SocketAddr::new(address, PORT),
                PASSWORD,
                Duration::from_secs(1),
            )
        };
        let (mut own, mut other) = (open(Ipv4Addr::LOCALHOST.into())?, open(serving.address)?);
        let end = Instant::now() + LIMIT;
        let (mut synced, mut vip) = (None, None);
        while Instant::now() < end {
            if synced.is_none() {
                let there = info(&mut other)?.offset;
                let here = info(&mut own)?;
                synced = (here.linked && here.offset >= there).then(|| story.now());
            } else {
                if vip.is_none() {
                    vip = has_vip()?.then(|| story.now());
                }
                // The handover disconnects clients of the other Redis, and that one is not asked
                // any more.
                if info(&mut own)?.master {
                    let now = story.now();
                    let (Some(synced), vip) = (synced, vip.unwrap_or(now)) else {
                        bail!("master, and never in sync")
                    };
                    return Ok([synced, vip, now]);
                }
            }
            std::thread::sleep(LOOK);
        }
        bail!("{} did not serve again", host.name)
    })
}

struct Info {
    master: bool,
    linked: bool,
    offset: u64,
}

fn info(redis: &mut Connection) -> Result<Info> {
    let text = redis.call(&["INFO", "replication"])?.text();
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    let master = field("role") == Some("master");
    let offset = if master {
        "master_repl_offset"
    } else {
        "slave_repl_offset"
    };
    Ok(Info {
        master,
        linked: field("master_link_status") == Some("up"),
        offset: field(offset)
            .and_then(|value| value.parse().ok())
            .unwrap_or_default(),
    })
}

fn has_vip() -> Result<bool> {
    let mut addresses = getifaddrs()?.filter_map(|interface| interface.address);
    Ok(addresses.any(|address| {
        address
            .as_sockaddr_in()
            .is_some_and(|a| IpAddr::from(a.ip()) == VIP)
    }))
}
