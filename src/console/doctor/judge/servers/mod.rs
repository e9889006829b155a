//! What is wrong with each Redis, and with the pair of them.

pub(crate) mod ability;
pub(crate) mod masterauth;
pub(crate) mod node;
pub(crate) mod pair;
pub(crate) mod rights;
pub(crate) mod settings;
pub(crate) mod versions;
