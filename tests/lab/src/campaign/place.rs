//! One host of a pair that is being hurt: its files, its mounts, its power.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, ensure};

use super::dice::Dice;
use super::hunt::Hunt;
use crate::host::Host;

const CONFIG: &str = "/etc/keepalived/redis-ha.toml";
/// Everything that the programs keep.
pub const STATE: &str = "/var/lib/keepalived-redis";
/// What they remember.
pub const MEMORY: &str = "/var/lib/keepalived-redis/redis-ha";

/// One host, and what was done to it.
pub struct Place {
    pub(super) host: Arc<Host>,
    pub(super) frozen: bool,
    /// keepalived was stopped, and nobody but us starts it again.
    pub(super) stopped: bool,
    /// What redis-ha.toml said when it was whole.
    pub(super) config: Vec<u8>,
    pub(super) mounts: Vec<&'static str>,
    pub(super) away: bool,
    pub(super) hunts: Vec<Hunt>,
    /// Settings of its Redis are wrong, in its memory and perhaps in redis.conf.
    pub(super) wrong: bool,
    /// A script may still run in its Redis.
    pub(super) script: bool,
}

impl Place {
    /// A host to which nothing was done yet.
    pub(super) fn new(host: &Arc<Host>) -> Result<Place> {
        let config = std::fs::read(host.file(CONFIG))?;
        let (mounts, hunts) = (Vec::new(), Vec::new());
        Ok(Place {
            host: host.clone(),
            frozen: false,
            stopped: false,
            config,
            mounts,
            away: false,
            hunts,
            wrong: false,
            script: false,
        })
    }

    pub(super) fn power_off(&mut self) -> Result<()> {
        self.frozen = false;
        self.mounts.clear();
        self.hunts.clear();
        self.host.power_off()
    }

    pub(super) fn thaw(&mut self) {
        self.frozen = false;
        self.host.thaw();
    }

    pub(super) fn break_config(&self, dice: &mut Dice) -> Result<()> {
        let (what, mut more) = match dice.below(3) {
            0 => ("half a line", b"\nnodes = = [\n".to_vec()),
            1 => ("a key that nobody knows", b"\nchekc = 1\n".to_vec()),
            _ => ("noise", dice.noise(200)),
        };
        // Never by chance what can be read.
        more.extend_from_slice(b"\n[[[\n");
        self.host.tell(format!("an edit breaks {CONFIG}: {what}"));
        std::fs::write(
            self.host.file(CONFIG),
            [self.config.as_slice(), more.as_slice()].concat(),
        )?;
        Ok(())
    }

    pub(super) fn repair_config(&self) -> Result<()> {
        let file = self.host.file(CONFIG);
        if std::fs::read(&file)? != self.config {
            self.host.tell(format!("{CONFIG} is repaired"));
            std::fs::write(file, &self.config)?;
        }
        Ok(())
    }

    pub(super) fn damage_memory(&self, dice: &mut Dice) -> Result<()> {
        let entries = std::fs::read_dir(self.host.file(MEMORY))?.flatten();
        let mut files: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|path| path.is_file())
            .collect();
        files.sort();
        let count = u64::try_from(files.len()).unwrap_or_default();
        let chosen = usize::try_from(dice.below(count)).unwrap_or_default();
        if let Some(file) = files.get(chosen) {
            let length = dice.below(300);
            self.host
                .tell(format!("{length} bytes of noise in {}", file.display()));
            std::fs::write(file, dice.noise(length))?;
        }
        Ok(())
    }

    pub(super) fn hide_memory(&mut self) -> Result<()> {
        self.away = true;
        self.host.tell(format!("{MEMORY} is away"));
        self.sh(&format!("rm -rf {MEMORY}.away; mv {MEMORY} {MEMORY}.away"))
    }

    /// Back in place of what the programs have made meanwhile; or forgotten.
    pub(super) fn return_memory(&mut self, back: bool) -> Result<()> {
        if !std::mem::take(&mut self.away) {
            return Ok(());
        }
        self.host.tell(format!(
            "{MEMORY} is {}",
            if back { "back" } else { "lost" }
        ));
        let (memory, away) = (
            self.host.file(MEMORY),
            self.host.file(&format!("{MEMORY}.away")),
        );
        if back {
            let _ = std::fs::remove_dir_all(&memory);
            std::fs::rename(away, memory)?;
        } else {
            std::fs::remove_dir_all(away)?;
        }
        Ok(())
    }

    pub(super) fn read_only(&mut self, path: &'static str) -> Result<()> {
        self.host.tell(format!("{path} is read-only"));
        self.sh(&format!(
            "mount --bind {path} {path}; mount -o remount,bind,ro {path}"
        ))?;
        self.mounts.push(path);
        Ok(())
    }

    pub(super) fn writable(&mut self) -> Result<()> {
        for path in std::mem::take(&mut self.mounts) {
            self.host.tell(format!("{path} can be written again"));
            // Whoever has a file open there keeps his view of it.
            self.sh(&format!("umount {path} 2>/dev/null || umount -l {path}"))?;
        }
        Ok(())
    }

    fn sh(&self, script: &str) -> Result<()> {
        let out = self.host.sh(&format!("set -e; {script}"))?;
        let said = String::from_utf8_lossy(&out.stderr);
        ensure!(
            out.status.success(),
            "`{script}` on {}: {}",
            self.host.name,
            said.trim()
        );
        Ok(())
    }
}
