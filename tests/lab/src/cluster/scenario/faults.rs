//! Faults at random, often two at a time, until the cluster was put right eight times.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::campaign::dice::Dice;
use crate::cluster::Cluster;
use crate::cluster::play::{Goal, Play};
use crate::host::Host;
use crate::keepalived;
use crate::redis_server;
use crate::sentinel::server;

const ROUNDS: u64 = 8;

/// What happens to a host, and is put right at the end.
#[derive(Clone, Copy)]
enum Fault {
    KillRedis,
    HangRedis,
    StopKeepalived,
    /// Started again by systemd.
    KillKeepalived,
    PowerLoss,
    CutOff,
    KillSentinel,
    HangSentinel,
}

const FAULTS: [(Fault, u64); 8] = [
    (Fault::KillRedis, 4),
    (Fault::HangRedis, 2),
    (Fault::StopKeepalived, 4),
    (Fault::KillKeepalived, 2),
    (Fault::PowerLoss, 2),
    (Fault::CutOff, 2),
    (Fault::KillSentinel, 1),
    (Fault::HangSentinel, 1),
];

impl Fault {
    fn begin(self, host: &Host) -> Result<()> {
        match self {
            Fault::KillRedis => redis_server::kill(host)?,
            Fault::HangRedis => redis_server::hang(host),
            Fault::StopKeepalived => keepalived::stop(host)?,
            Fault::KillKeepalived => keepalived::kill_all(host),
            Fault::PowerLoss => host.power_off()?,
            Fault::CutOff => host.silence()?,
            Fault::KillSentinel => server::kill(host)?,
            Fault::HangSentinel => server::hang(host),
        }
        Ok(())
    }

    fn end(self, cluster: &Cluster, host: &Arc<Host>) -> Result<()> {
        match self {
            Fault::KillRedis => redis_server::start(host)?,
            Fault::HangRedis => redis_server::wake(host),
            Fault::StopKeepalived => cluster.start_keepalived(host)?,
            Fault::KillKeepalived => {}
            Fault::PowerLoss => cluster.power_on(host)?,
            Fault::CutOff => host.hear()?,
            Fault::KillSentinel => server::start(host)?,
            Fault::HangSentinel => server::wake(host),
        }
        Ok(())
    }
}

/// One host at a time has one fault. The one that serves is hit more often than the others.
pub(super) fn faults(play: &mut Play<'_>) -> Result<()> {
    let mut dice = Dice::new(play.seed, 0);
    for _ in 0..ROUNDS {
        let Ok(serving) = play.serving() else {
            return Ok(());
        };
        let mut hosts = play.cluster.lab.hosts.clone();
        hosts.sort_by_key(|host| (host.name != serving.name, dice.next()));
        let skipped = usize::from(dice.below(3) == 0);
        let count = 1 + usize::from(dice.below(2) == 0);
        let hit: Vec<_> = hosts.into_iter().skip(skipped).take(count).collect();
        play.phase("faults", Goal::Whole, |cluster| {
            let mut begun = Vec::new();
            for host in hit {
                let fault = dice.weighted(&FAULTS).unwrap_or(Fault::KillRedis);
                fault.begin(&host)?;
                begun.push((fault, host));
                std::thread::sleep(dice.millis(3000));
            }
            std::thread::sleep(Duration::from_millis(300) + dice.millis(12_000));
            for (fault, host) in begun {
                fault.end(cluster, &host)?;
                std::thread::sleep(dice.millis(2000));
            }
            Ok(())
        })?;
    }
    Ok(())
}
