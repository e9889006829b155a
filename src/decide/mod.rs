//! Every decision: what was seen and remembered goes in, a verdict or a step comes out. No input or
//! output.
//!
//! Every program asks here and none decides on its own, so that two nodes that look at the same
//! pair answer alike.

pub(crate) mod ability;
pub(crate) mod lineage;
pub mod pair;
pub(crate) mod retention;
pub(crate) mod rule;
pub mod sentinel;
pub(crate) mod versions;
pub mod view;
