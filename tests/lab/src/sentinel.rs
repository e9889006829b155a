//! Redis Sentinel around a pair, for comparison: three real sentinels, and a client that asks them for the master.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{Connection, RedisConnectionInfo, RedisError};

use crate::bench::rig::{LIMIT, Outcome, PATIENCE, RATE, until_more};
use crate::host::Host;
use crate::lab::Lab;
use crate::readback;
use crate::redis_server::{self, PASSWORD, PORT, Settings};
use crate::wait;
use crate::writer::{Rate, Writer, key};

/// `failover-timeout` of the sentinels. The default of three minutes is also how long two of them that voted each for
/// itself wait before they try again, twice over: no run here would see the end of that.
pub const FAILOVER_TIMEOUT: Duration = Duration::from_secs(3);
const SENTINEL: u16 = 26379;
const NAME: &str = "pair";
const CONFIG: &str = "/etc/redis/sentinel.conf";
/// The third place.
const WITNESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 158, 14));
const SOME: usize = 100;

/// A pair without keepalived and without a VIP, and three sentinels.
pub struct Sentinels {
    /// Gone before the lab is.
    witness: Arc<Host>,
    /// The pair.
    pub lab: Lab,
    next: u64,
    noise: u64,
}

impl Sentinels {
    /// Two Redis, one following the other, and three sentinels that know each other.
    pub fn new(down_after: Duration) -> Result<Sentinels> {
        let lab = Lab::new(Settings::default())?;
        let witness = lab.another("witness", WITNESS)?;
        for host in &lab.hosts {
            redis_server::start(host)?;
            redis_server::until_up(host)?;
        }
        let first = lab.a().address.to_string();
        redis_server::call(lab.b(), &["SLAVEOF", &first, "6379"])?;
        redis_server::call(lab.b(), &["CONFIG", "REWRITE"])?;
        wait::until("the second follows", LIMIT, || lab.follows(lab.b()))?;
        let sentinels = Sentinels { witness, lab, next: 0, noise: 0x2545_f491_4f6c_dd1d };
        for host in sentinels.places() {
            let config = format!(
                "port {SENTINEL}\nbind * -::*\nprotected-mode no\ndir /tmp\nlogfile /var/log/sentinel.log\n\
                 sentinel monitor {NAME} {first} {PORT} 2\n\
                 sentinel auth-pass {NAME} \"{PASSWORD}\"\n\
                 sentinel down-after-milliseconds {NAME} {}\n\
                 sentinel failover-timeout {NAME} {}\n\
                 sentinel parallel-syncs {NAME} 1\n",
                down_after.as_millis(),
                FAILOVER_TIMEOUT.as_millis()
            );
            host.write(CONFIG, &config, 0o644)?;
            host.spawn("redis-sentinel", &[CONFIG])?;
        }
        sentinels.settle(sentinels.lab.a())?;
        Ok(sentinels)
    }

    fn places(&self) -> [&Arc<Host>; 3] {
        [self.lab.a(), self.lab.b(), &self.witness]
    }

    /// The one master, and the other.
    pub fn roles(&self) -> Result<(&Arc<Host>, &Arc<Host>)> {
        let masters = self.lab.masters();
        ensure!(masters.len() == 1, "masters: {masters:?}");
        let (a, b) = (self.lab.a(), self.lab.b());
        Ok(if masters == [a.name.as_str()] { (a, b) } else { (b, a) })
    }

    /// A writer as an application is that uses Sentinel: it keeps its connection until an error, and then asks the
    /// sentinels for the master.
    pub fn writer(&self) -> Result<Writer> {
        let urls: Vec<String> =
            self.places().iter().map(|host| format!("redis://{}:{SENTINEL}/", host.address)).collect();
        let login = RedisConnectionInfo::default().set_password(PASSWORD);
        let node = SentinelNodeConnectionInfo::default().set_redis_connection_info(login);
        let mut client = SentinelClient::build(urls, NAME.to_owned(), Some(node), SentinelServerType::Master)?;
        let mut connection = None;
        let write = move |number: u64| {
            let result = attempt(&mut client, &mut connection, number);
            if result.is_err() {
                connection = None;
            }
            result.map_err(|e| e.code().map_or_else(|| format!("{:?}", e.kind()), str::to_owned))
        };
        Ok(Writer::with(self.next, &self.lab.client, Rate::PerSecond(RATE), &self.lab.story, write))
    }

