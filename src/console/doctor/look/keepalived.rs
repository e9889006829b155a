//! Looking at keepalived: its configuration as each host reads it, the programs that it calls, its
//! own test.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::command::{Said, ask};
use super::modes::ProgramFile;
use crate::keepalived_conf::vrrp::Vrrp;
use crate::keepalived_conf::{Conf, Reader};
use crate::server::info::Version;

/// Where keepalived looks unless it is told otherwise.
const DEFAULT: &str = "/etc/keepalived/keepalived.conf";
/// Where distributions put its options, and the name of the variable: Debian's, and the RHEL
/// family's.
const OPTIONS: [&str; 2] = ["/etc/default/keepalived", "/etc/sysconfig/keepalived"];
/// For its own test, which looks up users and interfaces.
const TEST: Duration = Duration::from_secs(5);
const QUICK: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
pub(crate) struct Keepalived {
    pub path: PathBuf,
    /// The name by which this host finds its lines.
    pub host: String,
    /// The file as this host reads it, or why it can't be read.
    pub conf: Result<Conf, String>,
    /// What that says of VRRP.
    pub here: Vrrp,
    /// What it says to the other hosts whose names stand in it.
    pub elsewhere: Vec<(String, Vrrp)>,
    pub version: Option<Version>,
    /// What `keepalived -t` says, or why it can't be asked.
    pub tested: Result<Said, String>,
    /// Every program that the configuration names.
    pub programs: Vec<ProgramFile>,
    /// What those that are ours say to `--version`.
    pub versions: BTreeMap<PathBuf, Result<Said, String>>,
    /// For each file of a `vrrp_track_file`: is its directory there, is it there itself?
    pub watched: BTreeMap<PathBuf, (bool, bool)>,
    /// There is a user `keepalived_script`.
    pub has_script_user: bool,
    /// It runs on this machine.
    pub runs: bool,
}

/// Options of keepalived that matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Options {
    file: Option<PathBuf>,
    id: Option<String>,
}

/// Looks; `path` is the configuration that a person named.
pub(crate) fn look(path: Option<&Path>) -> Keepalived {
    let running = running();
    let options = match &running {
        Some(words) => options(words),
        None => OPTIONS
            .iter()
            .find_map(|file| options_in(&fs::read_to_string(file).ok()?)),
    }
    .unwrap_or_default();
    let path = path
        .map(Path::to_owned)
        .or(options.file)
        .unwrap_or_else(|| DEFAULT.into());
    let host = options.id.unwrap_or_else(host_name);
    let read = |path: &Path| {
        fs::read(path)
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .map_err(|e| e.to_string())
    };
    let glob = |pattern: &Path| {
        let found = pattern
            .to_str()
            .and_then(|pattern| glob::glob(pattern).ok());
        found
            .into_iter()
            .flatten()
            .take(1000)
            .filter_map(Result::ok)
            .collect()
    };
    let reader = Reader {
        read: &read,
        glob: &glob,
    };
    let conf = Conf::read(&path, &host, &reader);
    let here = conf.as_ref().map(Vrrp::read).unwrap_or_default();
    let names = conf
        .as_ref()
        .map(|conf| conf.names.clone())
        .unwrap_or_default();
    let others = names.into_iter().filter(|name| *name != host).take(100);
    let elsewhere = others
        .filter_map(|name| {
            Some((
                name.clone(),
                Vrrp::read(&Conf::read(&path, &name, &reader).ok()?),
            ))
        })
        .collect();
    let programs = programs(&here);
    let versions = programs
        .iter()
        .filter(|program| is_ours(&program.path) && program.open.is_empty());
    let versions = versions.map(|program| {
        (
            program.path.clone(),
            ask(&shown(&program.path), &["--version"], QUICK),
        )
    });
    let versions = versions.collect();
    let file = |file: &Path| (file.parent().is_some_and(Path::is_dir), file.is_file());
    Keepalived {
        version: version(),
        tested: ask(
            "keepalived",
            &["-t", "-f", &shown(&path), "-i", &host],
            TEST,
        ),
        watched: here
            .files
            .iter()
            .map(|watched| (watched.file.clone(), file(&watched.file)))
            .collect(),
        has_script_user: passwd().any(|line| line.starts_with("keepalived_script:")),
        runs: running.is_some(),
        path,
        host,
        conf,
        here,
        elsewhere,
        programs,
        versions,
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn passwd() -> impl Iterator<Item = String> {
    let text = fs::read_to_string("/etc/passwd").unwrap_or_default();
    text.lines()
        .map(str::to_owned)
        .collect::<Vec<_>>()
        .into_iter()
}

/// One of the programs that this suite brings.
pub(crate) fn is_ours(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    matches!(
        name,
        "check_redis" | "redis_master" | "redis_backup" | "redis_fault" | "redis_stop"
    )
}

fn programs(vrrp: &Vrrp) -> Vec<ProgramFile> {
    let tracked = vrrp
        .instances
        .iter()
        .flat_map(|instance| vrrp.tracked_scripts(instance));
    let scripts = tracked.map(|(script, _)| script.command.program());
    let notified = vrrp
        .instances
        .iter()
        .flat_map(|instance| instance.notify.values().map(|command| command.program()));
    let mut paths: Vec<&Path> = scripts
        .chain(notified)
        .filter(|path| path.is_absolute())
        .collect();
    paths.sort();
    paths.dedup();
    paths.into_iter().map(ProgramFile::of).collect()
}

/// The command line of a keepalived that runs.
fn running() -> Option<Vec<String>> {
    let entries = fs::read_dir("/proc").ok()?;
    let pids = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok());
    // Not one in a container of its own.
    let net = |dir: &Path| fs::read_link(dir.join("ns/net")).ok();
    let own = net(Path::new("/proc/self"));
    let is = |dir: &Path| {
        let here = net(dir).is_none_or(|net| Some(net) == own);
        here && fs::read_to_string(dir.join("comm")).is_ok_and(|name| name.trim() == "keepalived")
    };
    let found = pids.map(|entry| entry.path()).find(|dir| is(dir))?;
    let words = fs::read(found.join("cmdline")).unwrap_or_default();
    let words = words
        .split(|byte| *byte == 0)
        .map(|word| String::from_utf8_lossy(word).into_owned());
    Some(words.filter(|word| !word.is_empty()).collect())
}

/// Of `-f FILE`, `--use-file=FILE` and the like. `None` where there are none.
fn options(words: &[String]) -> Option<Options> {
    let mut found = Options::default();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value)),
            _ if word.starts_with("-f") || word.starts_with("-i") => {
                let (name, value) = word.split_at(2);
                (name, (!value.is_empty()).then_some(value))
            }
            _ => (word, None),
        };
        let mut value = || value.or_else(|| words.next()).map(str::to_owned);
        match name {
            "-f" | "--use-file" => found.file = value().map(PathBuf::from),
            "-i" | "--config-id" => found.id = value(),
            _ => {}
        }
    }
    (found != Options::default()).then_some(found)
}

