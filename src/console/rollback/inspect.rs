//! `rollback inspect`: what is in a rollback file and not in the data that is served. The service
//! is only read.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use redis::{Value, cmd};

use super::compare::{BATCH, Entry, Fate, compare};
use super::export::Export;
use super::found::Found;
use super::private_redis::{Loaded, Private};
use super::progress::Progress;
use super::reader::Reader;
use super::tally::{Report, Tally};
use super::value::scan_answer;
use crate::act::rollback::verify;
use crate::config::Config;
use crate::console::failover_test;
use crate::console::interrupt::Interrupt;
use crate::deadline::{Deadline, Stopwatch};
use crate::decide::view::{View, Vip};
use crate::look::survey::Survey;
use crate::node::addresses::local_node;
use crate::server::{Server, string};
use crate::terminal::Terminal;

/// What a person wants to know.
#[derive(Clone, Debug)]
pub(crate) struct Inspection {
    /// So many keys are named at most; `None`: all.
    pub limit: Option<u64>,
    /// A line of JSON for each key, for other programs.
    pub json: bool,
    /// Commands a second that the service is asked at most.
    pub pace: u32,
    pub budget: Duration,
    /// Also where its data may not fit into the memory.
    pub force: bool,
    /// Where to write what brings the keys back that are only in the file.
    pub export: Option<PathBuf>,
}

/// Compares `file` with the service. True where all that is in the file is in the service.
///
/// # Errors
/// A sentence; nothing has been changed, and no server or directory of ours is left.
pub(crate) fn inspect(
    config: &Config,
    file: &Found,
    wanted: &Inspection,
    terminal: &Terminal,
) -> anyhow::Result<bool> {
    let interrupt = Interrupt::armed();
    let mut progress = Progress::new();
    let deadline = Deadline::after(wanted.budget);
    progress.tell("reading the file with redis-check-rdb");
    let mut go_on = || {
        if interrupt.has_come() {
            Err(crate::node::turn::Ended::Terminated)
        } else {
            Ok(())
        }
    };
    let verified = verify(&file.path, deadline, &mut go_on)
        .with_context(|| format!("reading {}", file.path.display()))?;
    if !wanted.force {
        room_for(verified.used_memory)?;
    }
    let local = local_node(config)?;
    let mut survey = Survey::new(config, local);
    let look = config.timing.connect + config.timing.command;
    let view = survey.look(true, Deadline::after(look));
    let (node, how) = serving(&view)?;
    let mut private = Private::start(&file.path)?;
    let mut server = private.loaded(deadline, &interrupt, &mut |Loaded { percent }| {
        progress.tell(&format!(
            "loading the file into a private Redis: {:.0} %",
            percent.unwrap_or(0.0)
        ));
    })?;
    let databases = databases(&mut server)?;
    let mut report = Report::new(terminal, wanted.json, wanted.limit);
    progress.clear();
    report.begin(file, node, how, &verified, &libraries(&mut server));
    let mut export = wanted.export.as_deref().map(Export::create).transpose()?;
    let mut tally = Tally::default();
    let internal = Internal {
        term_key: config.policy.term_key.clone(),
    };
    let clock = Stopwatch::start();
    let mut ours = Reader::new(&mut server, &"the file", None, &interrupt);
    let connected = survey
        .node(node)
        .with_context(|| format!("connecting to {node}"))?;
    let mut theirs = Reader::new(connected, &node, Some(wanted.pace), &interrupt);
    let all: u64 = databases.iter().map(|(_, keys)| keys).sum();
    for (db, _) in &databases {
        let mut cursor = b"0".to_vec();
        loop {
            let scan = cmd("SCAN").arg(&cursor).arg("COUNT").arg(BATCH).clone();
            let answer = ours.values(*db, &[scan])?.pop().unwrap_or(Value::Nil);
            let (next, keys) =
                scan_answer(&answer).context("reading the file: SCAN gave no keys")?;
            let keys: Vec<Vec<u8>> = keys
                .into_iter()
                .filter(|key| !internal.is(*db, key))
                .map(<[u8]>::to_vec)
                .collect();
            for batch in keys.chunks(BATCH) {
                for entry in compare(&mut ours, &mut theirs, *db, batch)? {
                    tally.count(&entry.fate);
                    if let (Some(export), Fate::OnlyInFile) = (&mut export, &entry.fate) {
                        export.add(&mut ours, *db, &entry)?;
                    }
                    name(&mut report, &mut progress, *db, &entry)?;
                }
            }
            progress.tell(&format!("compared {} of {all} keys", tally.keys()));
            if next == b"0" {
                break;
            }
            cursor = next.to_vec();
        }
    }
    progress.clear();
    let exported = export.map(Export::finish).transpose()?;
    report.end(
        &tally,
        node,
        theirs.asked(),
        clock.elapsed(),
        verified.keys,
        exported,
    );
    Ok(tally.is_whole())
}

