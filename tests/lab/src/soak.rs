//! A pair under a loaded processor for minutes or hours: nothing may move.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::unistd::Pid;

use crate::host::Host;
use crate::lab::Lab;
use crate::record::Record;
use crate::run::{Goal, Run, usual_lab};
use crate::suite::Suite;
use crate::watcher;
use crate::writer::{self, Rate};

const CHECKS: &str = "/var/log/keepalived-redis/check-redis-status.log";
/// The unit of /proc/PID/stat, on every Linux that these programs run on.
const TICK: Duration = Duration::from_millis(10);
/// As the writer calls an answer that took longer than its patience.
const TIMEOUT: &str = "timeout";
/// `timing.hang`.
const HANG: Duration = Duration::from_millis(300);
const RATE: Rate = Rate::PerSecond(200);

/// What came out.
pub struct Soaked {
    /// The writes; its one phase is `soak`.
    pub record: Record,
    /// How many processes kept the processors busy.
    pub busy: usize,
    /// The longest time between a write and its answer.
    pub slowest: Duration,
    /// What moved, or was said to be unwell: nothing, if all is well.
    pub moved: Vec<String>,
    /// Of each host's watcher.
    pub watchers: Vec<Watcher>,
    took: Duration,
}

/// What a watcher used.
pub struct Watcher {
    host: String,
    cpu: Duration,
    /// The most memory that it ever had, in KiB.
    pub peak: u64,
}

/// Plays it on a lab of its own.
pub fn soak(suite: Suite, time: Duration) -> Result<Soaked> {
    let lab = usual_lab()?;
    let mut run = Run::start(&lab, suite, RATE)?;
    // Children of pid 1: they end with the lab, whatever happens.
    let busy = std::thread::available_parallelism()?.get();
    for host in lab.hosts.iter().cycle().take(busy) {
        host.spawn("sh", &["-c", "while :; do :; done"])?;
    }
    let from = lab.story.now();
    let before: Vec<usize> = lab
        .hosts
        .iter()
        .map(|host| check_lines(host).len())
        .collect();
    let pids: Vec<Option<Pid>> = lab.hosts.iter().map(|host| watcher::pid(host)).collect();
    let cpu = |pid: &Option<Pid>| pid.map_or(Ok(Duration::ZERO), cpu_of);
    let used: Vec<Duration> = pids.iter().map(cpu).collect::<Result<_>>()?;
    run.phase(
        "soak",
        Duration::from_secs(20),
        Goal::Serves(lab.a()),
        || {
            std::thread::sleep(time);
            Ok(())
        },
    )?;
    let took = lab.story.now() - from;
    let mut moved = moves(&lab, from);
    let mut watchers = Vec::new();
    for (index, host) in lab.hosts.iter().enumerate() {
        moved.extend(
            check_lines(host)
                .split_off(before[index])
                .into_iter()
                .map(|l| format!("{}: {l}", host.name)),
        );
        if pids[index] != watcher::pid(host) {
            moved.push(format!(
                "{}: the watcher is not the one that it was",
                host.name
            ));
        } else if let Some(pid) = pids[index] {
            watchers.push(Watcher {
                host: host.name.clone(),
                cpu: cpu_of(pid)? - used[index],
                peak: peak_of(pid)?,
            });
        }
    }
    let record = run.finish("soak")?;
    let slowest = record
        .acks
        .iter()
        .map(|ack| ack.at - ack.sent)
        .max()
        .unwrap_or_default();
    Ok(Soaked {
        record,
        busy,
        slowest,
        moved,
        watchers,
        took,
    })
}

/// Changes of a VRRP state since `from`.
fn moves(lab: &Lab, from: Duration) -> Vec<String> {
    let events = lab.told(true).into_iter();
    let states = events.filter(|event| event.at >= from && event.what.contains("Entering "));
    states
        .map(|event| format!("{}: {}", event.who, event.what))
        .collect()
}

/// Lines of the journal that tells changes of a verdict.
fn check_lines(host: &Host) -> Vec<String> {
    let text = std::fs::read_to_string(host.file(CHECKS)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// utime and stime of a process.
fn cpu_of(pid: Pid) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = stat.rsplit_once(") ").context("no process")?;
    let ticks = rest
        .split(' ')
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u32>().unwrap_or_default())
        .sum::<u32>();
    Ok(TICK * ticks)
}

fn peak_of(pid: Pid) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

impl Soaked {
    /// What should not have happened.
    pub fn failures(&self) -> Vec<String> {
        let mut failures = self.moved.clone();
        // The client's patience is short; on a loaded processor an answer may outlast it, and
        // nothing has moved.
        let told = self
            .record
            .errors
            .iter()
            .filter(|(kind, _)| kind != TIMEOUT);
        failures.extend(told.map(|(kind, count)| format!("{count} writes failed: {kind}")));
        let gap = self.record.gap("soak");
        if gap >= HANG {
            failures.push(format!("no write for {} ms", gap.as_millis()));
        }
        let lost = self.record.fate.lost.len() + self.record.fate.in_files.len();
        if lost > 0 {
            failures.push(format!("{lost} writes are lost"));
        }
        failures
    }
}

impl fmt::Display for Soaked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (took, record) = (self.took.as_secs_f64(), &self.record);
        writeln!(
            f,
            "{}: {took:.0} s with {} busy processes, {} writes, {} of them given up after {} ms, \
             longest gap {} ms, \
             slowest answer {:.1} ms",
            record.suite.name(),
            self.busy,
            record.fate.acknowledged,
            record
                .errors
                .iter()
                .find(|(kind, _)| kind == TIMEOUT)
                .map_or(0, |(_, count)| *count),
            writer::TIMEOUT.as_millis(),
            record.gap("soak").as_millis(),
            self.slowest.as_secs_f64() * 1e3,
        )?;
        for watcher in &self.watchers {
            let cpu = watcher.cpu.as_secs_f64();
            let (percent, peak) = (cpu / took * 1e2, watcher.peak);
            writeln!(
                f,
                "{}: the watcher took {cpu:.2} s of CPU ({percent:.3} %), at most {peak} KiB",
                watcher.host
            )?;
        }
        let failures = self.failures();
        failures
            .iter()
            .try_for_each(|failure| writeln!(f, "  {failure}"))?;
        write!(f, "{} failures", failures.len())
    }
}
