//! The decisions where these programs move the role themselves.

pub(crate) mod steps;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod verdicts;
pub(crate) mod worth;

pub use self::steps::{Step, serve, yield_role};
pub use self::verdicts::{Eligibility, Standing, eligibility, well_peer, wrong_role};
pub use self::worth::{containment, contains, in_sync, stragglers};