/// `DAEMON_ARGS="-f FILE"` in a file of shell variables.
fn options_in(text: &str) -> Option<Options> {
    let value = |line: &str| {
        let (name, value) = line.trim().split_once('=')?;
        matches!(name, "DAEMON_ARGS" | "KEEPALIVED_OPTIONS")
            .then(|| value.trim_matches(['"', '\'']).to_owned())
    };
    let line = text.lines().rev().find_map(value)?;
    options(
        &line
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>(),
    )
}

/// `uname -n`, up to its first dot (K26).
fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().split('.').next().unwrap_or_default().to_owned()
}

fn version() -> Option<Version> {
    version_in(&ask("keepalived", &["--version"], QUICK).ok()?.text)
}

/// `Keepalived v2.2.7 (01/16,2022)`.
fn version_in(text: &str) -> Option<Version> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Keepalived v"))?;
    let mut parts = line
        .split(|c: char| !c.is_ascii_digit())
        .map(|part| part.parse().unwrap_or(0));
    let mut part = || parts.next().unwrap_or(0);
    Some(Version(part(), part(), part()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_that_name_the_file_and_the_host_are_found() {
        let found = |file: Option<&str>, id: Option<&str>| {
            Some(Options {
                file: file.map(PathBuf::from),
                id: id.map(str::to_owned),
            })
        };
        for (line, expected) in [
            (
                "DAEMON_ARGS=\"-f /etc/k.conf -i a\"",
                found(Some("/etc/k.conf"), Some("a")),
            ),
            (
                "KEEPALIVED_OPTIONS=\"-D --use-file=/etc/k.conf\"",
                found(Some("/etc/k.conf"), None),
            ),
            (
                "# DAEMON_ARGS=\"-f /no\"\nDAEMON_ARGS=-f/etc/k.conf",
                found(Some("/etc/k.conf"), None),
            ),
            ("DAEMON_ARGS=\"--config-id b -D\"", found(None, Some("b"))),
            ("DAEMON_ARGS=\"-D\"", None),
            ("", None),
        ] {
            assert_eq!(options_in(line), expected, "{line}");
        }
    }

    #[test]
    fn a_version_is_three_numbers() {
        assert_eq!(
            version_in("Keepalived v2.2.7 (01/16,2022)\nmore"),
            Some(Version(2, 2, 7))
        );
        assert_eq!(version_in("nothing"), None);
    }
}
