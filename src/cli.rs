//! The command lines of the programs, and how each one is run.
//!
//! Exit codes, one meaning everywhere: see [`code`].

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use clap::Parser;
use nix::sys::stat::{Mode, umask};

use crate::check::{self, Verdict};
use crate::config::{Config, DEFAULT_PATH, LOG_DIR, STATE_DIR};
use crate::deadline::{Deadline, Stopwatch};
use crate::journal::{CHECKS, Journal, Label, TRANSITIONS};
use crate::memory::Store;
use crate::plan::Vip;
use crate::probe::probe;
use crate::program::{Outcome, Program, local_node};
use crate::ticket::State;
use crate::turn::{Ended, Entry, Turn};
use crate::{serve, stop, yielding};

/// What the exit codes mean. keepalived logs "now returning N", so people read them.
pub mod code {
    /// Yes, or done.
    pub const YES: u8 = 0;
    /// No, or Redis says no; the reason is said in one line.
    pub const NO: u8 = 1;
    /// The command line is wrong (clap's own code).
    pub const USAGE: u8 = 2;
    /// Cannot tell: the configuration can't be read, or no node of it is this machine.
    pub const CANNOT_TELL: u8 = 3;
}

const EXITS: &str = "Exit codes: 0 yes or done, 1 no (the reason is said in one line), 2 wrong usage, \
    3 cannot tell (configuration unreadable, or none of its nodes is this machine).";

#[derive(clap::Args)]
struct Common {
    /// The configuration file, the same on every node [default: $KEEPALIVED_REDIS_CONFIG, else
    /// /etc/keepalived/redis-ha.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say more: a check also says what it found when all is well
    #[arg(short, long)]
    verbose: bool,
}

/// Is the local Redis alive, and in the role that this node's VRRP state demands?
///
/// keepalived runs it as a vrrp_script: without options with weight 0, with --eligible with a negative weight. It is
/// silent when all is well, unless it is run on a terminal or with -v; a change of verdict is one line in
/// check-redis-status.log. It changes nothing in Redis and may run twice at the same time.
#[derive(Parser)]
#[command(name = "check_redis", version, after_help = EXITS)]
struct Check {
    #[command(flatten)]
    common: Common,
    /// Ask instead whether this node may take the VIP, or is its data behind?
    #[arg(long)]
    eligible: bool,
    /// The whole run's deadline, as 400ms [default: timing.check of the configuration]
    #[arg(long, value_name = "TIME", value_parser = deadline_of)]
    timeout: Option<Duration>,
    /// After a failure also run `systemctl stop keepalived`: the node stays out until a person brings it back
    #[arg(long)]
    stop_keepalived: bool,
}

/// Makes the local Redis master, because this node has been given the VIP.
///
/// keepalived runs it as notify_master and notify_master_rx_lower_pri. In sync with a serving peer it takes the role
/// over without losing a write; where the peer is gone it promotes; where the local data is behind it catches up
/// first. Safe to run twice, and to be killed at any step and run again.
#[derive(Parser)]
#[command(name = "redis_master", version, after_help = EXITS)]
struct Master {
    #[command(flatten)]
    common: Common,
}

/// Makes the local Redis a replica of the peer that serves, once it serves.
///
/// keepalived runs it as notify_backup. It persists until that is done or a newer notification comes. Local data that
/// is not contained in the peer's is kept in a rollback file first. Safe to run twice.
#[derive(Parser)]
#[command(name = "redis_backup", version, after_help = EXITS)]
struct Backup {
    #[command(flatten)]
    common: Common,
}

/// Journals what failed, then does as redis_backup does once the local Redis lives.
///
/// keepalived runs it as notify_fault. Safe to run twice.
#[derive(Parser)]
#[command(name = "redis_fault", version, after_help = EXITS)]
struct Fault {
    #[command(flatten)]
    common: Common,
}

/// Journals that keepalived stops, and to whom the role went.
///
/// keepalived runs it as notify_stop and kills it after a second; it is done in 0.8 s. The peer's redis_master moves
/// the role. Safe to run twice.
#[derive(Parser)]
#[command(name = "redis_stop", version, after_help = EXITS)]
struct Stop {
    #[command(flatten)]
    common: Common,
}

