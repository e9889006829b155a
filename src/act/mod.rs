//! Changing roles: one step at a time, each seen to have worked before the next one.

pub mod bring_along;
pub mod by_sentinel;
pub mod copy_progress;
pub mod follow;
pub mod handover;
pub(crate) mod hold;
pub(crate) mod promote;
pub mod rollback;
pub(crate) mod take_over;
pub mod worker;
