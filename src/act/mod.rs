//! Changing roles: one step at a time, each seen to have worked before the next one.

pub(crate) mod bring_along;
pub(crate) mod by_sentinel;
pub(crate) mod copy_delay;
pub(crate) mod copy_progress;
pub(crate) mod follow;
pub(crate) mod handover;
pub(crate) mod in_file;
pub(crate) mod keep;
pub(crate) mod local_writes;
pub(crate) mod move_role;
pub(crate) mod party;
pub(crate) mod promote;
pub(crate) mod record;
pub(crate) mod rollback;
pub(crate) mod trouble;
pub(crate) mod voice;
pub(crate) mod worker;
