//! A pair that is hurt, measured, put right, and hurt again.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::Signal;

use crate::host::Host;
use crate::keepalived;
use crate::lab::Lab;
use crate::readback::{self, Fate};
use crate::redis_server::{self, Boot, Settings};
use crate::run;
use crate::suite::Suite;
use crate::wait;
use crate::writer::{Ack, Direct, Rate, Writer, Written};

/// Writes a second, the same for all that is compared: a gap is known to 2 ms.
pub const RATE: u32 = 500;
/// No write waits longer for its answer, and no connect: then the client begins anew. Half of what
/// the lab's usual writer waits, as a packet that was on its way to a host that had just lost the
/// VIP costs just that.
pub const PATIENCE: Duration = Duration::from_millis(50);
/// Longer than anything here takes.
pub const LIMIT: Duration = Duration::from_secs(60);
/// Writes that have to be acknowledged before something is hurt, and after it.
const SOME: usize = 100;

/// What one blow did.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The longest time without an acknowledged write.
    pub gap: Duration,
    /// Acknowledged writes.
    pub acknowledged: usize,
    /// Those that are nowhere any more.
    pub lost: usize,
    /// Those that only a rollback file holds.
    pub in_files: usize,
}

/// A pair with one of the suites, and numbers of keys that were not used yet.
pub struct Rig {
    /// The hosts.
    pub lab: Lab,
    /// What moves the role.
    pub suite: Suite,
    next: u64,
    noise: u64,
}

impl Rig {
    /// Two hosts, and the first one serves.
    pub fn new(suite: Suite) -> Result<Rig> {
        suite.prepare()?;
        // The scripts' guide knows of no other way to boot than redis.conf's.
        let boot = if suite == Suite::Scripts {
            Boot::AsConfigured
        } else {
            Boot::AsReplica
        };
        let lab = Lab::new(Settings {
            boot,
            ..Settings::default()
        })?;
        run::bring_up(&lab, suite)?;
        Ok(Rig {
            lab,
            suite,
            next: 0,
            noise: 0x9e37_79b9_7f4a_7c15,
        })
    }

    /// Starts writing, and comes back at a moment that no clock of the pair knows.
    pub fn writer(&mut self) -> Result<Writer> {
        let writer = writer(&self.lab, self.next);
        until_more(&writer, SOME)?;
        // A check comes once a second, or every four of them: a moment within one such time.
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        let period = if self.suite == Suite::Scripts {
            4000
        } else {
            1000
        };
        std::thread::sleep(Duration::from_millis(self.noise % period));
        Ok(writer)
    }

    /// Ends the writer. The next one begins with a new number.
    pub fn end(&mut self, writer: Writer) -> Result<Written> {
        let written = writer.stop()?;
        self.next += written.attempts;
        Ok(written)
    }

    /// `kill -9` of the Redis of the first host, until the second serves.
    pub fn crash(&mut self) -> Result<Outcome> {
        self.settle()?;
        let writer = self.writer()?;
        let from = self.lab.story.now();
        redis_server::kill(self.lab.a())?;
        wait::until("the second host serves", LIMIT, || {
            self.lab.serves(self.lab.b())
        })?;
        until_more(&writer, SOME)?;
        let to = self.lab.story.now();
        let written = self.end(writer)?;
        let (gap, _) = written.longest_gap(from, to);
        let missing = readback::missing_on(self.lab.b(), &written.acks)?;
        self.repair()?;
        let fate = self.fate(missing)?;
        Ok(Outcome {
            gap,
            acknowledged: written.acks.len(),
            lost: fate.lost.len(),
            in_files: fate.in_files.len(),
        })
    }

