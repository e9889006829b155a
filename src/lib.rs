//! The programs that keepalived runs for Redis servers behind one virtual IP: look at the nodes,
//! decide, take one step, look again. This is the map, from the top down; a wing leans only on
//! those below it, and `tests/architecture.rs` sees to that.

/// `keepalived-redis`, the program for people: status, explain, doctor, drain, promote, rollback
/// files, failover-test.
pub mod console;

/// What keepalived runs, each by its name in keepalived.conf: the notify programs, the check, the
/// watcher.
pub mod programs;

/// Changing roles, one step at a time: hand over, promote, follow, keep what is dropped.
pub(crate) mod act;

/// Looking at all nodes, at the VIP and at the sentinels.
pub mod look;

/// Every decision, without any input or output: what data is worth, the next step, the verdicts of
/// the checks.
pub mod decide;

/// This machine: what it remembers, what it tells, whose turn it is, which addresses it has.
pub mod node;

/// redis-ha.toml: read, checked, and kept as last good copy.
pub mod config;

/// One Redis: a conversation with it, what it says of itself, whether it lives.
pub mod server;

/// keepalived.conf as keepalived reads it.
pub(crate) mod keepalived_conf;

// The ground: small things that lean on each other alone.
pub(crate) mod child;
pub mod deadline;
pub(crate) mod exit;
pub(crate) mod terminal;
pub(crate) mod whole_file;

#[cfg(test)]
#[path = "../tests/simulation/mod.rs"]
mod simulation;
