//! What is wrong with each Redis, and with the pair of them.

pub mod node;
pub mod pair;
pub mod rights;
