//! What became of each acknowledged write, looked up again and again.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::clients::Clients;
use crate::lab::Lab;
use crate::readback::{Fate, ROLLBACK, read_back};
use crate::run::tell_of;
use crate::workload::Accounts;
use crate::writer::{Ack, Written};

/// The writes of one pair that are not in its data set any more.
pub struct Ledger {
    in_files: HashSet<u64>,
    lost: HashSet<u64>,
    /// Rollback files that hold such writes.
    archive: PathBuf,
    archived: usize,
    /// The same of a workload.
    accounts: Accounts,
}

/// What one look found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Missing since this look, but in a rollback file.
    pub in_files: usize,
    /// Missing since this look, and nowhere.
    pub lost: usize,
    /// What the workload misses, in sentences.
    pub told: Vec<String>,
}

impl Ledger {
    /// Nothing is missing yet.
    pub fn new(lab: &Lab) -> Result<Ledger> {
        let archive = lab.dir().join("files");
        std::fs::create_dir_all(&archive)?;
        Ok(Ledger {
            in_files: HashSet::new(),
            lost: HashSet::new(),
            archive,
            archived: 0,
            accounts: Accounts::default(),
        })
    }

    /// Asks the pair for everything that was acknowledged, and looks for what is missing since the
    /// last time in the files of this time. No program may be at work.
    pub fn check(&mut self, lab: &Lab, clients: &Clients) -> Result<Found> {
        let mut found = Found::default();
        if let Some(adding) = &clients.adding {
            found = self.check_added(lab, &adding.written())?;
        }
        if let Some(workload) = &clients.workload {
            let worked = self.accounts.check(lab, workload, &self.archive)?;
            found.in_files += worked.in_files;
            found.lost += worked.lost;
            found.told = worked.told;
        }
        clear(lab)?;
        Ok(found)
    }

    fn check_added(&mut self, lab: &Lab, written: &Written) -> Result<Found> {
        let known =
            |ack: &&Ack| !self.in_files.contains(&ack.number) && !self.lost.contains(&ack.number);
        let acks: Vec<Ack> = written.acks.iter().filter(known).copied().collect();
        let fate = ask(lab, acks)?;
        for (file, count) in &fate.files {
            if *count > 0 {
                self.archived += 1;
                let copy = self.archive.join(format!("{}.rdb", self.archived));
                std::fs::copy(file, &copy).with_context(|| file.display().to_string())?;
            }
        }
        tell_of(&lab.story, &fate.lost, "lost");
        tell_of(&lab.story, &fate.in_files, "in a rollback file only");
        self.lost.extend(fate.lost.iter().map(|ack| ack.number));
        self.in_files
            .extend(fate.in_files.iter().map(|ack| ack.number));
        Ok(Found {
            in_files: fate.in_files.len(),
            lost: fate.lost.len(),
            told: Vec::new(),
        })
    }

    /// How many are nowhere.
    pub fn lost(&self) -> usize {
        self.lost.len()
    }

    /// Everything once more, all files included.
    pub fn check_all(&self, lab: &Lab, written: &Written) -> Result<Fate> {
        let host = lab.a();
        host.sh(&format!("mkdir -p {ROLLBACK}"))?;
        for entry in std::fs::read_dir(&self.archive)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            std::fs::copy(entry.path(), host.file(&format!("{ROLLBACK}/{name}")))?;
        }
        ask(lab, written.acks.clone())
    }
}

/// Reads back; what is lost is asked for twice, for the pair may move the role at that very moment.
fn ask(lab: &Lab, acks: Vec<Ack>) -> Result<Fate> {
    let read = |acks: &[Ack]| {
        read_back(
            lab,
            &Written {
                acks: acks.to_vec(),
                ..Written::default()
            },
        )
    };
    let first = read(&acks);
    if first.as_ref().is_ok_and(|fate| fate.lost.is_empty()) {
        return first;
    }
    std::thread::sleep(Duration::from_secs(2));
    read(&acks)
}

/// Files that hold nothing that is missing now would not excuse a later loss.
fn clear(lab: &Lab) -> Result<()> {
    for host in &lab.hosts {
        let Ok(files) = std::fs::read_dir(host.file(ROLLBACK)) else {
            continue;
        };
        for file in files.flatten().map(|entry| entry.path()) {
            let kind = Path::new(&file).extension().and_then(|kind| kind.to_str());
            if matches!(kind, Some("rdb" | "json")) {
                std::fs::remove_file(&file).with_context(|| file.display().to_string())?;
            }
        }
    }
    Ok(())
}
