//! Having the sentinels move the role, where it is Sentinel that decides who is master.

pub(crate) mod hand_over;
