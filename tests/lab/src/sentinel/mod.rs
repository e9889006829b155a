//! Redis Sentinel: the server on a host, what it says of the cluster, and a client that asks it for
//! the master.

pub mod client;
pub mod eye;
pub mod server;
pub mod view;
