//! The programs that keepalived runs for Redis servers behind one virtual IP: look, decide, take one step, look again.
//! Each module leans only on those below it; `tests/architecture.rs` holds that true.

pub mod act;
pub mod config;
pub mod console;
pub mod deadline;
pub mod decide;
pub(crate) mod keepalived_conf;
pub mod look;
pub mod node;
pub mod programs;
pub mod server;
pub mod terminal;

/// musl's own asks the kernel for each few blocks, and gives them back: a fifth of the CPU time of a check.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[cfg(test)]
#[path = "../tests/simulation/mod.rs"]
mod simulation;