/// `check_redis`.
pub fn check_redis() -> ExitCode {
    let options = Check::parse();
    let name = "check_redis";
    prepare();
    let (label, file) = match options.eligible {
        true => (Label::Eligible, "eligible.verdict"),
        false => (Label::Check, "check.verdict"),
    };
    let (config, alarm) = match load(&options.common) {
        Ok(loaded) => loaded,
        Err(error) => {
            let path = config_path(&options.common);
            let memory = Path::new(STATE_DIR).join(path.file_stem().unwrap_or_default());
            let sentence = format!("cannot tell: {error:#}");
            note_change(&Store::new(&memory), file, Path::new(LOG_DIR), label, &sentence, &sentence);
            return cannot_tell(name, &error);
        }
    };
    let store = Store::new(&config.memory_dir);
    let local = match local_node(&config) {
        Ok(local) => local,
        Err(error) => {
            let sentence = format!("cannot tell: {error:#}");
            note_change(&store, file, &config.log_dir, label, &sentence, &sentence);
            return cannot_tell(name, &error);
        }
    };
    // A little less than keepalived's own patience has to cover the start and the end of this process too.
    let deadline = Deadline::after(options.timeout.unwrap_or(config.timing.check));
    let verdict = match options.eligible {
        true => check::eligible(&config, local, deadline),
        false => check::health(&config, local, deadline),
    };
    let Verdict { ok, mut sentence } = verdict.clone();
    let mut kind = verdict.kind();
    if let Some(alarm) = &alarm {
        sentence = format!("{sentence}; ALARM: {alarm}; going on with what was last read");
        kind = format!("{kind}; {alarm}");
    }
    let said = format!("{}: {sentence}", if ok { "ok" } else { "failed" });
    note_change(&store, file, &config.log_dir, label, &kind, &said);
    if !ok || options.common.verbose || std::io::stdout().is_terminal() {
        say(&mut std::io::stdout(), &format!("{name}: {sentence}"));
    }
    if !ok && options.stop_keepalived {
        stop_keepalived(&Journal::new(&config.log_dir, CHECKS, name, label, true));
    }
    ExitCode::from(if ok { code::YES } else { code::NO })
}

/// One line in the journal of the checks, where `kind` is not what the last run found: not a line a second.
fn note_change(store: &Store, file: &str, log_dir: &Path, label: Label, kind: &str, sentence: &str) {
    if store.note(file).as_deref() == Some(kind) {
        return;
    }
    Journal::new(log_dir, CHECKS, "check_redis", label, false).line(sentence, &[]);
    if let Err(error) = store.set_note(file, kind) {
        say(&mut std::io::stderr(), &format!("check_redis: {error}"));
    }
}

/// `redis_master`.
pub fn redis_master() -> ExitCode {
    notify("redis_master", State::Master, &Master::parse().common)
}

/// `redis_backup`.
pub fn redis_backup() -> ExitCode {
    notify("redis_backup", State::Backup, &Backup::parse().common)
}

/// `redis_fault`.
pub fn redis_fault() -> ExitCode {
    notify("redis_fault", State::Fault, &Fault::parse().common)
}

/// `redis_stop`.
pub fn redis_stop() -> ExitCode {
    notify("redis_stop", State::Stop, &Stop::parse().common)
}

fn notify(name: &'static str, state: State, common: &Common) -> ExitCode {
    let clock = Stopwatch::start();
    prepare();
    let (config, alarm) = match load(common) {
        Ok(loaded) => loaded,
        Err(error) => {
            let journal = Journal::new(Path::new(LOG_DIR), TRANSITIONS, name, state.label(), false);
            journal.line(&format!("{error:#}"), &[]);
            return cannot_tell(name, &error);
        }
    };
    let journal = Journal::new(&config.log_dir, TRANSITIONS, name, state.label(), true);
    if let Some(alarm) = alarm {
        journal.line(&format!("ALARM: {alarm}; going on with what was last read"), &[]);
    }
    let local = match local_node(&config) {
        Ok(local) => local,
        Err(error) => {
            journal.line(&format!("{error:#}"), &[]);
            return ExitCode::from(code::CANNOT_TELL);
        }
    };
    let mut program = Program::new(config, local, journal, clock);
    // By hand on the wrong node: said before a turn is taken, which would end the redis_backup that waits there.
    if state == State::Master && !program.survey.holds_vip() && holder_elsewhere(&mut program) {
        return ExitCode::from(code::NO);
    }
    let (entry, complaint) = Turn::enter(&program.config.memory_dir, state);
    if let Some(complaint) = complaint {
        program.journal.line(&format!("warning: {complaint}; going on without"), &[]);
    }
    match entry {
        Entry::Yours(turn) => work(&mut program, turn, state),
        Entry::AlreadyAtWork(pid) => {
            if state == State::Fault {
                diagnose(&program);
            }
            // By hand a person wants to know; the journal has the worker's own lines.
            say(&mut std::io::stdout(), &format!("{name}: process {pid} is at this work already; leaving it to it"));
            ExitCode::from(code::YES)
        }
        Entry::Superseded(newer) => {
            program.journal.line(&format!("too late: the state is {newer} by now; nothing done"), &[]);
            ExitCode::from(code::NO)
        }
    }
}