    /// Whether what is missing is in a file by now.
    fn fate(&self, missing: Vec<Ack>) -> Result<Fate> {
        let mut fate = Fate {
            lost: missing,
            ..Fate::default()
        };
        if !fate.lost.is_empty() && self.suite != Suite::Scripts {
            let acks = std::mem::take(&mut fate.lost);
            let wanted: HashSet<u64> = acks.iter().map(|ack| ack.number).collect();
            fate = readback::read_back(
                &self.lab,
                &Written {
                    acks,
                    ..Written::default()
                },
            )?;
            fate.lost.retain(|ack| wanted.contains(&ack.number));
        }
        Ok(fate)
    }

    /// The dead Redis is there again, and the pair as it was.
    fn repair(&self) -> Result<()> {
        let (a, b) = (self.lab.a(), self.lab.b());
        if self.suite != Suite::Scripts {
            redis_server::start(a)?;
            redis_server::until_up(a)?;
            // A Redis that died three times in ten minutes is not trusted with the VIP for half an
            // hour.
            a.sh("/usr/libexec/keepalived/check_redis --forget-failures")?;
            return self.settle();
        }
        // Their own way back takes half a minute and loses writes, which is another benchmark's.
        // The roles are put right by hand, and the scripts that still sleep are ended: they would
        // only say the same again.
        for host in [a, b] {
            keepalived::stop(host)?;
            self.end_scripts(host);
        }
        redis_server::start(a)?;
        redis_server::until_up(a)?;
        let address = |host: &Host| host.address.to_string();
        redis_server::call(a, &["SLAVEOF", &address(b), "6379"])?;
        wait::until("the first host has caught up", LIMIT, || {
            self.lab.follows(a)
        })?;
        redis_server::call(a, &["SLAVEOF", "NO", "ONE"])?;
        redis_server::call(b, &["SLAVEOF", &address(a), "6379"])?;
        for host in [a, b] {
            self.suite.start_keepalived(host)?;
        }
        let placed = || {
            self.lab.holders() == [a.name.as_str()]
                && self.suite.is_busy(a)
                && self.suite.is_busy(b)
        };
        wait::until("the VIP is on the first host", LIMIT, placed)?;
        for host in [a, b] {
            self.end_scripts(host);
        }
        redis_server::call(a, &["SLAVEOF", "NO", "ONE"])?;
        self.settle()
    }

    fn end_scripts(&self, host: &Host) {
        for script in [
            "redis_master.sh",
            "redis_backup.sh",
            "redis_fault.sh",
            "redis_stop.sh",
        ] {
            host.signal(script, Signal::SIGKILL);
        }
    }

    /// Waits until the first host serves, the second one has all that it has, and no program is at
    /// work.
    pub fn settle(&self) -> Result<()> {
        let (a, b) = (self.lab.a(), self.lab.b());
        let quiet = || ![a, b].iter().any(|host| self.suite.is_busy(host));
        wait::until_steady(
            "the first host serves, the second follows",
            Duration::from_millis(500),
            LIMIT,
            || self.lab.serves(a) && self.lab.follows(b) && quiet(),
        )?;
        wait::until("the second host has caught up", LIMIT, || {
            offset(b) >= offset(a) && offset(a).is_some()
        })
    }
}

/// Starts writing through the VIP; the first key has the number `first`.
pub fn writer(lab: &Lab, first: u64) -> Writer {
    let mut vip = Direct::new(lab.target(), PATIENCE, PATIENCE);
    Writer::with(
        first,
        &lab.client,
        Rate::PerSecond(RATE),
        &lab.story,
        move |number| vip.write(number),
    )
}

/// Waits for more acknowledged writes.
pub fn until_more(writer: &Writer, count: usize) -> Result<()> {
    let before = writer.acknowledged().0;
    wait::until(&format!("{count} more writes"), LIMIT, || {
        writer.acknowledged().0 >= before + count
    })
}

/// What a Redis says of its replication, by the name of the field.
pub fn info(host: &Host, field: &str) -> Option<String> {
    let text = redis_server::call(host, &["INFO", "replication"])
        .ok()?
        .text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

fn offset(host: &Host) -> Option<u64> {
    info(host, "master_repl_offset")?.parse().ok()
}
