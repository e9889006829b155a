//! What `lab` is told on its command line.

use std::path::PathBuf;

use clap::Parser;
use lab::clients;
use lab::cluster::{Profile, Shape};
use lab::redis_server::{Boot, Persistence, Settings};
use lab::server::Server;
use lab::suite::Suite;

#[derive(Parser)]
#[command(version, about)]
pub(crate) enum Cli {
    /// pid 1 of a host. The lab calls it.
    #[command(hide = true)]
    HostInit {
        #[arg(long)]
        name: String,
        #[arg(long)]
        dir: PathBuf,
        #[arg(long)]
        tree: PathBuf,
    },
    /// Benchmarks, each against what else there is, in one run.
    Bench {
        /// `check`, `crash`, `moves`, `handover`, `load`, `sync`; all of them when none is named.
        names: Vec<String>,
        /// How often each side is measured; every benchmark has a number of its own.
        #[arg(long)]
        runs: Option<usize>,
        /// Put the tables into this file as well.
        #[arg(long)]
        markdown: Option<PathBuf>,
    },
    /// Random faults that overlap, on a pair under load, and a look for every acknowledged write.
    Campaign(Campaign),
    /// The table of what campaigns have recorded.
    CampaignTable {
        /// Files of `campaign --record`.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// The suites side by side, in a table, and one event as a picture.
    Compare {
        /// How often each scenario is played with each suite.
        #[arg(long, default_value_t = 5)]
        runs: usize,
        /// Only this one; may be given again.
        #[arg(long)]
        scenario: Vec<String>,
        /// Writes a second.
        #[arg(long, default_value_t = 200)]
        rate: u32,
        #[command(flatten)]
        redis: Redis,
        /// Put the table into this file as well.
        #[arg(long)]
        markdown: Option<PathBuf>,
        /// Put the timeline of every run into this directory.
        #[arg(long)]
        stories: Option<PathBuf>,
        /// Play the fast profile as well.
        #[arg(long)]
        with_fast: bool,
        /// Draw the first run of the first scenario into this file, writes a second over time.
        #[arg(long)]
        svg: Option<PathBuf>,
    },
    /// Two hosts, a failover and a failback, for a person to watch. About a minute.
    Demo,
    /// Failover, failback and handover on every server: Redis 5.0, 6.2, this machine's own, 8.2,
    /// Valkey 8.1.
    Matrix {
        /// Only this one; may be given again.
        #[arg(long, value_enum)]
        server: Vec<Server>,
        /// How often each.
        #[arg(long, default_value_t = 1)]
        runs: usize,
        /// Writes a second.
        #[arg(long, default_value_t = 200)]
        rate: u32,
        #[command(flatten)]
        redis: Redis,
        /// Put the table into this file as well.
        #[arg(long)]
        markdown: Option<PathBuf>,
        /// Put the timeline of every run into this directory.
        #[arg(long)]
        stories: Option<PathBuf>,
    },
    /// Play one scenario with one suite.
    Run {
        /// `scripts`, `ours`, `sticky` or `fast`.
        #[arg(long, value_parser = suite)]
        suite: Suite,
        /// Its name, as in the list that a wrong name gives.
        #[arg(long)]
        scenario: String,
        /// Writes a second; 0 is as fast as it can.
        #[arg(long, default_value_t = 200)]
        rate: u32,
        #[command(flatten)]
        redis: Redis,
        /// Print what happened, from all sources.
        #[arg(long)]
        timeline: bool,
        /// With every line that keepalived logged.
        #[arg(long)]
        full: bool,
        /// Leave disks and logs of the hosts, and say where.
        #[arg(long)]
        keep: bool,
    },
    /// A pair to try things on by hand, until its standard input ends.
    Stand {
        /// `scripts`, `ours`, `sticky` or `fast`.
        #[arg(long, value_parser = suite, default_value = "ours")]
        suite: Suite,
    },
    /// Play clusters that Sentinel looks after: with keepalived and our programs, and with Sentinel
    /// alone.
    Sentinel(Sentinel),
    /// Keep a pair and all processors busy, and see that nothing moves.
    Soak {
        /// How long.
        #[arg(long, default_value_t = 60)]
        minutes: u64,
        /// `ours`, `sticky` or `fast`.
        #[arg(long, value_parser = suite, default_value = "fast")]
        suite: Suite,
    },
}

/// What `lab campaign` is told.
#[derive(clap::Args)]
pub(crate) struct Campaign {
    /// The same number, the same faults.
    #[arg(long)]
    pub(crate) seed: u64,
    /// How many.
    #[arg(long, default_value_t = 200)]
    pub(crate) faults: usize,
    /// With faults of the term, of TCP alone, of passwords, disks and scripts, and a client that
    /// leaves nothing.
    #[arg(long)]
    pub(crate) wide: bool,
    /// In which role Redis starts.
    #[arg(long, value_enum, default_value_t = Boot::AsReplica)]
    pub(crate) boot: Boot,
    /// What outlives a restart of it.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) persistence: Persistence,
    /// Who writes; when this is not given an odd seed has `adding`, an even one `workload`.
    #[arg(long, value_enum)]
    pub(crate) client: Option<clients::Kind>,
    /// Writes a second, of each client.
    #[arg(long, default_value_t = 200)]
    pub(crate) rate: u32,
    /// Megabytes that are there before the first fault.
    #[arg(long, default_value_t = 0)]
    pub(crate) megabytes: usize,
    /// In the fast profile.
    #[arg(long)]
    pub(crate) fast: bool,
    /// Only say what would be done.
    #[arg(long)]
    pub(crate) plan: bool,
    /// Play this round alone, on a fresh pair; may be given again.
    #[arg(long)]
    pub(crate) only: Vec<usize>,
    /// End at the first failure.
    #[arg(long)]
    pub(crate) stop_at_first: bool,
    /// Keep the timeline of every round, not only of those that fail or take long.
    #[arg(long)]
    pub(crate) timelines: bool,
    /// Append a line a round to this file.
    #[arg(long)]
    pub(crate) record: Option<PathBuf>,
    /// Without rollback files: shows that the campaign can fail.
    #[arg(long, hide = true)]
    pub(crate) keep_nothing: bool,
}

/// What `lab sentinel` is told.
#[derive(clap::Args)]
pub(crate) struct Sentinel {
    /// Only this one; may be given again. A wrong name gives the list.
    #[arg(long)]
    pub(crate) scenario: Vec<String>,
    /// Only on these hosts; may be given again.
    #[arg(long, value_enum)]
    pub(crate) shape: Vec<Shape>,
    /// Only with this; may be given again.
    #[arg(long, value_enum)]
    pub(crate) profile: Vec<Profile>,
    /// Seconds of a silence of the sentinels, and of the time at the end in which nothing may move.
    #[arg(long, default_value_t = 60)]
    pub(crate) quiet: u64,
    /// How often each.
    #[arg(long, default_value_t = 1)]
    pub(crate) runs: usize,
    /// Of the scenario "faults": the same ones again. Each further run has the next one.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Writes a second.
    #[arg(long, default_value_t = 1000)]
    pub(crate) rate: u32,
    /// Milliseconds until a sentinel finds a silent master down.
    #[arg(long, default_value_t = 5000)]
    pub(crate) down_after: u64,
    /// With Sentinel alone, let the client hear of a planned move from its errors only.
    #[arg(long)]
    pub(crate) deaf: bool,
    /// Let the quiet times of so many runs go by at once; what is measured is measured alone.
    #[arg(long, default_value_t = 4)]
    pub(crate) at_once: usize,
    /// Put the tables into this file as well.
    #[arg(long)]
    pub(crate) markdown: Option<PathBuf>,
    /// Print what happened in each run, from all sources.
    #[arg(long)]
    pub(crate) timeline: bool,
    /// Put the timeline of every run into this directory.
    #[arg(long)]
    pub(crate) stories: Option<PathBuf>,
}

/// How Redis is set up on both hosts.
#[derive(clap::Args)]
pub(crate) struct Redis {
    /// In which role it starts.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) boot: Boot,
    /// What outlives a restart of it.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) persistence: Persistence,
}

impl Redis {
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            persistence: self.persistence,
            boot: self.boot,
            ..Settings::DEFAULT
        }
    }
}

fn suite(name: &str) -> Result<Suite, String> {
    match name {
        "scripts" => Ok(Suite::Scripts),
        "ours" => Ok(Suite::OURS),
        "sticky" => Ok(Suite::STICKY),
        "fast" => Ok(Suite::FAST),
        _ => Err("scripts, ours, sticky or fast".to_owned()),
    }
}
