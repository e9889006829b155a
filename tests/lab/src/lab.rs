//! A lab: two hosts or more, a client, the switch between them, the observer, and the story.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::clients::{Clients, Kind};
use crate::host::{Cable, Host};
use crate::netns::NetNs;
use crate::observer::{Observer, Role, Seen};
use crate::redis_client::{Connection, Reply};
use crate::redis_server::{self, Family, PASSWORD, PORT, Settings};
use crate::sentinel;
use crate::story::{self, Event, Story};
use crate::switch::Switch;
use crate::wait;
use crate::workload::Workload;
use crate::writer::{Rate, Writer};

/// The virtual IP of every lab with [`Family::V4`].
pub const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 158, 13));
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 158, 100));

/// Name and address of a host.
pub type Node = (&'static str, IpAddr);
/// The hosts of a pair are the first two of these.
pub const NODES: [Node; 3] = [
    ("redis-a", IpAddr::V4(Ipv4Addr::new(192, 168, 158, 11))),
    ("redis-b", IpAddr::V4(Ipv4Addr::new(192, 168, 158, 12))),
    ("redis-c", IpAddr::V4(Ipv4Addr::new(192, 168, 158, 14))),
];

/// Hosts and what is around them. Dropping it ends everything that it started.
pub struct Lab {
    /// What happened so far.
    pub story: Story,
    /// `redis-a`, `redis-b`, perhaps more: those with Redis.
    pub hosts: Vec<Arc<Host>>,
    /// Those without.
    pub others: Vec<Arc<Host>>,
    /// The network of the client.
    pub client: NetNs,
    /// How Redis is set up on all of them.
    pub settings: Settings,
    /// The virtual IP.
    pub vip: IpAddr,
    observer: Option<Observer>,
    switch: Arc<Switch>,
    dir: Option<TempDir>,
}

impl Lab {
    /// Boots two hosts with Redis configured; nothing is started on them yet.
    pub fn new(settings: Settings) -> Result<Lab> {
        Lab::of(settings, &NODES[..2], &[])
    }

    /// Boots `nodes` with Redis configured, and `others` with nothing.
    pub fn of(settings: Settings, nodes: &[Node], others: &[Node]) -> Result<Lab> {
        let story = Story::default();
        let dir = tempfile::Builder::new().prefix("lab-").tempdir()?;
        let switch = Arc::new(Switch::new()?);
        let client = NetNs::new()?;
        let address = |v4: IpAddr| of_family(v4, settings.family);
        switch.plug("client", &client, address(CLIENT))?;
        let tree = tree()?;
        let boot = |(name, v4): &Node| -> Result<Arc<Host>> {
            let disk = dir.path().join(name);
            let host = Host::new(
                name,
                address(*v4),
                disk,
                tree.clone(),
                switch.clone(),
                story.clone(),
            );
            host.power_on(Cable::Ready)?;
            blank(&host)?;
            settings.server.put(&host)?;
            Ok(Arc::new(host))
        };
        let hosts: Vec<Arc<Host>> = nodes.iter().map(boot).collect::<Result<_>>()?;
        let others = others.iter().map(boot).collect::<Result<_>>()?;
        for host in &hosts {
            redis_server::configure(host, settings)?;
        }
        let vip = address(VIP);
        let observer = Observer::new(&hosts, &client, vip);
        Ok(Lab {
            story,
            hosts,
            others,
            client,
            settings,
            vip,
            observer: Some(observer),
            switch,
            dir: Some(dir),
        })
    }

    /// The preferred node.
    pub fn a(&self) -> &Arc<Host> {
        &self.hosts[0]
    }

    /// The other node.
    pub fn b(&self) -> &Arc<Host> {
        &self.hosts[1]
    }

    /// What every host looked like a moment ago.
    pub fn seen(&self) -> Vec<Seen> {
        self.observer
            .as_ref()
            .map(Observer::seen)
            .unwrap_or_default()
    }

    /// Names of the hosts that hold the VIP.
    pub fn holders(&self) -> Vec<String> {
        self.names(|seen| seen.vip)
    }

    /// Names of the hosts whose Redis is a master.
    pub fn masters(&self) -> Vec<String> {
        self.names(|seen| seen.role == Role::Master)
    }

    fn names(&self, wanted: impl Fn(&Seen) -> bool) -> Vec<String> {
        let seen = self.seen();
        let pairs = self
            .hosts
            .iter()
            .zip(&seen)
            .filter(|(_, seen)| wanted(seen));
        pairs.map(|(host, _)| host.name.clone()).collect()
    }

    /// `host` is the only master and the only holder of the VIP.
    pub fn serves(&self, host: &Host) -> bool {
        self.holders() == [host.name.as_str()] && self.masters() == [host.name.as_str()]
    }

    /// `host` follows another one, its link connected.
    pub fn follows(&self, host: &Host) -> bool {
        let others: Vec<String> = self
            .hosts
            .iter()
            .filter(|h| h.name != host.name)
            .map(|h| h.address.to_string())
            .collect();
        self.hosts.iter().zip(self.seen()).any(|(h, seen)| {
            h.name == host.name
                && matches!(&seen.role, Role::Replica { of, link }
                    if others.contains(of) && link == "connected")
        })
    }

    /// `server` serves, and all others that are on follow it and no other, their links connected.
    pub fn all_follow(&self, server: &Host) -> bool {
        let address = server.address.to_string();
        let follows = |seen: &Seen| matches!(&seen.role, Role::Replica { of, link } if *of == address && link == "connected");
        let mut others = self
            .hosts
            .iter()
            .zip(self.seen())
            .filter(|(host, seen)| host.name != server.name && seen.on);
        self.serves(server) && others.all(|(_, seen)| follows(&seen))
    }

    /// Waits until `server` has served and `replica` has followed it for a second.
    pub fn until_serves(&self, server: &Host, replica: &Host, limit: Duration) -> Result<()> {
        let what = format!("{} serves and {} follows", server.name, replica.name);
        wait::until_steady(&what, Duration::from_secs(1), limit, || {
            self.serves(server) && self.follows(replica)
        })
    }

    /// The VRRP state that keepalived on `host` logged last; "?" before the first.
    pub fn vrrp_state(&self, host: &Host) -> String {
        let events = self.story.events(Vec::new());
        let of_host = |event: &&Event| event.source == "log" && event.who == host.name;
        let mut lines = events.iter().rev().filter(of_host);
        let state = lines.find_map(|event| {
            let (_, rest) = event.what.split_once("Entering ")?;
            rest.split(' ').next().map(str::to_owned)
        });
        state.unwrap_or_else(|| "?".to_owned())
    }

    /// One command from the client to `host`, or to the VIP.
    pub fn ask(&self, host: Option<&Host>, command: &[&str]) -> Result<Reply> {
        let target = host.map_or(self.target(), |host| SocketAddr::new(host.address, PORT));
        self.client.within(|| {
            let mut redis = Connection::open(target, PASSWORD, Duration::from_secs(1))?;
            Ok(redis.call(command)?)
        })
    }

    /// Where clients write.
    pub fn target(&self) -> SocketAddr {
        SocketAddr::new(self.vip, PORT)
    }

    /// Starts a writer at the client.
    pub fn write(&self, rate: Rate) -> Writer {
        Writer::start(&self.client, self.target(), rate, &self.story)
    }

    /// Starts clients of that kind, each with the whole rate.
    pub fn write_as(&self, kind: Kind, rate: Rate) -> Clients {
        Clients::start(self, kind, rate)
    }

    /// Starts a workload at the client. Every Redis must have [`crate::workload::DATABASES`].
    pub fn work(&self, rate: Rate) -> Workload {
        let has_functions = self.settings.server.has_functions();
        let target = self.target();
        Workload::start(&self.client, target, rate, has_functions, &self.story)
    }

    /// What happened, from all sources, in the order of time. Of keepalived's log only what
    /// speaks of states, checks and deaths, unless `full`.
    pub fn told(&self, full: bool) -> Vec<Event> {
        let mut journals: Vec<Event> = self
            .hosts
            .iter()
            .flat_map(|host| story::journals(&self.story, host))
            .collect();
        let all = self.hosts.iter().chain(&self.others);
        journals.extend(all.flat_map(|host| sentinel::server::told(&self.story, host)));
        let mut events = self.story.events(journals);
        events.retain(|event| full || event.source != "log" || story::matters(&event.what));
        events
    }

    /// Where everything of this run lies.
    pub fn dir(&self) -> &Path {
        self.dir.as_ref().map_or(Path::new("/"), TempDir::path)
    }

    /// Leaves the disks and logs of all hosts where they are when the lab ends, and writes the
    /// whole timeline beside them.
    pub fn keep(&mut self) {
        let told = story::render(&self.told(true));
        if let Some(dir) = &mut self.dir {
            dir.disable_cleanup(true);
            let _ = std::fs::write(dir.path().join("timeline.txt"), told);
        }
    }

    /// Cuts these two off from each other, and from nobody else; or joins them again. A host that
    /// boots has joined.
    pub fn cut_between(&self, one: &Host, other: &Host, cut: bool) -> Result<()> {
        one.lose(other, cut)?;
        other.lose(one, cut)
    }

    /// Cuts the hosts off from each other, not from the client; or joins them again.
    pub fn partition(&self, cut: bool) -> Result<()> {
        self.hosts.iter().try_for_each(|host| host.cut(cut))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.observer = None;
        if std::thread::panicking() {
            self.keep();
            eprintln!("{}", story::render(&self.told(false)));
            eprintln!(
                "disks, logs and timeline of this run: {}",
                self.dir().display()
            );
        }
        for host in self.hosts.iter().chain(&self.others) {
            let _ = host.power_off();
        }
        let _ = self.switch.unplug("client");
    }
}

/// The address of that family for what has `v4` in a lab with [`Family::V4`].
fn of_family(v4: IpAddr, family: Family) -> IpAddr {
    match (family, v4) {
        (Family::V6, IpAddr::V4(v4)) => {
            Ipv6Addr::new(0xfd00, 0x158, 0, 0, 0, 0, 0, v4.octets()[3].into()).into()
        }
        _ => v4,
    }
}

/// The tree that this crate is part of.
pub fn tree() -> Result<PathBuf> {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    Ok(tree.context("no tree above the lab")?.to_owned())
}

/// What the machine has installed of our own kind must not matter.
fn blank(host: &Host) -> Result<()> {
    host.sh(
        "rm -rf /etc/keepalived /etc/redis /etc/systemd/system/keepalived.service.d \
         /var/lib/redis /var/lib/keepalived-redis /var/log/keepalived* /var/log/redis* \
         /usr/libexec/keepalived /usr/local/sbin/* /etc/logrotate.d/keepalived*; \
         mkdir -p /etc/keepalived /etc/redis /var/lib/redis",
    )?;
    Ok(())
}
