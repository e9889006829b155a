//! This machine: its addresses, its clock, what it remembers, what it tells, whose turn it is.

pub mod addresses;
pub mod clock;
pub mod deaths;
pub mod drain;
pub mod hook;
pub mod journal;
pub mod memory;
pub mod ticket;
pub mod turn;
pub mod vrrp_state;
