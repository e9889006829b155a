//! What the programs that keepalived runs for a pair of Redis servers share.
//!
//! Modules lean only on those named before them: [`endpoint`], [`deadline`], [`addresses`] (ground); [`config`],
//! [`journal`], [`memory`], [`failures`], [`ticket`], [`turn`]; [`term`], [`info`], [`stream`], [`server`] (one Redis); [`lineage`], [`plan`] (pure
//! decisions); [`survey`], [`probe`], [`fence`], [`handover`], [`rollback`] (one step each); [`program`], [`following`],
//! [`serve`], [`yielding`], [`stop`], [`check`] (what a program does); [`notification`], [`report`]
//! (one run of it); [`cli`], and the doorways in `bin/`.

pub mod addresses;
pub mod check;
pub mod cli;
pub mod config;
pub mod deadline;
pub mod endpoint;
pub mod failures;
pub mod fence;
pub mod following;
pub mod handover;
pub mod info;
pub mod journal;
pub mod lineage;
pub mod memory;
pub mod notification;
pub mod plan;
pub mod probe;
pub mod program;
pub mod report;
pub mod rollback;
pub mod serve;
pub mod server;
pub mod stop;
pub mod stream;
pub mod survey;
pub mod term;
pub mod ticket;
pub mod turn;
pub mod yielding;

#[cfg(test)]
#[path = "../tests/simulation/mod.rs"]
mod simulation;
