//! The two suites that the lab compares: the shell scripts that everybody copies, and ours.

use std::sync::Arc;

use anyhow::Result;

use crate::host::Host;
use crate::keepalived::{self, Supervision};
use crate::lab::Lab;
use crate::watcher;

mod ours;
mod scripts;

pub use self::ours::{install_with, programs};

/// What moves the role when keepalived moves the VIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// Five shell scripts with fixed sleeps.
    Scripts,
    /// The programs of this tree, installed by its own install.sh.
    Ours {
        /// Installed with `--sticky`: no failback.
        sticky: bool,
        /// Installed with `--profile fast`: adverts ten times a second, and a watcher beside the
        /// check.
        fast: bool,
    },
}

impl Suite {
    /// Ours, with failback.
    pub const OURS: Suite = Suite::Ours {
        sticky: false,
        fast: false,
    };
    /// Ours, without.
    pub const STICKY: Suite = Suite::Ours {
        sticky: true,
        fast: false,
    };
    /// Ours, with failback, in the fast profile.
    pub const FAST: Suite = Suite::Ours {
        sticky: false,
        fast: true,
    };

    /// A short name.
    pub fn name(self) -> &'static str {
        match self {
            Suite::Scripts => "scripts",
            Suite::Ours {
                sticky: false,
                fast: false,
            } => "ours",
            Suite::Ours {
                sticky: true,
                fast: false,
            } => "ours, sticky",
            Suite::Ours {
                sticky: false,
                fast: true,
            } => "ours, fast",
            Suite::Ours {
                sticky: true,
                fast: true,
            } => "ours, sticky and fast",
        }
    }

    /// Builds what has to be built, so that no time is lost later.
    pub fn prepare(self) -> Result<()> {
        match self {
            Suite::Scripts => Ok(()),
            Suite::Ours { .. } => ours::programs().map(drop),
        }
    }

    /// Installs it on every host. Redis must be up.
    pub fn install(self, lab: &Lab) -> Result<()> {
        for host in &lab.hosts {
            keepalived::install_systemctl(host)?;
        }
        match self {
            Suite::Scripts => scripts::install(lab),
            Suite::Ours { sticky, fast } => ours::install(lab, sticky, fast),
        }
    }

    /// Who starts a keepalived that died: the scripts come with Debian's unit as it is, ours
    /// with `Restart=always`.
    pub fn supervision(self) -> Supervision {
        match self {
            Suite::Scripts => Supervision::None,
            Suite::Ours { .. } => Supervision::Restart,
        }
    }

    /// Starts keepalived as this suite wants it; the watcher first, as systemd would.
    pub fn start_keepalived(self, host: &Arc<Host>) -> Result<()> {
        if matches!(self, Suite::Ours { fast: true, .. }) {
            watcher::start(host)?;
        }
        keepalived::start(host, self.supervision())
    }

    /// Whether a program that keepalived started is at work on the host.
    pub fn is_busy(self, host: &Host) -> bool {
        let programs = ["redis_master", "redis_backup", "redis_fault", "redis_stop"];
        !host
            .processes(|name| programs.iter().any(|p| name.starts_with(p)))
            .is_empty()
    }
}
