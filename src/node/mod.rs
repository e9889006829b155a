//! This machine: its addresses, its clock, what it remembers, what it tells, whose turn it is.

pub(crate) mod addresses;
pub(crate) mod clock;
pub mod deaths;
pub(crate) mod drain;
pub(crate) mod hook;
pub mod journal;
pub mod memory;
pub(crate) mod process;
pub mod ticket;
pub mod turn;
pub mod vrrp_state;
