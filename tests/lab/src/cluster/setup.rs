//! How a cluster is set up.

use clap::ValueEnum;

use crate::sentinel::server::Terms;

/// Which hosts there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// Three with Redis, a sentinel and keepalived each.
    #[default]
    Three,
    /// Two of these, and one with a sentinel alone.
    Witness,
}

/// Who moves what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Sentinel alone: no keepalived, no VIP, the client asks the sentinels.
    Alone,
    /// keepalived and our programs, in the plain profile.
    #[default]
    Plain,
    /// The same in the fast profile.
    Fast,
}

/// `when_sentinels_silent`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Silent {
    /// The VIP stays.
    #[default]
    Hold,
    /// The VIP is given up.
    Release,
}

/// How a cluster is set up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Setup {
    /// Its hosts.
    pub shape: Shape,
    /// Its programs.
    pub profile: Profile,
    /// Its sentinels.
    pub terms: Terms,
    /// What holds while too few of them answer.
    pub silent: Silent,
    /// What the client hears where it asks the sentinels.
    pub deaf: bool,
    /// Valkey 9 in the place of Redis and of its Sentinel.
    pub valkey: bool,
}

impl std::fmt::Display for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shape = match self.shape {
            Shape::Three => "three hosts",
            Shape::Witness => "two hosts and a witness",
        };
        let profile = match self.profile {
            Profile::Alone => "Sentinel alone",
            Profile::Plain => "plain profile",
            Profile::Fast => "fast profile",
        };
        let server = if self.valkey { ", Valkey 9" } else { "" };
        write!(
            f,
            "{shape}, {profile}{server}, down-after {} ms",
            self.terms.down_after.as_millis()
        )
    }
}
