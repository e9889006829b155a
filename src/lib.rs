//! What the programs that keepalived runs for a pair of Redis servers share.
//!
//! Modules lean only on those named before them: [`endpoint`], [`deadline`], [`terminal`], [`interrupt`], [`addresses`], [`tls`], [`commands`] (ground); [`config`],
//! [`journal`], [`memory`], [`failures`], [`drain`], [`hook`], [`ticket`], [`turn`], [`track_file`]; [`term`], [`info`], [`stream`], `reply`, `line`, [`server`] (one Redis); [`lineage`], [`plan`], [`election`], [`pulse`], [`progress`] (pure
//! decisions); [`survey`], [`sentinel`], [`elected`], [`probe`], [`fence`], [`handover`], [`rollback`] [`copying`] (one step each); [`program`], [`following`], [`gathering`],
//! [`serve`], [`yielding`], [`electing`], [`deposed`], [`stop`], [`check`] (what a program does); [`notification`], [`report`], [`subscription`], [`watch`]
//! (one run of it); [`cli`], and the doorways in `bin/`. For people: [`status`], [`explain`], [`doctor`], [`draining`],
//! [`rollback_files`], [`failover_test`] (a sub-command each); [`console`].

pub mod addresses;
pub mod check;
pub mod cli;
pub mod commands;
pub mod config;
pub mod console;
pub mod copying;
pub mod deadline;
pub mod deposed;
pub mod doctor;
pub mod drain;
pub mod draining;
pub mod elected;
pub mod electing;
pub mod election;
pub mod endpoint;
pub mod explain;
pub mod failover_test;
pub mod failures;
pub mod fence;
pub mod following;
pub mod gathering;
pub mod handover;
pub mod hook;
pub mod info;
pub mod interrupt;
pub mod journal;
mod line;
pub mod lineage;
pub mod memory;
pub mod notification;
pub mod plan;
pub mod probe;
pub mod program;
pub mod progress;
pub mod pulse;
mod reply;
pub mod report;
pub mod rollback;
pub mod rollback_files;
pub mod sentinel;
pub mod serve;
pub mod server;
pub mod status;
pub mod stop;
pub mod stream;
pub mod subscription;
pub mod survey;
pub mod term;
pub mod terminal;
pub mod ticket;
pub mod tls;
pub mod track_file;
pub mod turn;
pub mod watch;
pub mod yielding;

/// musl's own asks the kernel for each few blocks, and gives them back: a fifth of the CPU time of a check.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[cfg(test)]
#[path = "../tests/simulation/mod.rs"]
mod simulation;
