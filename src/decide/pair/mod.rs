//! The decisions where these programs move the role themselves.

mod containment;
pub(crate) mod reign;
pub(crate) mod step;
pub(crate) mod steps;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod verdicts;
pub(crate) mod worth;

pub use self::containment::containment;
pub(crate) use self::containment::{contains, stragglers};
pub use self::step::{Reign, Step};
pub use self::steps::{serve, yield_role};
pub(crate) use self::verdicts::well_peer;
pub use self::verdicts::{Eligibility, Standing, eligibility, wrong_role};
pub use self::worth::in_sync;
