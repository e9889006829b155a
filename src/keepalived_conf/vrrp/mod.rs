//! What keepalived's configuration says of VRRP, as far as it is judged here. Pure.

pub(crate) mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use self::reading::{instance, notified, script, track_file};
use super::{Conf, Place, Statement};

/// All of it, as one host reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vrrp {
    /// The words that stand in `global_defs`.
    pub globals: BTreeSet<String>,
    /// `script_user`.
    pub script_user: Option<String>,
    /// `vrrp_version`.
    pub version: Option<u32>,
    /// `global_defs`, the last one.
    pub block: Option<Statement>,
    /// The `vrrp_script` blocks.
    pub scripts: Vec<Script>,
    /// The `vrrp_track_file` blocks.
    pub files: Vec<TrackFile>,
    /// The `vrrp_instance` blocks.
    pub instances: Vec<Instance>,
    /// `notify` lines that stand in another block.
    pub astray: Vec<(Place, String, Command)>,
}

/// A program and its arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Command {
    /// The words, the program first.
    pub words: Vec<String>,
    /// Whom it is run as, where that stands beside it.
    pub user: Option<String>,
    pub place: Place,
}

impl Command {
    pub(crate) fn program(&self) -> &Path {
        Path::new(self.words.first().map_or("", String::as_str))
    }

    /// The program's name, without directories.
    pub(crate) fn name(&self) -> &str {
        self.program()
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("")
    }

    pub(crate) fn has(&self, argument: &str) -> bool {
        self.words.iter().skip(1).any(|word| word == argument)
    }

    /// What follows `--name`, or `--name=`.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut words = self.words.iter().skip(1);
        while let Some(word) = words.next() {
            if word == name {
                return words.next().map(String::as_str);
            }
            if let Some(value) = word
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('='))
            {
                return Some(value);
            }
        }
        None
    }
}

/// A `vrrp_script`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Script {
    /// By which instances track it.
    pub name: String,
    pub command: Command,
    pub interval: Option<String>,
    pub timeout: Option<String>,
    /// 0 where it is not written.
    pub weight: i32,
    /// It counts as failed before its first result.
    pub init_fail: bool,
    pub block: Statement,
}

/// A `vrrp_track_file`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TrackFile {
    /// By which instances track it.
    pub name: String,
    pub file: PathBuf,
    /// `None` where it is not written: 1 then (K18).
    pub weight: Option<i32>,
    pub block: Statement,
}

/// Something that an instance tracks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tracked {
    pub name: String,
    /// The weight that is written here, which counts more than its own.
    pub weight: Option<i32>,
}

/// A `vrrp_instance`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Instance {
    pub name: String,
    pub block: Statement,
    /// Its lines of one value, as written: `state`, `priority`...
    pub values: BTreeMap<String, String>,
    /// Words that stand alone: `nopreempt`.
    pub words: BTreeSet<String>,
    /// `unicast_peer`, as written; `None` where there is none.
    pub peers: Option<Vec<String>>,
    /// `virtual_ipaddress`.
    pub vips: Vec<IpAddr>,
    /// `track_script`.
    pub scripts: Vec<Tracked>,
    /// `track_file`.
    pub files: Vec<Tracked>,
    /// The `notify` lines by their names.
    pub notify: BTreeMap<String, Command>,
}

impl Instance {
    /// The value of a line.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Its priority; 100 where it is not written.
    pub(crate) fn priority(&self) -> Option<i32> {
        self.value("priority")
            .map_or(Some(100), |text| text.parse().ok())
    }

    /// How many seconds apart its adverts are; 1 where it is not written.
    pub(crate) fn advert_int(&self) -> Option<f64> {
        self.value("advert_int")
            .map_or(Some(1.0), |text| text.parse().ok())
    }

    /// It leaves the VIP where it is.
    pub(crate) fn nopreempt(&self) -> bool {
        self.words.contains("nopreempt")
    }
}

impl Vrrp {
    /// What `conf` says.
    pub(crate) fn read(conf: &Conf) -> Vrrp {
        let mut vrrp = Vrrp::default();
        for block in &conf.statements {
            match block.name() {
                "global_defs" => vrrp.global(block),
                "vrrp_script" => vrrp.scripts.push(script(block)),
                "vrrp_track_file" | "track_file" if block.block.is_some() => {
                    vrrp.files.push(track_file(block))
                }
                "vrrp_instance" => vrrp.instances.push(instance(block)),
                _ => {}
            }
            if block.name() != "vrrp_instance" {
                let lines = block
                    .inner()
                    .iter()
                    .filter(|line| line.name().starts_with("notify"));
                let astray =
                    lines.map(|line| (line.place.clone(), block.name().to_owned(), notified(line)));
                vrrp.astray.extend(astray.collect::<Vec<_>>());
            }
        }
        vrrp
    }

    fn global(&mut self, block: &Statement) {
        self.block = Some(block.clone());
        for line in block.inner() {
            // A flag may be followed by its value.
            let off = matches!(line.word(1), "false" | "no" | "off");
            if !off {
                self.globals.insert(line.name().to_owned());
            }
            match line.name() {
                "script_user" => self.script_user = Some(line.word(1).to_owned()),
                "vrrp_version" => self.version = line.word(1).parse().ok(),
                _ => {}
            }
        }
    }

    /// One of these words stands in `global_defs`.
    pub(crate) fn has_global(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.globals.contains(*word))
    }

    /// The version of VRRP that `instance` speaks.
    pub(crate) fn version_of(&self, instance: &Instance) -> u32 {
        instance
            .value("version")
            .and_then(|text| text.parse().ok())
            .or(self.version)
            .unwrap_or(2)
    }

    /// The scripts that `instance` tracks, each with the weight that it has there.
    pub(crate) fn tracked_scripts<'v>(
        &'v self,
        instance: &'v Instance,
    ) -> impl Iterator<Item = (&'v Script, i32)> {
        instance.scripts.iter().filter_map(|tracked| {
            let script = self
                .scripts
                .iter()
                .find(|script| script.name == tracked.name)?;
            Some((script, tracked.weight.unwrap_or(script.weight)))
        })
    }

    /// The files that `instance` tracks, each with the weight that is written for it.
    pub(crate) fn tracked_files<'v>(
        &'v self,
        instance: &'v Instance,
    ) -> impl Iterator<Item = (&'v TrackFile, Option<i32>)> {
        instance.files.iter().filter_map(|tracked| {
            let file = self.files.iter().find(|file| file.name == tracked.name)?;
            Some((file, tracked.weight.or(file.weight)))
        })
    }
}
