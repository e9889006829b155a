//! A cluster that Sentinel looks after: Redis and a sentinel on every host, or a pair and a
//! witness; with keepalived and our programs, or without.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::boot::TREE;
use crate::host::{Cable, Host};
use crate::keepalived;
use crate::lab::{self, Lab, NODES, Node};
use crate::redis_server::{self, Settings};
use crate::sentinel::client::{Asking, Heed};
use crate::sentinel::server::{self, NAME};
use crate::sentinel::view::View;
use crate::suite::{self, Suite};
use crate::wait;
use crate::writer::{Direct, Rate, TIMEOUT, Writer};

pub mod play;
pub mod played;
pub mod quiet;
pub mod report;
pub mod scenario;
mod setup;

pub use self::setup::{Profile, Setup, Shape, Silent};

/// The host with a sentinel and nothing else.
const WITNESS: Node = ("witness", NODES[2].1);
/// Longer than a cluster needs to come up, and than Sentinel needs to put anything right.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Hosts with Redis and sentinels. Dropping it ends everything that it started.
pub struct Cluster {
    /// The hosts.
    pub lab: Lab,
    /// How it was set up.
    pub setup: Setup,
}

impl Cluster {
    /// Boots all of it, and comes back when the first host serves and all sentinels know
    /// everything.
    pub fn boot(setup: Setup) -> Result<Cluster> {
        let (nodes, others): (&[Node], &[Node]) = match setup.shape {
            Shape::Three => (&NODES, &[]),
            Shape::Witness => (&NODES[..2], &[WITNESS]),
        };
        let cluster = Cluster {
            lab: Lab::of(Settings::default(), nodes, others)?,
            setup,
        };
        if setup.valkey {
            for host in cluster.watchers() {
                valkey(host)?;
            }
        }
        for host in &cluster.lab.hosts {
            server::admit(host)?;
        }
        cluster.start_redis()?;
        let first = cluster.lab.a();
        for host in cluster.watchers() {
            server::configure(host, first.address, setup.terms)?;
            server::start(host)?;
        }
        if setup.profile != Profile::Alone {
            cluster.install()?;
            for host in &cluster.lab.hosts {
                cluster.start_keepalived(host)?;
            }
        }
        cluster.until_whole(Duration::from_secs(1), LIMIT)?;
        Ok(cluster)
    }

    /// The first one is followed by the others.
    fn start_redis(&self) -> Result<()> {
        for host in &self.lab.hosts {
            redis_server::start(host)?;
        }
        for host in &self.lab.hosts {
            redis_server::until_up(host)?;
        }
        // Sentinel prefers whom keepalived prefers, as the README has it: otherwise the VIP has to
        // follow once more.
        for (host, priority) in self.lab.hosts.iter().zip(["10", "20", "30"]) {
            redis_server::call(host, &["CONFIG", "SET", "replica-priority", priority])?;
        }
        let (first, delay) = (self.lab.a(), "repl-diskless-sync-delay");
        let usual = redis_server::call(first, &["CONFIG", "GET", delay])?;
        redis_server::call(first, &["CONFIG", "SET", delay, "0"])?;
        for host in self.lab.hosts.iter().skip(1) {
            redis_server::call(host, &["SLAVEOF", &first.address.to_string(), "6379"])?;
        }
        for host in &self.lab.hosts {
            redis_server::call(host, &["CONFIG", "REWRITE"])?;
        }
        wait::until("all follow the first", LIMIT, || {
            self.lab
                .hosts
                .iter()
                .skip(1)
                .all(|host| self.lab.follows(host))
        })?;
        // Five seconds until a first sync is what everybody has who has not read of it.
        if let Some(usual) = usual.texts().and_then(|pair| pair.into_iter().nth(1)) {
            redis_server::call(first, &["CONFIG", "SET", delay, &usual])?;
        }
        Ok(())
    }

    fn install(&self) -> Result<()> {
        let sentinels: Vec<String> = self
            .watchers()
            .map(|host| host.address.to_string())
            .collect();
        let mut more = vec![format!(
            "--sentinel-master {NAME} --sentinels {}",
            sentinels.join(",")
        )];
        more.push(format!("--quorum {}", self.setup.terms.quorum));
        more.extend((self.setup.profile == Profile::Fast).then(|| "--profile fast".to_owned()));
        more.extend(
            (self.setup.silent == Silent::Release)
                .then(|| "--when-sentinels-silent release".to_owned()),
        );
        if let Some(password) = self.setup.terms.password {
            for host in &self.lab.hosts {
                host.write("/tmp/sentinel-password", password, 0o600)?;
            }
            more.push("--sentinel-password-file /tmp/sentinel-password".to_owned());
        }
        for host in &self.lab.hosts {
            keepalived::install_systemctl(host)?;
        }
        suite::install_with(&self.lab, &more.join(" "))
    }

    /// The hosts with a sentinel: all.
    pub fn watchers(&self) -> impl Iterator<Item = &Arc<Host>> {
        self.lab.hosts.iter().chain(&self.lab.others)
    }

    /// Starts keepalived, and what goes with it, as systemd would. It is started again when it
    /// dies.
    pub fn start_keepalived(&self, host: &Arc<Host>) -> Result<()> {
        match self.suite() {
            Some(suite) => suite.start_keepalived(host),
            None => Ok(()),
        }
    }

    fn suite(&self) -> Option<Suite> {
        match self.setup.profile {
            Profile::Alone => None,
            Profile::Plain => Some(Suite::OURS),
            Profile::Fast => Some(Suite::FAST),
        }
    }