    /// `kill -9` of the master, until the other one is; then the dead one follows it.
    pub fn crash(&mut self) -> Result<Outcome> {
        let (master, other) = self.roles()?;
        let (master, other) = (master.clone(), other.clone());
        self.settle(&master)?;
        let writer = self.writer()?;
        until_more(&writer, SOME)?;
        // At any moment between two of the sentinels' PINGs.
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        std::thread::sleep(Duration::from_millis(self.noise % 1000));
        let from = self.lab.story.now();
        redis_server::kill(&master)?;
        wait::until("a new master", LIMIT, || self.lab.masters() == [other.name.as_str()])?;
        until_more(&writer, SOME)?;
        let to = self.lab.story.now();
        let written = writer.stop()?;
        self.next += written.attempts;
        let (gap, _) = written.longest_gap(from, to);
        let lost = readback::missing_on(&other, &written.acks)?.len();
        self.repair(&master, &other)?;
        Ok(Outcome { gap, acknowledged: written.acks.len(), lost, in_files: 0 })
    }

    /// The dead one comes back as a replica. Sentinel would make it one by itself, ten seconds later.
    fn repair(&self, dead: &Host, master: &Host) -> Result<()> {
        redis_server::forget_role(dead)?;
        let added = dead.sh(&format!("echo 'replicaof {} {PORT}' >> /etc/redis/redis.conf", master.address))?;
        ensure!(added.status.success(), "editing redis.conf of {}", dead.name);
        redis_server::start(dead)?;
        redis_server::until_up(dead)?;
        self.settle(master)
    }

    /// Waits until `master` is followed, and all sentinels know that, and each other.
    fn settle(&self, master: &Host) -> Result<()> {
        let replica = if master.name == self.lab.a().name { self.lab.b() } else { self.lab.a() };
        let followed = || self.lab.masters() == [master.name.as_str()] && self.lab.follows(replica);
        wait::until_steady("the pair is a pair", Duration::from_millis(500), LIMIT, followed)?;
        for host in self.places() {
            let what = format!("the sentinel on {} knows the pair", host.name);
            wait::until(&what, LIMIT, || self.knows(host, master, replica).unwrap_or(false))?;
        }
        Ok(())
    }

    fn knows(&self, place: &Host, master: &Host, replica: &Host) -> Result<bool> {
        let net = self.lab.client.clone();
        net.within(|| {
            let client = redis::Client::open(format!("redis://{}:{SENTINEL}/", place.address))?;
            let mut sentinel = client.get_connection_with_timeout(Duration::from_secs(1))?;
            sentinel.set_read_timeout(Some(Duration::from_secs(1)))?;
            let ask = |what: &str| redis::cmd("SENTINEL").arg(what).arg(NAME).clone();
            let seen: HashMap<String, String> = ask("MASTER").query(&mut sentinel)?;
            let replicas: Vec<HashMap<String, String>> = ask("REPLICAS").query(&mut sentinel)?;
            let is = |of: &HashMap<String, String>, field: &str, value: &str| of.get(field).is_some_and(|v| v == value);
            let followed = replicas.iter().any(|seen| {
                is(seen, "ip", &replica.address.to_string())
                    && is(seen, "flags", "slave")
                    && is(seen, "master-link-status", "ok")
                    && is(seen, "master-host", &master.address.to_string())
            });
            let known = is(&seen, "ip", &master.address.to_string()) && is(&seen, "flags", "master");
            Ok(known && followed && is(&seen, "num-other-sentinels", "2"))
        })
        .with_context(|| format!("asking the sentinel on {}", place.name))
    }
}

fn attempt(client: &mut SentinelClient, kept: &mut Option<Connection>, number: u64) -> Result<(), RedisError> {
    let connection = match kept {
        Some(connection) => connection,
        None => {
            let connection = client.get_client()?.get_connection_with_timeout(PATIENCE)?;
            connection.set_read_timeout(Some(PATIENCE))?;
            connection.set_write_timeout(Some(PATIENCE))?;
            kept.insert(connection)
        }
    };
    redis::cmd("SET").arg(key(number)).arg(number).exec(connection)
}
