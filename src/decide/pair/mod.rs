//! The decisions where these programs move the role themselves.

pub(crate) mod steps;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod verdicts;
pub(crate) mod worth;

pub use self::steps::{Step, serve, yield_role};
pub(crate) use self::verdicts::well_peer;
pub use self::verdicts::{Eligibility, Standing, eligibility, wrong_role};
pub use self::worth::{containment, in_sync};
pub(crate) use self::worth::{contains, stragglers};
