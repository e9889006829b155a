//! How long `redis_master` takes to move the role, from exec on, on a pair that nobody writes to.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail, ensure};

use super::by_hand::ByHand;
use super::figures::{Figures, milliseconds, shown, table};
use super::{Say, runner};
use crate::host::Host;
use crate::redis_client::Connection;
use crate::redis_server::{PASSWORD, PORT};

/// Between two looks at the role.
const LOOK: Duration = Duration::from_micros(100);
const LIMIT: Duration = Duration::from_secs(20);

/// The benchmark.
pub fn handover(runs: usize, say: Say<'_>) -> Result<String> {
    let mut pair = ByHand::new(&runner::build()?)?;
    let (mut changed, mut ended) = (Vec::new(), Vec::new());
    let mut to = 1;
    for number in 0..runs {
        let (moved, all) = once(&mut pair, to)?;
        if number % 10 == 9 {
            say(&format!(
                "handover: {} of {runs}, the last one {}, ended after {}",
                number + 1,
                shown(moved),
                shown(all)
            ));
        }
        changed.push(moved);
        ended.push(all);
        to = 1 - to;
    }
    let rows = [
        ("until the local Redis is master", changed),
        ("until it has ended", ended),
    ]
    .map(|(name, times)| {
        let figures = Figures::times(times);
        let mut row = vec![name.to_owned(), figures.count().to_string()];
        row.extend(figures.cells(milliseconds));
        row
    });
    Ok(format!(
        "To and fro on an idle pair without keepalived, the VIP there already. The time begins \
         just before the program is \
         started, and ends when the local Redis, asked every {} µs, first says that it is \
         master.\n\n{}",
        LOOK.as_micros(),
        table(
            &["from exec", "runs", "median", "95 %", "lowest - highest"],
            &rows
        )
    ))
}

fn once(pair: &mut ByHand, to: usize) -> Result<(Duration, Duration)> {
    pair.settle(1 - to)?;
    pair.add_vip(to)?;
    pair.drop_vip(1 - to)?;
    pair.point_client(to)?;
    let lab = pair.lab.hosts.get(to).context("no such host")?.clone();
    std::thread::scope(|scope| {
        let (ready, watched) = mpsc::channel();
        let eye = scope.spawn(move || until_master(&lab, &ready));
        watched.recv().context("the eye has closed")?;
        let cost = pair.redis_master(to)?.run()?;
        ensure!(cost.code == 0, "redis_master ended with {}", cost.code);
        let Ok(seen) = eye.join() else {
            bail!("a thread died")
        };
        Ok((seen?.saturating_sub(cost.began), cost.wall))
    })
}

/// When it became master, since 1970.
fn until_master(host: &Host, ready: &mpsc::Sender<()>) -> Result<Duration> {
    let net = host.net().context("the host is off")?;
    net.within(|| {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        let mut redis = Connection::open(address, PASSWORD, Duration::from_secs(2))?;
        let end = Instant::now() + LIMIT;
        let _ = ready.send(());
        while Instant::now() < end {
            // A handover disconnects ordinary clients of the giver, and this one looks at the
            // taker.
            let role = redis.call(&["ROLE"])?.texts().context("no role")?;
            if role.first().is_some_and(|role| role == "master") {
                return Ok(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?);
            }
            std::thread::sleep(LOOK);
        }
        bail!("it did not become master")
    })
}
