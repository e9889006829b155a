//! The files of a node's state, each by its name. `docs/files.md` says the same for whoever finds
//! them on a disk.

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};

use crate::config::last_good;

/// The peer of the example in [`StateFile::ALL`].
const A_PEER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 6379));

/// The list of all and the names are made from the same lines. Behind what a file has in its name
/// stands an example of that.
macro_rules! state_files {
    ($(#[$head:meta])* pub enum StateFile {
        $($(#[$doc:meta])* $file:ident $(($of:ty = $example:expr))? = $name:expr,)*
    }) => {
        $(#[$head])*
        pub enum StateFile { $($(#[$doc])* $file $(($of))?,)* }

        impl StateFile {
            /// All of them, and of those that have a peer's address in their name an example.
            pub const ALL: &'static [StateFile] = &[$(StateFile::$file $(($example))?,)*];

            /// `PEER` stands for the address of a peer.
            const fn pattern(self) -> &'static str {
                match self { $(StateFile::$file { .. } => $name,)* }
            }
        }
    };
}

state_files! {
/// A file in the directory of one instance. A file that is missing or damaged says nothing: what
/// each loses by that stands with it. The names stay as they are, for a running pair is upgraded
/// one node after the other, and each program reads what the one before it wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateFile {
    /// The run of the local Redis in which our programs made it master or found it to be one, and
    /// the history that it makes. Without it a serving node is judged by its data alone until
    /// `redis_master` confirms it.
    Served = "served.toml",
    /// The run in which the local Redis had all that a serving peer had. Without it, and with the
    /// peer gone, this node is not eligible before `timing.alone_after`.
    Synced = "synced.toml",
    /// The terms that this node has seen in its own data and in its peers'. Without it a new term
    /// is above those that can be seen at that moment alone, and a term that was erased is not put
    /// back.
    Reigns = "reigns.toml",
    /// A term that Redis has refused, or that was not yet seen in its data. Without it the data
    /// stays without that term until its next reign.
    PendingTerm = "pending-term.toml",
    /// Another node has newer data, and which one. Without it this node serves after
    /// `timing.alone_after` where nobody else answers.
    Outdated = "outdated.toml",
    /// Since when the link to a master that says nothing has been down, while this node was BACKUP.
    /// Without it that time begins anew.
    LinkDown = "link-down.toml",
    /// The value of `repl-diskless-sync-delay` that a program has set to 0 for a moment. Without it
    /// the 0 stays until Redis is restarted.
    CopyDelay = "copy-delay.toml",
    /// The rollback file that holds the data that the local Redis has now. Without it the same data
    /// may be kept twice.
    InFile = "in-file.toml",
    /// When the local Redis died. Without it nothing holds this node back.
    Failures = "failures.toml",
    /// The run of the local Redis that was seen last, and whether its death has been counted.
    /// Without it a death that nobody has seen yet is not counted.
    Life = "life.toml",
    /// A person wants this node to stay out of service. Without it the drain is over.
    Drain = "drain.toml",
    /// The history whose term and role have been written down in Redis. Without it that is done
    /// again.
    Settled = "settled",
    /// The newest notification of keepalived, and which process works for it. Without it the next
    /// notification is the newest, also one that comes late.
    Turn = "turn",
    /// The lock that is held while a Redis is commanded; it says nothing. Without it two programs
    /// may command at the same time, once.
    Acting = "acting",
    /// What `check_redis` said last. Without it the verdict is journalled again.
    CheckVerdict = "check.verdict",
    /// What `check_redis --eligible` said last. Without it the verdict is journalled again, and a
    /// local Redis that is silent at that moment is not eligible.
    EligibleVerdict = "eligible.verdict",
    /// Since when the other node of two has been silent. Without it `timing.alone_after` begins
    /// anew.
    Alone = "alone.toml",
    /// Since when this one of several peers has been silent. Without it `timing.alone_after` begins
    /// anew.
    AloneOf(SocketAddr = A_PEER) = "alone-PEER.toml",
    /// Since when the local Redis has been silent or busy. Without it the time for which the last
    /// answer stands begins anew.
    Silent = "silent.toml",
    /// Since when the VIP has been here, the local Redis in the wrong role, and no `redis_master`
    /// notified. Without it the time until the check fails begins anew.
    Orphaned = "orphaned.toml",
    /// Since when the local Redis has been in the wrong role with nobody at work on it. Without it
    /// the check begins anew to fail and pass by turns.
    Unrepaired = "unrepaired.toml",
    /// Sentinel mode: the run of the local Redis that the sentinels named as master when they last
    /// named anybody. Without it this node is not eligible while they are silent.
    Elected = "elected.toml",
    /// Sentinel mode: the run in which the local Redis was a replica. If it is a master later,
    /// somebody promoted it. Without it such a node may be in FAULT for a second or two.
    FollowedRun = "followed.run",
    /// Sentinel mode: since when the local Redis has been a master beside the one that the
    /// sentinels name. Without it the time until the check fails begins anew.
    Deposed = "deposed.toml",
    /// Sentinel mode: since when this node has not seen the master that the sentinels see. Without
    /// it the check passes for a while.
    CutOff = "cut-off.toml",
    /// Sentinel mode: since when too few sentinels have answered. Without it the time until the VIP
    /// is released begins anew.
    SentinelsSilent = "sentinels-silent.toml",
    /// The last configuration that could be read. Without it a broken edit of the configuration
    /// file stops every program.
    LastGoodConfig = last_good::FILE,
}
}

impl StateFile {
    pub fn name(self) -> Cow<'static, str> {
        let pattern = self.pattern();
        match self {
            StateFile::AloneOf(peer) => {
                Cow::Owned(pattern.replace("PEER", &peer.to_string().replace(':', "_")))
            }
            _ => Cow::Borrowed(pattern),
        }
    }

    pub fn path(self, dir: &Path) -> PathBuf {
        dir.join(self.name().as_ref())
    }

    /// Whether a file that is called so is one of these.
    pub(crate) fn is_called(name: &str) -> bool {
        let of_a_peer = name.starts_with("alone-") && name.ends_with(".toml");
        of_a_peer || Self::ALL.iter().any(|file| file.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_knows_its_own_name_and_no_two_share_one() {
        for (number, file) in StateFile::ALL.iter().enumerate() {
            assert!(StateFile::is_called(&file.name()), "{file:?}");
            let before = &StateFile::ALL[..number];
            assert!(
                before.iter().all(|other| other.name() != file.name()),
                "{file:?}"
            );
        }
        let peer = "[2001:db8::2]:6380".parse().expect("an address");
        let name = StateFile::AloneOf(peer).name();
        assert_eq!(name, "alone-[2001_db8__2]_6380.toml");
        assert!(StateFile::is_called(&name));
        assert!(!StateFile::is_called("notes.toml"));
    }
}
