//! Changing roles: one step at a time, each seen to have worked before the next one.

pub(crate) mod bring_along;
pub(crate) mod by_sentinel;
pub(crate) mod copy_progress;
pub(crate) mod follow;
pub mod handover;
pub(crate) mod hold;
pub(crate) mod promote;
pub(crate) mod rollback;
pub(crate) mod take_over;
pub(crate) mod worker;
