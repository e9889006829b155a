//! Every judged line provoked, and judged again after its own advice.

pub mod curing;
pub(crate) mod machine_tables;
pub mod redis_case;
pub(crate) mod redis_tables;
