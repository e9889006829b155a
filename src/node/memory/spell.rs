//! For how long something has been so.

use std::fs;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{StateFile, Store};
use crate::node::clock::boot_clock;

/// Something has been so at each look since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Spell {
    /// The boot of this machine that the clock below belongs to.
    boot: String,
    /// Seconds since boot of the first look.
    since: u64,
    /// Seconds since boot of the last one.
    last: u64,
}

/// Two looks that are further apart than this (seconds) do not prove that it was so between them.
const BREAK: u64 = 5;

impl Store {
    /// For how long what `file` stands for has been so, this look included. A look at which it is
    /// not so, a reboot, or more than 5 s without a look begin anew. Where nothing can be written
    /// down it has not been so yet.
    pub fn spell(&self, file: StateFile, is_so: bool) -> Duration {
        if !is_so {
            let _ = fs::remove_file(file.path(&self.dir));
            return Duration::ZERO;
        }
        let Ok((boot, now)) = boot_clock() else {
            return Duration::ZERO;
        };
        let since = self
            .read_file::<Spell>(file)
            .filter(|spell| spell.boot == boot && spell.last <= now && now - spell.last <= BREAK)
            .map_or(now, |spell| spell.since.min(now));
        if let Ok(text) = toml::to_string(&Spell {
            boot,
            since,
            last: now,
        }) {
            let _ = self.replace(file, text.as_bytes());
        }
        Duration::from_secs(now - since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_spell_ends_with_a_look_that_finds_otherwise_a_break_or_a_reboot() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::new(dir.path());
        let (boot, now) = boot_clock().expect("/proc");
        let spell = |boot: &str, since, last| {
            let text = toml::to_string(&Spell {
                boot: boot.into(),
                since,
                last,
            })
            .expect("toml");
            fs::write(StateFile::Alone.path(dir.path()), text).expect("a write");
        };
        spell(&boot, now - 60, now - 2);
        assert!(store.spell(StateFile::Alone, true) >= Duration::from_secs(60));
        assert_eq!(store.spell(StateFile::Alone, false), Duration::ZERO);
        assert_eq!(store.spell(StateFile::Alone, true).as_secs(), 0);
        spell(&boot, now - 60, now - 30);
        assert!(
            store.spell(StateFile::Alone, true) < Duration::from_secs(5),
            "a break"
        );
        spell("another boot", now - 60, now - 2);
        assert!(
            store.spell(StateFile::Alone, true) < Duration::from_secs(5),
            "a reboot"
        );
    }

    proptest! {
        #[test]
        fn a_damaged_file_is_no_spell(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let dir = tempfile::tempdir().expect("a directory");
            fs::write(StateFile::Alone.path(dir.path()), &bytes).expect("a write");
            prop_assert_eq!(Store::new(dir.path()).spell(StateFile::Alone, true), Duration::ZERO);
        }
    }
}
