//! A machine on which all is well, to be spoilt: for tests.

use std::path::PathBuf;

use super::keepalived_case::{GOOD, example, seen};
use super::redis_case::config;
use crate::console::doctor::finding::{Finding, Findings, Subject};
use crate::console::doctor::judge::machine::{self, redis_service};
use crate::console::doctor::look::keepalived::Keepalived;
use crate::console::doctor::look::machine::{Dir, LocalRedis, Machine, WATCHER};
use crate::console::doctor::look::modes::Mode;
use crate::server::info::Version;

pub(crate) const DATA: u64 = 1 << 30;

pub(crate) fn dir(key: &'static str, bits: u32) -> Dir {
    let mode = Some(Mode {
        bits,
        is_file: false,
        ..GOOD
    });
    Dir {
        key,
        path: PathBuf::from("/var/lib").join(key),
        mode,
        trouble: None,
        read_only: false,
        free: Some(10 * DATA),
    }
}

pub(crate) fn good() -> (Machine, Keepalived) {
    let running = || ("enabled".to_owned(), "active".to_owned());
    let names = ["keepalived.service", "redis-server.service", WATCHER];
    let redis = LocalRedis {
        uid: Some(110),
        gids: vec![110],
        config_file: Some("/etc/redis/redis.conf".into()),
        modes: Some((Ok(Mode { uid: 110, ..GOOD }), Ok(Mode { uid: 110, ..GOOD }))),
        read_only: false,
        unit: Some("redis-server".to_owned()),
        commands: vec![
            "/usr/bin/redis-server /etc/redis/redis.conf --slaveof 127.0.0.1 1".to_owned(),
        ],
    };
    let machine = Machine {
        is_root: true,
        synchronized: Some(true),
        selinux: false,
        packaged: false,
        has_check_rdb: true,
        dirs: vec![
            dir("memory.dir", 0o755),
            dir("log.dir", 0o750),
            dir("rollback.dir", 0o700),
        ],
        systemd: true,
        drop_in: Some("[Service]\nRestart=always\n".to_owned()),
        target: true,
        units: names.map(|name| (name.to_owned(), running())).into(),
        redis,
    };
    (machine, seen(&example(&["pair", "failback", "fast"])))
}

pub(crate) fn judged(machine: &Machine, keepalived: &Keepalived, more: &str) -> Vec<Finding> {
    let mut found = Findings::of(Subject::Machine);
    let config = config(more);
    machine::judge(
        &mut found,
        machine,
        keepalived,
        Some(&config),
        Some(DATA),
        false,
    );
    redis_service::judge(&mut found, machine, Some(Version(7, 0, 15)), &config);
    found.list
}
