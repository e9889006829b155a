//! What is wrong with keepalived.conf, and with what it names.

pub(crate) mod conf;
pub(crate) mod edits;
pub(crate) mod globals;
pub(crate) mod hosts;
pub(crate) mod instance;
pub(crate) mod network;
pub(crate) mod notify;
pub(crate) mod programs;
pub(crate) mod tracking;
pub(crate) mod weights;
