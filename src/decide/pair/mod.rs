//! The decisions where these programs move the role themselves.

pub(crate) mod readable;
pub(crate) mod steps;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod verdicts;
pub(crate) mod worth;

pub(crate) use self::readable::stragglers;
pub use self::readable::{serve, yield_role};
pub use self::steps::Step;
pub(crate) use self::verdicts::well_peer;
pub use self::verdicts::{Eligibility, Standing, eligibility, wrong_role};
pub(crate) use self::worth::contains;
pub use self::worth::{containment, in_sync};
