//! A Redis of our own on a rollback file: nobody else reaches it, it writes nothing, and it ends
//! with us.

use std::fs::{self, File, Permissions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use redis::cmd;
use tempfile::TempDir;

use crate::act::rollback::is_valkeys;
use crate::child::Child;
use crate::console::interrupt::Interrupt;
use crate::deadline::Deadline;
use crate::server::access::Access;
use crate::server::endpoint::Endpoint;
use crate::server::failure::Failure;
use crate::server::info::short;
use crate::server::{Server, string};

/// As they are found in PATH; the one first whose family wrote the file.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];
/// A file may use more than a server's usual 16 databases; with too few it is not read at all.
const DATABASES: &str = "10000";
const TICK: Duration = Duration::from_millis(20);
/// One answer of a server that may be loading.
const ANSWER: Duration = Duration::from_secs(5);
/// How much of its log is looked at.
const LOG_END: u64 = 16 << 10;

/// The server; dropping it ends it and removes its directory. It has nothing to save, and its
/// socket goes with the directory.
pub(crate) struct Private {
    // Dropped first.
    child: Child,
    dir: TempDir,
}

/// How far it is with reading the file.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Loaded {
    /// Of the whole, where it says so.
    pub percent: Option<f64>,
}

impl Private {
    /// Starts a server on `rdb`, a file that it only reads: no port, a socket in a directory that
    /// nobody else can enter, no configuration file, and nothing that writes.
    ///
    /// # Errors
    /// There is no such program, or no room for the directory.
    pub(crate) fn start(rdb: &Path) -> anyhow::Result<Private> {
        let dir = tempfile::Builder::new()
            .prefix("keepalived-redis-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .context("making a directory for a private redis-server")?;
        let rdb = rdb
            .canonicalize()
            .with_context(|| format!("looking for {}", rdb.display()))?;
        // The file itself is opened for reading alone; whatever else is done to this name is done
        // to the link.
        symlink(&rdb, dir.path().join("dump.rdb"))
            .context("linking the file for a private redis-server")?;
        let mut programs = PROGRAMS;
        if is_valkeys(&rdb).unwrap_or(false) {
            programs.reverse();
        }
        for program in programs {
            match Self::spawn(program, &dir) {
                Ok(child) => {
                    // Where memory runs short it is this one that the kernel ends, and not the
                    // Redis that serves.
                    let _ = fs::write(format!("/proc/{}/oom_score_adj", child.id()), "1000");
                    return Ok(Private { child, dir });
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).with_context(|| format!("starting {program}")),
            }
        }
        bail!(
            "starting redis-server or valkey-server: neither is in PATH; install one, or look \
             into the file elsewhere"
        )
    }

    fn spawn(program: &str, dir: &TempDir) -> std::io::Result<Child> {
        let log = File::create(dir.path().join("log"))?;
        let mut command = Command::new(program);
        command.args([
            "--port",
            "0",
            "--unixsocketperm",
            "700",
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        command.args([
            "--daemonize",
            "no",
            "--databases",
            DATABASES,
            "--dbfilename",
            "dump.rdb",
        ]);
        command
            .arg("--dir")
            .arg(dir.path())
            .arg("--unixsocket")
            .arg(dir.path().join("socket"));
        command.env_remove("REDISCLI_AUTH").current_dir(dir.path());
        // Not in our process group: Ctrl-C is for us, and we end it.
        Child::start(
            command
                .process_group(0)
                .stdin(Stdio::null())
                .stderr(log.try_clone()?)
                .stdout(log),
        )
    }

    /// Waits until it has read the whole file; `tell` hears how far it is.
    ///
    /// # Errors
    /// It can't read the file, or not before `deadline`; a sentence with the cause.
    pub(crate) fn loaded(
        &mut self,
        deadline: Deadline,
        interrupt: &Interrupt,
        tell: &mut dyn FnMut(Loaded),
    ) -> anyhow::Result<Server> {
        let socket = Endpoint::Unix(self.dir.path().join("socket"));
        loop {
            interrupt.check()?;
            if let Some(status) = self
                .child
                .ended()
                .context("waiting for the private redis-server")?
            {
                let why = cause(&self.log());
                bail!(
                    "reading the file with a private redis-server: {}",
                    why.unwrap_or_else(|| format!("it ended: {status}"))
                );
            }
            if let Ok(mut server) =
                Server::connect(&socket, &Access::default(), Deadline::after(ANSWER))
            {
                match server
                    .call(cmd("INFO").arg("persistence"), Deadline::after(ANSWER))
                    .and_then(string)
                {
                    Ok(text) if field(&text, "loading") == Some("0") => return Ok(server),
                    Ok(text) => tell(Loaded {
                        percent: field(&text, "loading_loaded_perc").and_then(|p| p.parse().ok()),
                    }),
                    Err(Failure::Denied(denial)) if denial.code != "LOADING" => {
                        return Err(anyhow!("asking the private redis-server: it says {denial}"));
                    }
                    Err(_) => {}
                }
            }
            ensure!(
                deadline.pause(TICK),
                "reading the file with a private redis-server: not done in time; give it more \
                 with --budget"
            );
        }
    }

    fn log(&self) -> String {
        let mut text = Vec::new();
        let read = File::open(self.dir.path().join("log")).and_then(|mut log| {
            let length = log.metadata()?.len();
            log.seek(SeekFrom::Start(length.saturating_sub(LOG_END)))?;
            log.take(LOG_END).read_to_end(&mut text)
        });
        if read.is_ok() {
            String::from_utf8_lossy(&text).into_owned()
        } else {
            String::new()
        }
    }
}

fn field<'t>(info: &'t str, name: &str) -> Option<&'t str> {
    info.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

/// The line of its log that says why it ended: the first serious one after it was set up.
fn cause(log: &str) -> Option<String> {
    let serious = |line: &str| line.split_once(" # ").map(|(_, text)| short(text.trim()));
    let mut lines = log
        .lines()
        .skip_while(|line| !line.contains("Running mode="))
        .filter_map(serious);
    lines.find(|text| !text.starts_with("WARNING"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_found_in_a_log() {
        let log = "1:C 26 Nov 2026 05:24:56.690 # Configuration loaded\n\
            1:M 26 Nov 2026 05:24:56.690 * Running mode=standalone, port=0.\n\
            1:M 26 Nov 2026 05:24:56.690 # WARNING Memory overcommit must be enabled!\n\
            1:M 26 Nov 2026 05:24:56.690 * RDB memory usage when created 0.94 Mb\n\
            1:M 26 Nov 2026 05:24:56.690 # Can't handle RDB format version 13\n\
            1:M 26 Nov 2026 05:24:56.690 # Fatal error loading the DB: Invalid argument. \
            Exiting.\n";
        assert_eq!(
            cause(log).as_deref(),
            Some("Can't handle RDB format version 13")
        );
        assert_eq!(cause("Killed\n"), None);
    }
}
