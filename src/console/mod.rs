//! The command line of `keepalived-redis`, the program for people: to see, to understand, to move,
//! to trust.
//!
//! Exit codes: as all programs, see [`crate::exit::code`].

mod asked;
pub(crate) mod columns;
pub(crate) mod configuration;
pub(crate) mod doctor;
pub(crate) mod drain;
pub(crate) mod explain;
pub(crate) mod failover_test;
pub(crate) mod interrupt;
pub(crate) mod memory_copy;
pub(crate) mod promote;
pub(crate) mod rollback;
pub(crate) mod status;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};

use self::drain::Wish;
use self::status::Form;
use crate::programs::cli::{EXITS, config_path, prepare};
use crate::terminal::Terminal;

/// Shows, explains, checks and moves a Redis pair behind a virtual IP.
///
/// For people; keepalived runs none of it. Run it on one of the nodes.
#[derive(Debug, Parser)]
#[command(name = "keepalived-redis", version, after_help = EXITS, arg_required_else_help = true)]
struct Console {
    /// The configuration file, the same on every node [default: $KEEPALIVED_REDIS_CONFIG, else
    /// /etc/keepalived/redis-ha.toml]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    word: Word,
}

#[derive(Debug, Subcommand)]
enum Word {
    /// Shows all nodes: roles, the VIP, how far behind, what their data is worth
    ///
    /// The exit code says whether all is well: one master, at the VIP, all others in sync with it,
    /// and this node does not know of newer data elsewhere.
    Status {
        /// Go on, and refresh in place
        #[arg(long)]
        watch: bool,
        /// The time between two looks of --watch
        #[arg(long, value_name = "TIME", default_value = "1s", value_parser = pause, requires = "watch")]
        interval: Duration,
        /// One line of JSON
        #[arg(long, conflicts_with = "prometheus")]
        json: bool,
        /// Prometheus's text format, for the textfile collector; the exit code is 0 wherever it
        /// could be told
        #[arg(long)]
        prometheus: bool,
        /// Write to this file, which is replaced at once, and not to standard output
        #[arg(long, value_name = "FILE", conflicts_with = "watch")]
        output: Option<PathBuf>,
        /// How many of the last transitions to show
        #[arg(long, value_name = "N", default_value_t = 8)]
        transitions: usize,
    },
    /// Says what the programs would do now, and why; does nothing
    Explain,
    /// Looks for every known trap that can be seen from here, and says how to get out of it
    ///
    /// Changes nothing. Exit code 0: nothing fails; 1: something does; 3: the configuration can't
    /// be read, or this machine is none of its nodes.
    Doctor {
        /// JSON, for programs
        #[arg(long)]
        json: bool,
        /// Only what is not well
        #[arg(short, long)]
        quiet: bool,
        /// keepalived's configuration [default: what the keepalived that runs was given, else its
        /// service, else /etc/keepalived/keepalived.conf]
        #[arg(long, value_name = "FILE")]
        keepalived_conf: Option<PathBuf>,
    },
    /// Gives up the VIP without losing a write, and stays out until resumed
    ///
    /// A drained node is taken only where no other one lives. It is refused where no other node is
    /// ready.
    Drain {
        /// End it by itself after this time, as 30m or 2h
        #[arg(long = "for", value_name = "TIME", value_parser = lasting)]
        lasting: Option<Duration>,
        /// Also where no other node is ready to serve: the VIP may be nowhere then
        #[arg(long)]
        force: bool,
    },
    /// Ends a drain
    Resume,
    /// Serves what is here, though a node that is away is known to have newer data; after asking
    ///
    /// Exit code 0: the local Redis serves; 1: it does not, or the answer was no; 3: the
    /// configuration can't be read, or nobody is there to be asked.
    Promote {
        /// There is no other kind: all else is promoted by itself
        #[arg(long, required = true)]
        outdated: bool,
        /// Do not ask first
        #[arg(long)]
        yes: bool,
    },
    /// The rollback files: data that was kept before it was dropped
    #[command(subcommand)]
    Rollback(Files),
    /// Moves the VIP and the role away from this node and back, and measures the gap and what was
    /// lost
    ///
    /// Run it in a maintenance window, on the node that serves: this node is drained, and resumed
    /// when the other one serves and this one follows it. Meanwhile it writes through the VIP, to
    /// keys of its own that end by themselves after an hour, reads every acknowledged write back,
    /// and deletes them. Exit code 0: both moves were made (in the sticky variant the one that
    /// there is) and nothing was lost.
    FailoverTest {
        /// Writes a second
        #[arg(long, value_name = "WRITES", default_value_t = 200, value_parser = clap::value_parser!(u32).range(20..=1000))]
        rate: u32,
        /// Do not ask first
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
enum Files {
    /// All files in rollback.dir, the newest first, and why each is still there
    List {
        /// One line of JSON
        #[arg(long)]
        json: bool,
    },
    /// All that is known of one file, and whether it is whole (exit code 0) or not (1)
    Show {
        /// Its name, its counter, the beginning of its name, a path, or `latest`
        file: String,
        /// One line of JSON
        #[arg(long)]
        json: bool,
        /// For reading the file
        #[arg(long, value_name = "TIME", default_value = "10m", value_parser = humantime::parse_duration)]
        budget: Duration,
    },
    /// Names the keys that are in one file and not in the service, or differ there; the service is
    /// only read
    ///
    /// A private Redis, reached by nobody else, loads the file; each of its keys is then looked for
    /// in the data of the node that serves. Exit code 0: all that is in the file is in the service;
    /// 1: it is not; 3: that could not be told.
    Inspect(Inspect),
    /// Removes files for good, after asking; only those of this pair that lie in rollback.dir
    ///
    /// All that are named or none; each removal is a line of the journal. Exit code 0: they are
    /// gone; 1: the answer was no; 3: one of them is not there, is not of this pair, or could not
    /// be removed, or nobody is there to be asked.
    Discard {
        /// Their names, counters, beginnings of names, paths, or `latest`
        #[arg(required = true, value_name = "FILE")]
        files: Vec<String>,
        /// Do not ask first
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Inspect {
    /// Its name, its counter, the beginning of its name, a path, or `latest`
    file: String,
    /// Name so many keys at most [default: 20, with --json all]
    #[arg(long, value_name = "KEYS")]
    limit: Option<u64>,
    /// Name all keys
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// A line of JSON for each key, and one for the counts
    #[arg(long)]
    json: bool,
    /// Ask the service no more than so many commands a second; it is given at least as much rest as
    /// it has worked for this
    #[arg(long, value_name = "COMMANDS", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    pace: u32,
    /// For reading and loading the file
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = humantime::parse_duration)]
    budget: Duration,
    /// Also where the data of the file may not fit into the memory of this machine
    #[arg(long)]
    force: bool,
    /// Also write the keys that are only in the file to FILE, as commands for `redis-cli --pipe`:
    /// RESTORE, which leaves a key that is there by then as it is
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
}

impl Inspect {
    fn wanted(self) -> rollback::Inspection {
        let Inspect {
            limit,
            all,
            json,
            pace,
            budget,
            force,
            export,
            ..
        } = self;
        let limit = if all {
            None
        } else {
            limit.or(if json { None } else { Some(20) })
        };
        rollback::Inspection {
            limit,
            json,
            pace,
            budget,
            force,
            export,
        }
    }
}

/// `keepalived-redis`.
pub fn keepalived_redis() -> ExitCode {
    let Console { config, word } = Console::parse();
    prepare();
    let path = config_path(config.as_deref());
    let terminal = Terminal::of_stdout();
    ExitCode::from(match word {
        Word::Status {
            watch,
            interval,
            json,
            prometheus,
            output,
            transitions,
        } => {
            let form = match (json, prometheus) {
                (true, _) => Form::Json,
                (_, true) => Form::Prometheus,
                _ => Form::Table,
            };
            let shown = status::Shown {
                form,
                watch: watch.then_some(interval),
                output,
                transitions,
            };
            status::run(&path, &terminal, &shown)
        }
        Word::Explain => explain::run(&path, &terminal),
        Word::Doctor {
            json,
            quiet,
            keepalived_conf,
        } => doctor::run(
            &path,
            &doctor::Wanted {
                json,
                quiet,
                keepalived_conf,
            },
            &terminal,
        ),
        Word::Drain { lasting, force } => drain::run(&path, Wish { lasting, force }),
        Word::Resume => drain::resume(&path),
        Word::Promote { yes, .. } => promote::run(&path, yes, &terminal),
        Word::Rollback(Files::List { json }) => rollback::list(&path, json, &terminal),
        Word::Rollback(Files::Show { file, json, budget }) => {
            rollback::show(&path, &file, json, budget, &terminal)
        }
        Word::Rollback(Files::Inspect(words)) => {
            let file = words.file.clone();
            rollback::inspect(&path, &file, &words.wanted(), &terminal)
        }
        Word::Rollback(Files::Discard { files, yes }) => {
            rollback::discard(&path, &files, yes, &terminal)
        }
        Word::FailoverTest { rate, yes } => failover_test::run(&path, rate, yes, &terminal),
    })
}

fn pause(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if (Duration::from_millis(200)..=Duration::from_secs(3600)).contains(&time) => {
            Ok(time)
        }
        Ok(_) => Err("allowed are 200ms to 1h".to_string()),
        Err(_) => Err("write a time as 500ms or 2s".to_string()),
    }
}

fn lasting(text: &str) -> Result<Duration, String> {
    // The move itself takes some seconds.
    const SHORTEST: Duration = Duration::from_secs(20);
    const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
    match humantime::parse_duration(text) {
        Ok(time) if (SHORTEST..=LONGEST).contains(&time) => Ok(time),
        Ok(_) => Err("allowed are 20s to 1year".to_string()),
        Err(_) => Err("write a time as 30m or 2h".to_string()),
    }
}

/// The command line: manual pages and completions are made from it.
pub fn command() -> clap::Command {
    Console::command()
}
