//! The VRRP state of this node, as the last notification of keepalived gave it.

use serde::{Deserialize, Serialize};

use super::journal::Label;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum VrrpState {
    Master,
    Backup,
    /// A check failed, or an interface is down.
    Fault,
    Stop,
}

impl VrrpState {
    /// How the journal marks it.
    pub(crate) fn label(self) -> Label {
        match self {
            VrrpState::Master => Label::Master,
            VrrpState::Backup => Label::Backup,
            VrrpState::Fault => Label::Fault,
            VrrpState::Stop => Label::Stop,
        }
    }

    /// FAULT and BACKUP want the same of Redis: that it follows.
    pub(crate) fn wants_the_same_as(self, other: VrrpState) -> bool {
        let follow = |state| {
            if state == VrrpState::Fault {
                VrrpState::Backup
            } else {
                state
            }
        };
        follow(self) == follow(other)
    }
}

impl std::fmt::Display for VrrpState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            VrrpState::Master => "MASTER",
            VrrpState::Backup => "BACKUP",
            VrrpState::Fault => "FAULT",
            VrrpState::Stop => "STOP",
        })
    }
}
