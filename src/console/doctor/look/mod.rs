//! What the doctor looks at: this machine, keepalived, each Redis, each sentinel, what the checks
//! say. Changes nothing.

pub(crate) mod checks;
pub(crate) mod command;
pub(crate) mod keepalived;
pub(crate) mod machine;
pub(crate) mod modes;
pub(crate) mod sentinels;
pub(crate) mod servers;
pub(crate) mod units;
