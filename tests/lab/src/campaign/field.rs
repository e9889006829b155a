//! The pair while it is being hurt: each fault is done, undone, and at the end all is healed.

use std::net::IpAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;

use super::dice::Dice;
use super::hunt::{Hunt, Way};
use super::kind::Kind;
use super::meddle;
use super::place::{MEMORY, Place, STATE};
use super::plan::Fault;
use crate::clients::Clients;
use crate::host::{Cable, Host};
use crate::keepalived;
use crate::lab::{Lab, VIP};
use crate::redis_server::{self, PORT};
use crate::suite::Suite;
use crate::wait;
use crate::workload::{Rest, Workload};

const REDIS_CONFIG: &str = "/etc/redis";
/// Nobody has this address.
const NOBODY: &str = "192.168.158.77";

/// All is healed, and a client that has emptied the service rests for so long.
const EMPTY: Duration = Duration::from_secs(6);

/// The pair.
pub struct Field<'a> {
    lab: &'a Lab,
    suite: Suite,
    places: Vec<Place>,
    clients: &'a Clients,
    cut: bool,
    tcp_cut: bool,
    stopping: Vec<JoinHandle<()>>,
    rest: Option<Rest<'a>>,
}

impl<'a> Field<'a> {
    /// A settled pair.
    pub fn new(lab: &'a Lab, suite: Suite, clients: &'a Clients) -> Result<Field<'a>> {
        let places = lab.hosts.iter().map(Place::new).collect::<Result<_>>()?;
        Ok(Field {
            lab,
            suite,
            places,
            clients,
            cut: false,
            tcp_cut: false,
            stopping: Vec::new(),
            rest: None,
        })
    }

    /// Does it to the host with that index; what can't be done to a machine that is off or frozen
    /// is left out.
    pub fn begin(&mut self, fault: &Fault, index: usize) -> Result<()> {
        if fault.kind == Kind::Partition {
            self.cut = true;
            return self.lab.partition(true);
        }
        if fault.kind == Kind::TcpCut {
            self.tcp_cut = true;
            return self.all_lose_tcp(true);
        }
        if fault.kind == Kind::ColdStart {
            return self.places.iter_mut().try_for_each(Place::power_off);
        }
        if fault.kind == Kind::Emptied {
            let workload = self.clients.workload.as_ref();
            self.rest = workload.map(Workload::empty).transpose()?;
            return Ok(());
        }
        let peer = self.lab.hosts[1 - index].clone();
        let other = peer.address;
        let place = &mut self.places[index];
        let host = place.host.clone();
        let mut dice = Dice::new(fault.salt, 0);
        if !host.is_on() || place.frozen {
            host.tell(format!(
                "not done, it is off or frozen: {}",
                fault.kind.name()
            ));
            return Ok(());
        }
        match fault.kind {
            Kind::KillRedis => redis_server::kill(&host)?,
            Kind::StopRedis => {
                // Redis may take its time, to let a replica catch up.
                host.signal("redis-server", Signal::SIGTERM);
                host.tell("stop redis");
            }
            Kind::RestartRedis => {
                redis_server::kill(&host)?;
                redis_server::start(&host)?;
            }
            Kind::EmptyRedis => {
                redis_server::kill(&host)?;
                redis_server::wipe(&host)?;
                redis_server::start(&host)?;
            }
            Kind::HangRedis => redis_server::hang(&host),
            Kind::KillKeepalived => keepalived::kill_all(&host),
            Kind::KillVrrpChild => keepalived::kill_child(&host),
            Kind::StopKeepalived => {
                place.stopped = true;
                // It takes a second where notify_stop does.
                self.stopping.push(std::thread::spawn(move || {
                    let _ = keepalived::stop(&host);
                }));
            }
            Kind::PowerLoss | Kind::LateNetwork => place.power_off()?,
            Kind::Freeze => {
                place.frozen = true;
                host.freeze();
            }
            Kind::CableOut => host.link(false)?,
            Kind::SlowLink => host.rate(
                dice.weighted(&[(Some(2), 1), (Some(8), 1), (Some(30), 1)])
                    .flatten(),
            )?,
            Kind::HandNoOne => slaveof(&host, "NO", "ONE")?,
            Kind::HandSelf => slaveof(&host, &host.address.to_string(), &PORT.to_string())?,
            Kind::HandVip => slaveof(&host, &VIP.to_string(), &PORT.to_string())?,
            Kind::HandDead => slaveof(&host, NOBODY, &PORT.to_string())?,
            Kind::HandMutual => slaveof(&host, &other.to_string(), &PORT.to_string())?,
            Kind::KillPrograms => place.hunts.push(Hunt::start(&host, Way::Kill, dice)),
            Kind::FreezeProgram => place.hunts.push(Hunt::start(&host, Way::Freeze, dice)),
            Kind::BreakConfig => place.break_config(&mut dice)?,
            Kind::DamageMemory => place.damage_memory(&mut dice)?,
            Kind::ReadOnlyMemory => {
                place.read_only(if dice.below(2) == 0 { MEMORY } else { STATE })?
            }
            Kind::ReadOnlyRedisConf => place.read_only(REDIS_CONFIG)?,
            Kind::RemoveMemory => place.hide_memory()?,
            Kind::TermErased => meddle::erase_term(&host)?,
            Kind::TermRefused => {
                place.wrong = true;
                meddle::refuse_term(&host)?;
            }
            Kind::WrongPassword => {
                place.wrong = true;
                meddle::wrong_password(&host, &mut dice)?;
            }
            Kind::NoDisk => {
                place.wrong = true;
                meddle::fill_disk(&host)?;
            }
            Kind::EndlessScript => {
                place.script = true;
                meddle::endless_script(&host);
            }
            Kind::LostInCopy => {
                place.wrong = true;
                meddle::copy_slowly(&host)?;
                redis_server::kill(&peer)?;
                redis_server::wipe(&peer)?;
                redis_server::start(&peer)?;
            }
            Kind::CrashLoop => place.hunts.push(Hunt::start(&host, Way::Crash, dice)),
            Kind::HandBoth => {
                // Who serves first: nothing is acknowledged any more that the other one drops.
                for (host, other) in [(&host, &peer), (&peer, &host)] {
                    let to = [host.address, other.address, VIP, NOBODY.parse()?];
                    let to = dice.weighted(&to.map(|to| (to, 1))).unwrap_or(VIP);
                    slaveof(host, &to.to_string(), &PORT.to_string())?;
                }
            }
            Kind::Partition | Kind::ColdStart | Kind::TcpCut | Kind::Emptied => {}
        }
        Ok(())
    }

    /// Ends it. Ends of machines that are off, or frozen by another fault, are left to
    /// [`Field::heal`].
    pub fn end(&mut self, fault: &Fault, index: usize) -> Result<()> {
        if fault.kind == Kind::Partition {
            return self.join();
        }
        if fault.kind == Kind::TcpCut {
            return self.join_tcp();
        }
        let mut dice = Dice::new(fault.salt, 1);
        let place = &mut self.places[index];
        let host = place.host.clone();
        match fault.kind {
            Kind::PowerLoss | Kind::ColdStart => {
                return self.boot(index, Cable::Ready, dice.below(2) == 0);
            }
            Kind::LateNetwork => return self.boot(index, Cable::Silent, dice.below(2) == 0),
            Kind::Freeze => place.thaw(),
            Kind::RemoveMemory => place.return_memory(dice.below(2) == 0)?,
            Kind::BreakConfig => place.repair_config()?,
            _ if !host.is_on() || place.frozen => {}
            Kind::KillRedis | Kind::StopRedis if !redis_runs(&host) => redis_server::start(&host)?,
            Kind::HangRedis => redis_server::wake(&host),
            // Not while it is still stopping: there would be two.
            Kind::StopKeepalived if place.stopped && !keepalived::runs(&host) => {
                place.stopped = false;
                self.suite.start_keepalived(&host)?;
            }
            Kind::CableOut => host.link(true)?,
            Kind::SlowLink => host.rate(None)?,
            Kind::KillPrograms | Kind::FreezeProgram | Kind::CrashLoop => place.hunts.clear(),
            Kind::TermRefused | Kind::WrongPassword | Kind::NoDisk => {
                place.wrong = !meddle::restore(&host)?;
            }
            Kind::EndlessScript => place.script = !meddle::kill_script(&host),
            Kind::LostInCopy => redis_server::kill(&host)?,
            Kind::ReadOnlyMemory | Kind::ReadOnlyRedisConf => place.writable()?,
            _ => {}
        }
        Ok(())
    }

    /// What some faults do later than at their end: the network comes up.
    pub fn later(&mut self, fault: &Fault, index: usize) -> Result<()> {
        let host = &self.places[index].host;
        match fault.kind {
            Kind::LateNetwork if host.is_on() => host.hear(),
            Kind::ColdStart => self.boot(1 - index, Cable::Ready, true),
            Kind::LostInCopy if host.is_on() && !redis_runs(host) => redis_server::start(host),
            _ => Ok(()),
        }
    }

    /// Everything is started, thawed, joined and repaired. What goes wrong is told, for it may have
    /// to be tried again.
    pub fn heal(&mut self) {
        let joined = self.join().and(self.join_tcp());
        self.tell_if_failed(joined);
        for stopping in self.stopping.drain(..) {
            let _ = stopping.join();
        }
        for index in 0..self.places.len() {
            let healed = self.heal_place(index);
            self.tell_if_failed(healed);
        }
        if let Some(rest) = self.rest.take() {
            // Whoever comes back now meets a service that has nothing.
            std::thread::sleep(EMPTY);
            drop(rest);
        }
    }

    fn heal_place(&mut self, index: usize) -> Result<()> {
        let place = &mut self.places[index];
        place.hunts.clear();
        if place.frozen {
            place.thaw();
        }
        let host = place.host.clone();
        if !host.is_on() {
            return self.boot(index, Cable::Ready, true);
        }
        host.link(true)?;
        host.hear()?;
        host.rate(None)?;
        place.return_memory(true)?;
        place.writable()?;
        place.repair_config()?;
        host.signal("redis-server", Signal::SIGCONT);
        Ok(())
    }

    /// Starts what is not there any more, as the init system of the host would do.
    pub fn revive(&mut self) -> Result<()> {
        for place in &mut self.places {
            let host = &place.host;
            if place.script {
                place.script = !meddle::kill_script(host);
            }
            if place.wrong && redis_runs(host) {
                place.wrong = !meddle::restore(host)?;
            }
            if !redis_runs(host) {
                redis_server::start(host)?;
            }
            if place.stopped && !keepalived::runs(host) {
                place.stopped = false;
                self.suite.start_keepalived(host)?;
            }
        }
        Ok(())
    }

    fn tell_if_failed(&self, result: Result<()>) {
        if let Err(e) = result {
            self.lab.story.add("lab", "does", format!("in vain: {e:#}"));
        }
    }

    fn join(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.cut) {
            return Ok(());
        }
        // A host without power has no port at the switch.
        self.lab
            .hosts
            .iter()
            .filter(|host| host.is_on())
            .try_for_each(|host| host.cut(false))
    }

    fn all_lose_tcp(&self, lost: bool) -> Result<()> {
        let mut on = self.lab.hosts.iter().filter(|host| host.is_on());
        on.try_for_each(|host| self.lose_tcp(host, lost))
    }

    fn lose_tcp(&self, host: &Host, lost: bool) -> Result<()> {
        let others = self
            .lab
            .hosts
            .iter()
            .filter(|other| other.name != host.name);
        let to: Vec<IpAddr> = others.map(|other| other.address).chain([VIP]).collect();
        host.lose_tcp(&to, lost)
    }

    fn join_tcp(&mut self) -> Result<()> {
        match std::mem::take(&mut self.tcp_cut) {
            true => self.all_lose_tcp(false),
            false => Ok(()),
        }
    }

    /// Everything starts as at boot, Redis first; its unit may be called started before it answers.
    fn boot(&mut self, index: usize, cable: Cable, until_up: bool) -> Result<()> {
        let place = &mut self.places[index];
        let host = place.host.clone();
        if host.is_on() {
            return Ok(());
        }
        place.return_memory(true)?;
        host.power_on(cable)?;
        (place.stopped, place.frozen) = (false, false);
        if place.wrong {
            meddle::repair_conf(&host)?;
        }
        if self.cut {
            host.cut(true)?;
        }
        if self.tcp_cut {
            self.lose_tcp(&host, true)?;
        }
        redis_server::start(&host)?;
        if until_up {
            redis_server::until_up(&host)?;
        }
        self.suite.start_keepalived(&host)
    }
}

