//! The programs that keepalived runs, each by the name that it has in keepalived.conf.

pub mod check_redis;
pub mod cli;
pub mod notification;
pub mod redis_backup;
pub(crate) mod redis_fault;
pub mod redis_master;
pub mod redis_stop;
pub mod watcher;
