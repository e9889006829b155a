//! The command line of `keepalived-redis`, the program for people: to see, to understand, to move, to trust.
//!
//! Exit codes: as all programs, see [`crate::program::code`].

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::cli::{EXITS, config_path, prepare};
use crate::terminal::Terminal;
use crate::{doctor, drain, explain, failover_test, rollback_files, status};

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
    Status,
    /// Says what the programs would do now, and why; does nothing
    Explain,
    /// Looks for every known trap that can be seen from here, and says how to get out of it
    ///
    /// Changes nothing. Exit code 0: nothing fails; 1: something does; 3: the configuration can't be read, or this machine is
    /// none of its nodes.
    Doctor {
        /// JSON, for programs
        #[arg(long)]
        json: bool,
        /// Only what is not well
        #[arg(short, long)]
        quiet: bool,
        /// keepalived's configuration [default: what the keepalived that runs was given, else its service, else
        /// /etc/keepalived/keepalived.conf]
        #[arg(long, value_name = "FILE")]
        keepalived_conf: Option<PathBuf>,
    },
    /// Gives up the VIP without losing a write, and stays out until resumed
    Drain,
    /// Ends a drain
    Resume,
    /// The rollback files: data that was kept before it was dropped
    #[command(subcommand)]
    Rollback(Files),
    /// Moves the VIP and the role away from this node and back, and measures the gap and what was lost
    FailoverTest,
}

#[derive(Debug, Subcommand)]
enum Files {
    /// All of this node's files, the newest first
    List,
}

/// `keepalived-redis`.
pub fn keepalived_redis() -> ExitCode {
    let Console { config, word } = Console::parse();
    prepare();
    let path = config_path(config.as_deref());
    let terminal = Terminal::of_stdout();
    ExitCode::from(match word {
        Word::Status => status::run(&path, &terminal),
        Word::Explain => explain::run(&path, &terminal),
        Word::Doctor { json, quiet, keepalived_conf } => {
            doctor::run(&path, &doctor::Wanted { json, quiet, keepalived_conf }, &terminal)
        }
        Word::Drain => drain::run(&path, &terminal),
        Word::Resume => drain::resume(&path, &terminal),
        Word::Rollback(Files::List) => rollback_files::list(&path, &terminal),
        Word::FailoverTest => failover_test::run(&path, &terminal),
    })
}

/// The command line: manual pages and completions are made from it.
pub fn command() -> clap::Command {
    Console::command()
}
