//! Which software answers.

use std::fmt;

/// The version of a server; Valkey gives the Redis version that it is compatible with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// `CLIENT PAUSE ms WRITE` exists from 6.2 (R12).
    pub(crate) fn can_pause_writes(self) -> bool {
        self >= Version(6, 2, 0)
    }

    /// Function libraries exist from 7.0 (R24).
    pub(crate) fn has_functions(self) -> bool {
        self >= Version(7, 0, 0)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// Whose server it is: from Redis 7.4 on the two write data that the other one does not read (R43).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Make {
    #[default]
    Redis,
    /// With its own version.
    Valkey(Version),
}