fn name(
    report: &mut Report<'_>,
    progress: &mut Progress,
    db: u64,
    entry: &Entry,
) -> anyhow::Result<()> {
    if !report.names(&entry.fate) {
        return Ok(());
    }
    progress.clear();
    ensure!(
        report.key(db, entry),
        "writing what was found: nobody reads it any more"
    );
    Ok(())
}

/// Keys that are no data of anybody.
struct Internal {
    term_key: Option<String>,
}

impl Internal {
    fn is(&self, db: u64, key: &[u8]) -> bool {
        let term = db == 0
            && self
                .term_key
                .as_ref()
                .is_some_and(|term| term.as_bytes() == key);
        term || key.starts_with(failover_test::PREFIX.as_bytes())
    }
}

/// The node whose data counts, and why it does.
fn serving(view: &View) -> anyhow::Result<(SocketAddr, &'static str)> {
    let is_master = |node: SocketAddr| matches!(view.seen(node), Some(Ok(seen)) if seen.is_master() && !seen.loading);
    let holder = match view.vip {
        Vip::Here => Some(view.local.address),
        Vip::At(node) => Some(node),
        Vip::Unknown => None,
    };
    if let Some(node) = holder.filter(|node| is_master(*node)) {
        return Ok((node, "which holds the VIP and is master"));
    }
    match &view.local.seen {
        Ok(seen) if seen.loading => bail!(
            "comparing with {}: it is loading its data",
            view.local.address
        ),
        Ok(_) => Ok((
            view.local.address,
            "the local one, as no node that holds the VIP and is master can be seen",
        )),
        Err(failure) => bail!(
            "comparing with {}: {failure}; and no other node serves",
            view.local.address
        ),
    }
}

/// The databases of the file that hold keys, and how many.
fn databases(server: &mut Server) -> anyhow::Result<Vec<(u64, u64)>> {
    let info = server
        .call(
            cmd("INFO").arg("keyspace"),
            Deadline::after(Duration::from_secs(5)),
        )
        .and_then(string);
    Ok(read_keyspace(&info.context(
        "asking the private redis-server for its databases",
    )?))
}

/// The function libraries of the file, but for the one that carries the term; none before Redis 7.
fn libraries(server: &mut Server) -> Vec<String> {
    let listed = server.call(
        cmd("FUNCTION").arg("LIST"),
        Deadline::after(Duration::from_secs(5)),
    );
    let Ok(Value::Array(all)) = listed else {
        return Vec::new();
    };
    let name = |library| match library {
        Value::Array(fields) => fields
            .into_iter()
            .skip_while(|field| *field != Value::BulkString(b"library_name".to_vec()))
            .nth(1),
        _ => None,
    };
    all.into_iter()
        .filter_map(name)
        .filter_map(|name| string(name).ok())
        .filter(|name| name != crate::server::term::LIBRARY)
        .collect()
}

fn read_keyspace(info: &str) -> Vec<(u64, u64)> {
    let database = |line: &str| {
        let (number, rest) = line.strip_prefix("db")?.split_once(":keys=")?;
        Some((
            number.parse().ok()?,
            rest.split(',').next()?.trim().parse().ok()?,
        ))
    };
    info.lines().filter_map(database).collect()
}

/// # Errors
/// The data of the file may be more than this machine has memory for, which would be taken from the
/// Redis that serves.
fn room_for(needed: Option<u64>) -> anyhow::Result<()> {
    let (Some(needed), Some(free)) = (needed, available_memory()) else {
        return Ok(());
    };
    ensure!(
        needed <= free,
        "loading the file: its data took {} of memory and {} are available here; inspect it on \
         another machine, or with \
         --force",
        bytesize::ByteSize(needed),
        bytesize::ByteSize(free)
    );
    Ok(())
}

fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_with_keys_are_read_from_info() {
        let info = "# \
            Keyspace\r\ndb0:keys=3,expires=0,avg_ttl=0\r\ndb12:keys=4,expires=1,avg_ttl=0,subexpiry=0\r\n";
        assert_eq!(read_keyspace(info), [(0, 3), (12, 4)]);
        assert_eq!(read_keyspace("# Keyspace\r\ndbx:keys=1\r\n"), []);
    }

    #[test]
    fn the_term_and_the_keys_of_a_failover_test_are_nobody_s_data() {
        let internal = Internal {
            term_key: Some("ha:term".to_owned()),
        };
        for (db, key, is) in [
            (0, "ha:term", true),
            (1, "ha:term", false),
            (0, "ha:term2", false),
            (3, "keepalived-redis:failover-test:1f:0", true),
            (0, "user:1", false),
        ] {
            assert_eq!(internal.is(db, key.as_bytes()), is, "{db} {key}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_both_numbers() {
        assert!(room_for(None).is_ok() && room_for(Some(1)).is_ok());
        let said = room_for(Some(u64::MAX))
            .expect_err("nobody has that much")
            .to_string();
        assert!(said.contains("--force"), "{said}");
    }
}
