//! The local Redis as the machine has it: may it write its configuration, and in which role does it
//! start?

use crate::config::Config;
use crate::console::doctor::finding::{Fact, Findings, Fix};
use crate::console::doctor::look::machine::{LocalRedis, Machine};
use crate::server::info::Version;

/// From here on `CONFIG REWRITE` writes a new file beside the old one.
const BESIDE: Version = Version(6, 2, 0);

pub(crate) fn judge(
    found: &mut Findings,
    machine: &Machine,
    version: Option<Version>,
    config: &Config,
) {
    rewrite(found, &machine.redis, version);
    boot(found, machine, config);
}

fn rewrite(found: &mut Findings, redis: &LocalRedis, version: Option<Version>) {
    let check = "config-rewrite";
    let Some(file) = &redis.config_file else {
        return;
    };
    let (path, dir) = (file.display(), file.parent().unwrap_or(file).display());
    let costs = "a role is not written down, and gone at the next restart";
    if redis.read_only {
        let fix = Fix::Do(format!(
            "mount {dir} read-write, or let ReadWritePaths= of the unit of Redis name it"
        ));
        return found.fail(
            check,
            Fact("R10"),
            format!("{path} is on a file system that is read-only for Redis: {costs}"),
            fix,
        );
    }
    let (Some(uid), Some((of_file, of_dir))) = (redis.uid, &redis.modes) else {
        return found.unseen(
            check,
            Fact("R10"),
            format!("{path}: the process of the local Redis can't be looked at from here"),
        );
    };
    let (of_file, of_dir) = match (of_file, of_dir) {
        (Ok(of_file), Ok(of_dir)) => (of_file, of_dir),
        (Err(why), _) | (_, Err(why)) => {
            return found.unseen(
                check,
                Fact("R10"),
                format!("{path}: {why}; run this as root"),
            );
        }
    };
    // An older one writes into the file itself.
    let beside = version.is_none_or(|version| version >= BESIDE);
    let may = if beside { of_dir } else { of_file };
    if may.is_writable_by(uid, &redis.gids) {
        return found.ok(check, Fact("R10"), format!("Redis may write {path}"));
    }
    let what = if beside {
        dir.to_string()
    } else {
        path.to_string()
    };
    // A directory that others use too, as /etc, is not to be given away.
    let own = file.components().count() > 3;
    let fix = if own || !beside {
        Fix::Run(format!(
            "chown {uid} {what} {path} && chmod u+w {what} {path}"
        ))
    } else {
        Fix::Do(format!(
            "move {path} into a directory of its own that belongs to Redis, as /etc/redis, and \
             name it in the unit of Redis"
        ))
    };
    found.fail(
        check,
        Fact("R10"),
        format!("Redis (uid {uid}) may not write to {what}: {costs}"),
        fix,
    );
}

/// `--slaveof 127.0.0.1 1` behind all else.
fn as_nobodys_replica(command: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().collect();
    words.windows(3).any(|words| {
        matches!(
            words,
            ["--slaveof" | "--replicaof", "127.0.0.1" | "localhost", "1"]
        )
    })
}

fn boot(found: &mut Findings, machine: &Machine, config: &Config) {
    let redis = &machine.redis;
    let check = "boots-as-replica";
    let nobodys = redis
        .commands
        .iter()
        .any(|command| as_nobodys_replica(command));
    if config.sentinel.is_some() {
        if nobodys {
            let unit = redis
                .unit
                .clone()
                .unwrap_or_else(|| "redis-server".to_owned());
            let says = "the local Redis boots as a replica of nobody, and loses the role that \
                Sentinel gave it";
            let fix = Fix::Run(format!(
                "rm /etc/systemd/system/{unit}.service.d/zz-boot-as-replica.conf && systemctl \
                 daemon-reload"
            ));
            return found.fail(check, Fact("R8"), says, fix);
        }
        return found.ok(
            check,
            Fact("R8"),
            "the local Redis boots in the role that Sentinel gave it",
        );
    }
    if nobodys {
        return found.ok(
            check,
            Fact("R8"),
            "the local Redis boots as a replica of nobody",
        );
    }
    if redis.commands.iter().all(|command| command.is_empty()) {
        return found.unseen(
            check,
            Fact("R8"),
            "how the local Redis is started can't be seen from here",
        );
    }
    let says = "the local Redis boots in whatever role its redis.conf has: as a master with \
        nothing, or with old data, it wipes its replica within a second";
    let setup = if machine.packaged {
        "keepalived-redis-setup"
    } else {
        "./install.sh"
    };
    let fix = Fix::Run(format!("{setup} --boot-as-replica"));
    found.warn(check, Fact("R8"), says, fix);
}