fn redis_runs(host: &Host) -> bool {
    !host.processes(|name| name == "redis-server").is_empty()
}

fn slaveof(host: &Host, to: &str, port: &str) -> Result<()> {
    host.tell(format!("by hand: SLAVEOF {to} {port}"));
    let reply = redis_server::call(host, &["SLAVEOF", to, port])?.text();
    ensure!(reply.starts_with("OK"), "SLAVEOF: {reply}");
    Ok(())
}

/// One serves, the other follows, keepalived runs on both, and no program is at work.
pub fn is_settled(lab: &Lab) -> bool {
    let pair = |server: &Host| {
        lab.serves(server)
            && lab
                .hosts
                .iter()
                .all(|other| other.name == server.name || lab.follows(other))
    };
    lab.hosts.iter().any(|host| pair(host))
        && lab
            .hosts
            .iter()
            .all(|host| keepalived::runs(host) && !Suite::OURS.is_busy(host))
}

/// Waits until the VIP is where it stays, so that nothing moves when a person does something.
pub fn until_at_rest(lab: &Lab) {
    let limit = Duration::from_secs(25);
    // The other one takes over only after VRRP's three adverts, and the checks before them.
    let hold = if lab.serves(lab.a()) {
        Duration::from_secs(1)
    } else {
        Duration::from_secs(6)
    };
    let _ = wait::until_steady("at rest", hold, limit, || is_settled(lab));
}
