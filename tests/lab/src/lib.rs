//! The lab: hosts as namespaces on one bridge, each with real keepalived and real Redis, and a
//! client that writes through the virtual IP and reads back what was acknowledged: numbered keys
//! that are only ever added, or the steps of a workload that lives like an application.
//!
//! Needs root, and Linux with network, mount, pid and uts namespaces, overlayfs and bridges.
#![forbid(unsafe_code)]

pub mod bench;
pub mod boot;
pub mod campaign;
pub mod clients;
pub mod cluster;
pub mod compare;
pub mod demo;
pub mod host;
pub mod keepalived;
pub mod lab;
pub mod matrix;
pub mod netns;
pub mod observer;
pub mod picture;
pub mod processes;
pub mod readback;
pub mod record;
pub mod redis_client;
pub mod redis_server;
pub mod run;
pub mod scenario;
pub mod sentinel;
pub mod server;
pub mod service;
pub mod soak;
pub mod story;
pub mod suite;
pub mod switch;
pub mod tls;
pub mod trial;
pub mod wait;
pub mod watcher;
pub mod workload;
pub mod writer;
