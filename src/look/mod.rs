//! Looking at every node, at the virtual IP, and at the sentinels.

pub mod sentinels;
pub mod survey;
