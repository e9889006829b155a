//! The programs that keepalived runs, each by the name that it has in keepalived.conf.

pub(crate) mod check_redis;
pub mod cli;
pub(crate) mod notification;
pub(crate) mod redis_backup;
pub(crate) mod redis_fault;
pub(crate) mod redis_master;
pub(crate) mod redis_stop;
pub(crate) mod watcher;
