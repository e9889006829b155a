//! What is wrong with keepalived.conf, and with what it names.

pub(crate) mod adverts;
pub(crate) mod conf;
pub(crate) mod edits;
pub(crate) mod globals;
pub(crate) mod hosts;
pub mod instance;
pub mod notify;
pub mod programs;
pub mod tracking;
pub(crate) mod weights;
