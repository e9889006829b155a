//! A pair without keepalived: the VIP is moved by the benchmark, and the role by `redis_master` or
//! by Redis itself.

use std::time::Duration;

use anyhow::{Result, anyhow, ensure};

use super::rig::{self, LIMIT, Outcome, until_more};
use super::runner::{self, Runner};
use crate::host::Host;
use crate::lab::{Lab, VIP};
use crate::readback;
use crate::redis_client::Connection;
use crate::redis_server::{self, PASSWORD, PORT, Settings};
use crate::suite::Suite;
use crate::wait;

const MASTER: &str = "/usr/libexec/keepalived/redis_master";
const SOME: usize = 100;

/// What moves the role.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mover {
    /// Ours, as notify_master would start it.
    RedisMaster,
    /// `FAILOVER TO` on the old master, from 6.2.
    Failover,
}

/// Two hosts with the programs, and a VIP that nobody but this moves.
pub struct ByHand {
    /// `redis_master` on each host; ended before the hosts are.
    masters: Vec<Runner>,
    /// The hosts.
    pub lab: Lab,
    next: u64,
}

impl ByHand {
    /// The second follows the first, which has the VIP. `programs` has the runner.
    pub fn new(programs: &std::path::Path) -> Result<ByHand> {
        Suite::OURS.prepare()?;
        let lab = Lab::new(Settings::default())?;
        for host in &lab.hosts {
            redis_server::start(host)?;
            redis_server::until_up(host)?;
        }
        Suite::OURS.install(&lab)?;
        let mut masters = Vec::new();
        for host in &lab.hosts {
            runner::install(host, programs)?;
            masters.push(Runner::new(host, &[MASTER])?);
        }
        redis_server::call(lab.b(), &["SLAVEOF", &lab.a().address.to_string(), "6379"])?;
        let pair = ByHand {
            masters,
            lab,
            next: 0,
        };
        pair.add_vip(0)?;
        pair.point_client(0)?;
        pair.settle(0)?;
        Ok(pair)
    }

    /// The host with that index.
    pub fn host(&self, index: usize) -> Result<&Host> {
        Ok(self
            .lab
            .hosts
            .get(index)
            .ok_or_else(|| anyhow!("no host {index}"))?)
    }

    /// The parent of `redis_master` on that host.
    pub fn redis_master(&mut self, index: usize) -> Result<&mut Runner> {
        self.masters
            .get_mut(index)
            .ok_or_else(|| anyhow!("no host {index}"))
    }

    fn in_host(&self, index: usize, script: &str) -> Result<()> {
        self.host(index)?
            .net()
            .ok_or_else(|| anyhow!("the host is off"))?
            .sh(script)
    }

    /// That host has the VIP, perhaps beside the other one.
    pub fn add_vip(&self, index: usize) -> Result<()> {
        self.in_host(
            index,
            &format!("ip addr replace {VIP}/24 dev eth0; ip neigh flush to {VIP}"),
        )
    }

    /// That host has it no more.
    pub fn drop_vip(&self, index: usize) -> Result<()> {
        self.in_host(
            index,
            &format!("ip addr del {VIP}/24 dev eth0; ip neigh flush to {VIP}"),
        )
    }

    /// From now on the client's packets for the VIP go to that host, as after its gratuitous ARP.
    pub fn point_client(&self, index: usize) -> Result<()> {
        let address = self.host(index)?.address.to_string();
        let octets = address
            .split('.')
            .filter_map(|octet| octet.parse::<u8>().ok());
        let mac: String = octets.map(|octet| format!(":{octet:02x}")).collect();
        self.lab.client.sh(&format!(
            "ip neigh replace {VIP} lladdr 02:00{mac} dev eth0 nud reachable"
        ))
    }

    /// Waits until that host is the master and the other one has all that it has.
    pub fn settle(&self, index: usize) -> Result<()> {
        let (host, other) = (self.host(index)?, self.host(1 - index)?);
        let pair = || self.lab.masters() == [host.name.as_str()] && self.lab.follows(other);
        wait::until_steady(
            &format!("{} is the master", host.name),
            Duration::from_millis(200),
            LIMIT,
            pair,
        )?;
        let offset = |host| rig::info(host, "master_repl_offset");
        wait::until("the replica has caught up", LIMIT, || {
            offset(host).is_some() && offset(host) == offset(other)
        })
    }

    /// Moves VIP and role to that host under writes, and counts.
    pub fn swap(&mut self, to: usize, mover: Mover) -> Result<Outcome> {
        self.settle(1 - to)?;
        let writer = rig::writer(&self.lab, self.next);
        until_more(&writer, SOME)?;
        self.add_vip(to)?;
        let from = self.lab.story.now();
        match mover {
            Mover::RedisMaster => {
                self.point_client(to)?;
                self.redis_master(to)?.start()?;
                self.drop_vip(1 - to)?;
                let cost = self.redis_master(to)?.cost()?;
                ensure!(cost.code == 0, "redis_master ended with {}", cost.code);
            }
            Mover::Failover => {
                let address = (self.host(1 - to)?.address, PORT).into();
                let (host, port) = (self.host(to)?.address.to_string(), PORT.to_string());
                self.lab.client.within(|| {
                    let mut old = Connection::open(address, PASSWORD, Duration::from_secs(2))?;
                    self.point_client(to)?;
                    let answer = old.call(&["FAILOVER", "TO", &host, &port])?.text();
                    ensure!(answer == "OK", "FAILOVER: {answer}");
                    self.drop_vip(1 - to)
                })?;
            }
        }
        let name = self.host(to)?.name.clone();
        wait::until("the role has moved", LIMIT, || {
            self.lab.masters() == [name.as_str()]
        })?;
        until_more(&writer, SOME)?;
        let end = self.lab.story.now();
        let written = writer.stop()?;
        self.next += written.attempts;
        let lost = readback::missing_on(self.host(to)?, &written.acks)?.len();
        let (gap, _) = written.longest_gap(from, end);
        Ok(Outcome {
            gap,
            acknowledged: written.acks.len(),
            lost,
            in_files: 0,
        })
    }
}
