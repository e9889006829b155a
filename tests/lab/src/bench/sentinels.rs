//! A pair that Sentinel alone looks after, hurt again and again, for comparison.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::rig::{LIMIT, Outcome, RATE, until_more};
use crate::cluster::{Cluster, Profile, Setup, Shape};
use crate::host::Host;
use crate::readback;
use crate::redis_server::{self, PORT};
use crate::sentinel::server::Terms;
use crate::wait;
use crate::writer::Rate;

/// `failover-timeout` of the sentinels. The default of three minutes is also how long two of them
/// that voted each for itself wait before they try again, twice over: no run here would see the end
/// of that.
pub const FAILOVER_TIMEOUT: Duration = Duration::from_secs(3);
const SOME: usize = 100;

/// A pair without keepalived and without a VIP, and three sentinels.
pub struct Sentinels {
    cluster: Cluster,
    next: u64,
    noise: u64,
}

impl Sentinels {
    /// Two Redis, one following the other, and three sentinels that know each other.
    pub fn new(down_after: Duration) -> Result<Sentinels> {
        let terms = Terms {
            down_after,
            failover_timeout: FAILOVER_TIMEOUT,
            ..Terms::default()
        };
        let setup = Setup {
            shape: Shape::Witness,
            profile: Profile::Alone,
            terms,
            ..Setup::default()
        };
        Ok(Sentinels {
            cluster: Cluster::boot(setup)?,
            next: 0,
            noise: 0x2545_f491_4f6c_dd1d,
        })
    }

    /// The one master, and the other.
    pub fn roles(&self) -> Result<(&Arc<Host>, &Arc<Host>)> {
        let lab = &self.cluster.lab;
        let masters = lab.masters();
        ensure!(masters.len() == 1, "masters: {masters:?}");
        let (a, b) = (lab.a(), lab.b());
        Ok(if masters == [a.name.as_str()] {
            (a, b)
        } else {
            (b, a)
        })
    }

    /// `kill -9` of the master, until the other one is; then the dead one follows it.
    pub fn crash(&mut self) -> Result<Outcome> {
        self.settle()?;
        let (master, other) = self.roles()?;
        let (master, other) = (master.clone(), other.clone());
        let lab = &self.cluster.lab;
        let writer = self.cluster.writer(Rate::PerSecond(RATE), self.next);
        until_more(&writer, SOME)?;
        // At any moment between two of the sentinels' PINGs.
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        std::thread::sleep(Duration::from_millis(self.noise % 1000));
        let from = lab.story.now();
        redis_server::kill(&master)?;
        wait::until("a new master", LIMIT, || {
            lab.masters() == [other.name.as_str()]
        })?;
        until_more(&writer, SOME)?;
        let to = lab.story.now();
        let written = writer.stop()?;
        self.next += written.attempts;
        let (gap, _) = written.longest_gap(from, to);
        let lost = readback::missing_on(&other, &written.acks)?.len();
        self.repair(&master, &other)?;
        Ok(Outcome {
            gap,
            acknowledged: written.acks.len(),
            lost,
            in_files: 0,
        })
    }

    /// The dead one comes back as a replica. Sentinel would make it one by itself, ten seconds
    /// later.
    fn repair(&self, dead: &Host, master: &Host) -> Result<()> {
        redis_server::forget_role(dead)?;
        redis_server::add_line(dead, &format!("replicaof {} {PORT}", master.address))?;
        redis_server::start(dead)?;
        redis_server::until_up(dead)?;
        self.settle()
    }

    /// Waits until one is followed, and all sentinels know that, and each other.
    fn settle(&self) -> Result<()> {
        self.cluster.until_whole(Duration::from_millis(500), LIMIT)
    }
}