fn work(program: &mut Program, turn: Turn, state: State) -> ExitCode {
    let again = turn.previous() == Some(state);
    let outcome = match state {
        State::Master => serve::run(program, &turn, again),
        State::Backup => {
            if !again {
                program.journal.line("this node does not hold the VIP", &[]);
            }
            yielding::run(program, &turn)
        }
        State::Fault => {
            diagnose(program);
            yielding::run(program, &turn)
        }
        State::Stop => {
            program.journal.line("keepalived stops here", &[]);
            stop::run(program, &turn)
        }
    };
    let code = match outcome {
        Ok(Outcome::Yes) => code::YES,
        Ok(Outcome::No) => code::NO,
        Err(ended @ (Ended::Superseded(_) | Ended::Terminated)) => {
            program.journal.line(&ended.to_string(), &[]);
            code::NO
        }
    };
    turn.done();
    ExitCode::from(code)
}

fn holder_elsewhere(program: &mut Program) -> bool {
    let Vip::At(holder) = program.look(true).vip else { return false };
    program.journal.line(&format!("nothing done: the VIP is at {holder}, and keepalived decides who holds it"), &[]);
    true
}

/// What failed: the local Redis, or something else that keepalived looks at.
fn diagnose(program: &Program) {
    let endpoint = program.survey.local_endpoint();
    let found = probe(endpoint, &program.config.auth, Deadline::after(program.config.timing.check));
    let sentence = match found.liveness.is_alive() {
        true => format!("this node is in FAULT; its Redis at {endpoint} is {}", found.liveness),
        false => format!("this node is in FAULT, because its Redis at {endpoint} is not alive: {}", found.liveness),
    };
    program.journal.line(&sentence, &[("took_ms", &crate::deadline::ms(found.took))]);
}

/// Before any file is made: keepalived hands down a umask of 0177, with which a new directory can't be entered (K2).
fn prepare() {
    umask(Mode::S_IWGRP | Mode::S_IRWXO);
}

/// Flag, environment, default.
fn config_path(common: &Common) -> PathBuf {
    let named = common.config.clone().or_else(|| std::env::var_os("KEEPALIVED_REDIS_CONFIG").map(PathBuf::from));
    named.unwrap_or_else(|| PathBuf::from(DEFAULT_PATH))
}

fn load(common: &Common) -> anyhow::Result<(Config, Option<String>)> {
    let (config, alarm) = Config::load_or_last(&config_path(common))?;
    Ok((config, alarm.map(|alarm| alarm.to_string())))
}

fn cannot_tell(name: &str, error: &anyhow::Error) -> ExitCode {
    say(&mut std::io::stderr(), &format!("{name}: {error:#}"));
    ExitCode::from(code::CANNOT_TELL)
}

/// A closed pipe must not kill a program that has work to do.
fn say(to: &mut dyn Write, line: &str) {
    let _ = writeln!(to, "{line}");
}

fn stop_keepalived(journal: &Journal) {
    let stop = Command::new("systemctl")
        .args(["--no-block", "stop", "keepalived"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match stop {
        Ok(status) if status.success() => journal.line("stopped keepalived, as --stop-keepalived asks", &[]),
        Ok(status) => journal.line(&format!("stopping keepalived: systemctl ended with {status}"), &[]),
        Err(error) => journal.line(&format!("stopping keepalived: starting systemctl: {error}"), &[]),
    }
}

fn deadline_of(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time >= Duration::from_millis(1) && time <= Duration::from_secs(60) => Ok(time),
        Ok(_) => Err("allowed are 1ms to 60s".to_string()),
        Err(_) => Err("write a time as 400ms or 1s".to_string()),
    }
}
