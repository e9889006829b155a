//! Every judged line provoked, and judged again after its own advice.

pub(crate) mod curing;
pub(crate) mod machine_tables;
pub(crate) mod redis_case;
pub(crate) mod redis_tables;
