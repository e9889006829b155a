//! The decisions where these programs move the role themselves.

mod containment;
pub(crate) mod outdated;
pub(crate) mod readable;
pub(crate) mod reign;
pub(crate) mod step;
pub(crate) mod steps;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod verdicts;
pub(crate) mod worth;

pub use self::containment::containment;
pub(crate) use self::containment::contains;
pub(crate) use self::outdated::{AGED, cut_off_from};
pub(crate) use self::readable::stragglers;
pub use self::readable::{serve, yield_role};
pub use self::step::{Reign, Step};
pub(crate) use self::verdicts::well_peer;
pub use self::verdicts::{Eligibility, Standing, eligibility, wrong_role};
pub use self::worth::in_sync;
