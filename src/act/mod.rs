//! Changing roles: one step at a time, each seen to have worked before the next one.

pub mod bring_along;
pub mod by_sentinel;
pub mod copy_progress;
pub mod copying;
pub mod follow;
pub mod handover;
pub mod rollback;
pub mod worker;
