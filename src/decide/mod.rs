//! Every decision: what was seen and remembered goes in, a verdict or a step comes out. No input or
//! output.

pub(crate) mod lineage;
pub mod pair;
pub(crate) mod rule;
pub mod sentinel;
pub mod view;