    /// Power, and everything that starts by itself.
    pub fn power_on(&self, host: &Arc<Host>) -> Result<()> {
        host.power_on(Cable::Ready)?;
        if self
            .lab
            .hosts
            .iter()
            .any(|with_redis| Arc::ptr_eq(with_redis, host))
        {
            redis_server::start(host)?;
            server::start(host)?;
            return self.start_keepalived(host);
        }
        server::start(host)
    }

    /// The one host that serves: the only master, and the VIP, if there is one, is there and
    /// nowhere else.
    pub fn serving(&self) -> Option<Arc<Host>> {
        let (masters, holders) = (self.lab.masters(), self.lab.holders());
        let [master] = masters.as_slice() else {
            return None;
        };
        let placed = self.setup.profile == Profile::Alone || holders == masters;
        self.lab
            .hosts
            .iter()
            .find(|host| placed && host.name == *master)
            .cloned()
    }

    /// Another host than that one has the VIP and is a master, whatever is left on that one.
    pub fn served_beside(&self, host: &Host) -> bool {
        let (masters, holders) = (self.lab.masters(), self.lab.holders());
        let is_served = |other: &Arc<Host>| {
            let vip = self.setup.profile == Profile::Alone || holders.contains(&other.name);
            vip && masters.contains(&other.name) && other.name != host.name
        };
        self.lab
            .hosts
            .iter()
            .filter(|other| is_served(other))
            .count()
            == 1
    }

    /// What this sentinel says.
    pub fn view(&self, host: &Host) -> Result<View> {
        View::ask(&self.lab.client, host.address, self.setup.terms.password)
    }

    /// The first thing that is not as it should be, in one line: one host serves, the others follow
    /// it, all sentinels know that, and no program is at work.
    pub fn wrong(&self) -> Option<String> {
        let (masters, holders) = (self.lab.masters(), self.lab.holders());
        let Some(serving) = self.serving() else {
            return Some(format!(
                "masters: {}; VIP: {}",
                masters.join(" "),
                holders.join(" ")
            ));
        };
        let rest = || {
            self.lab
                .hosts
                .iter()
                .filter(|host| host.name != serving.name)
        };
        if let Some(host) = rest().find(|host| !self.lab.follows(host)) {
            return Some(format!("{} does not follow", host.name));
        }
        if let Some(host) = self
            .lab
            .hosts
            .iter()
            .find(|host| self.suite().is_some_and(|suite| suite.is_busy(host)))
        {
            return Some(format!("a program is at work on {}", host.name));
        }
        let replicas: Vec<IpAddr> = rest().map(|host| host.address).collect();
        self.watchers().find_map(|host| {
            let wrong = match self.view(host) {
                Ok(view) => view.wrong(serving.address, &replicas, 2),
                Err(e) => Some(format!("{e:#}")),
            };
            wrong.map(|wrong| format!("the sentinel on {}: {wrong}", host.name))
        })
    }

    /// Where keepalived was killed its VIP stays on its interface, and all looks well until another
    /// node has it, too (K9).
    pub fn without_keepalived(&self) -> Option<String> {
        let alone = self.setup.profile == Profile::Alone;
        let host = self
            .lab
            .hosts
            .iter()
            .find(|host| !alone && !keepalived::runs(host))?;
        Some(format!("keepalived does not run on {}", host.name))
    }

    /// Waits until nothing has been wrong for `hold`.
    pub fn until_whole(&self, hold: Duration, limit: Duration) -> Result<()> {
        let mut wrong = None;
        let waited = wait::until_steady("the cluster is whole", hold, limit, || {
            wrong = self.wrong();
            wrong.is_none()
        });
        waited.with_context(|| wrong.unwrap_or_default())
    }

    /// The application: through the VIP, or where there is none, by asking the sentinels.
    pub fn writer(&self, rate: Rate, first: u64) -> Writer {
        let (net, story) = (&self.lab.client, &self.lab.story);
        if self.setup.profile == Profile::Alone {
            let sentinels: Vec<IpAddr> = self.watchers().map(|host| host.address).collect();
            let heed = if self.setup.deaf {
                Heed::Errors
            } else {
                Heed::Switches
            };
            let mut asking = Asking::new(net, &sentinels, heed);
            return Writer::with(first, net, rate, story, move |number| asking.write(number));
        }
        let mut vip = Direct::new(self.lab.target(), TIMEOUT, TIMEOUT);
        Writer::with(first, net, rate, story, move |number| vip.write(number))
    }
}

/// Puts it where Redis and its Sentinel are.
fn valkey(host: &Host) -> Result<()> {
    let script = lab::tree()?.join("tests/lab/fetch-server.sh");
    let fetched = std::process::Command::new("sh")
        .arg(script)
        .arg("valkey-9")
        .output()?;
    ensure!(
        fetched.status.success(),
        "fetching Valkey 9: {}",
        String::from_utf8_lossy(&fetched.stderr)
    );
    // In the host's own mounts: what is below /usr is the machine's.
    let put = host.sh(&format!(
        "for name in redis-server redis-sentinel; do \
         mount --bind {TREE}/target/valkey-9/redis-server \"$(readlink -f /usr/bin/$name)\" || \
         exit; done; \
         redis-server --version | grep -q Valkey"
    ))?;
    ensure!(
        put.status.success(),
        "replacing Redis on {}: {}",
        host.name,
        String::from_utf8_lossy(&put.stderr)
    );
    Ok(())
}
