//! Every judged line provoked, and judged again after its own advice.

pub(crate) mod ability_rows;
pub(crate) mod keepalived_case;
pub(crate) mod keepalived_edits;
pub(crate) mod keepalived_tables;
pub(crate) mod machine_case;
pub(crate) mod machine_tables;
pub(crate) mod pair_rows;
pub(crate) mod redis_advice;
pub(crate) mod redis_case;
pub(crate) mod redis_tables;
pub(crate) mod sentinel_rows;
