//! One Redis by itself: does it answer, and how is it set?

use super::{ability, settings};
use crate::config::Config;
use crate::console::doctor::finding::{Fact, Findings, Fix};
use crate::console::doctor::look::servers::{AskedNode, Seen};
use crate::console::doctor::redis_cli::RedisCli;
use crate::server::failure::Failure;
use crate::server::info::Version;

/// Before it a history has no name (R6).
const OLDEST: Version = Version(4, 0, 0);
pub(crate) fn judge(found: &mut Findings, node: &AskedNode, config: &Config, cli: &RedisCli) {
    let address = node.address;
    let seen = match &node.seen {
        Ok(seen) => seen,
        Err(failure) => return silent(found, node, failure),
    };
    found.ok("redis-answers", Fact::NONE, format!("{address} answers"));
    if let Some(Err(failure)) = &node.at_address {
        let says = format!(
            "{address}: the local Redis answers on its socket, and not there ({failure}): the \
             other nodes can't reach it"
        );
        found.fail(
            "redis-answers",
            Fact::NONE,
            says,
            Fix::Do("let bind and port in redis.conf be as in nodes".to_owned()),
        );
    }
    version(found, node, seen, config);
    if seen.observation.loading {
        let fix = Fix::Do("wait until it has loaded its data, then run this again".to_owned());
        found.warn(
            "redis-loading",
            Fact("R2"),
            format!("{address} loads its data"),
            fix,
        );
    }
    ability::judge(found, node, seen, cli);
    if seen.settings.is_none() {
        return found.unseen(
            "redis-settings",
            Fact("R19"),
            format!("{address}: CONFIG GET is refused: its settings can't be looked at"),
        );
    }
    settings::judge(found, node, seen, config, cli);
    if config.auth.tls.is_some() && seen.setting("tls-replication") != Some("yes") {
        let says = format!(
            "{address}: tls-replication is not yes, and a replica asks a port for TLS in plain text"
        );
        found.fail(
            "tls-replication",
            Fact("R37"),
            says,
            Fix::Run(cli.set(address, "tls-replication", "yes")),
        );
    }
    if seen.info.get("config_file").is_some_and(String::is_empty) {
        let says =
            format!("{address} has no configuration file: a role is gone at the next restart");
        found.warn(
            "config-rewrite",
            Fact("R10"),
            says,
            Fix::Do("start it with a configuration file that it may write to".to_owned()),
        );
    }
}

fn silent(found: &mut Findings, node: &AskedNode, failure: &Failure) {
    let address = node.address;
    let start = || {
        if node.is_local {
            Fix::Run("systemctl start redis-server || systemctl start redis".to_owned())
        } else {
            Fix::Do(format!(
                "start Redis on {}, and see bind and port there",
                address.ip()
            ))
        }
    };
    let fix = match failure {
        Failure::Denied(denial) if denial.code == "LOADING" => {
            let fix = Fix::Do("wait until it has loaded its data, then run this again".to_owned());
            return found.warn(
                "redis-answers",
                Fact("R2"),
                format!("{address} loads its data"),
                fix,
            );
        }
        Failure::Denied(denial) if denial.is_about_auth() => Fix::Do(
            "let [auth] of redis-ha.toml be as requirepass, or the ACL user, of that Redis, the \
             same on all nodes"
                .to_owned(),
        ),
        Failure::Denied(denial) if denial.code == "DENIED" => {
            Fix::Do("protected-mode: set requirepass there, or protected-mode no".to_owned())
        }
        Failure::Denied(_) => Fix::Do("see what it says of itself: redis-cli info".to_owned()),
        Failure::Tls(_) => Fix::Do(
            "let [tls] of redis-ha.toml and the tls lines of that \
            redis.conf agree"
                .to_owned(),
        ),
        Failure::NoConnection | Failure::Network(_) => Fix::Do(format!(
            "see that {} is on, and that firewalls let TCP {} pass",
            address.ip(),
            address.port()
        )),
        Failure::Refused => start(),
        Failure::TimedOut | Failure::Reset | Failure::Rubbish(_) => Fix::Do(format!(
            "see what listens at {address}, and whether it hangs"
        )),
    };
    let fact = if matches!(failure, Failure::Denied(_)) {
        Fact("R17")
    } else {
        Fact::NONE
    };
    found.fail("redis-answers", fact, format!("{address}: {failure}"), fix);
}

fn version(found: &mut Findings, node: &AskedNode, seen: &Seen, config: &Config) {
    let (address, version) = (node.address, seen.observation.version);
    if version < OLDEST {
        let fix = Fix::Do("upgrade it to 4.0 or newer, 7.0 if you can".to_owned());
        return found.fail(
            "redis-version",
            Fact("R6"),
            format!("{address} is Redis {version}, whose histories have no name"),
            fix,
        );
    }
    if config.sentinel.is_none() && !version.has_functions() && config.policy.term_key.is_none() {
        let says = format!(
            "{address} is Redis {version}, which has no functions: two nodes that were both down \
             can't tell whose data is the newer"
        );
        let fix = Fix::Do(format!(
            "write in {} below [policy]: term_key = \"keepalived-redis:term\"",
            config.path.display()
        ));
        return found.warn("redis-version", Fact("R24"), says, fix);
    }
    found.ok(
        "redis-version",
        Fact::NONE,
        format!("{address} is Redis {version}"),
    );
}

/// In the fast profile a silence of `hang` is a failover, and Redis is silent while it forks.
pub(crate) fn fork(found: &mut Findings, node: &AskedNode, seen: &Seen, hang: std::time::Duration) {
    let Some(micros) = seen.number("latest_fork_usec") else {
        return;
    };
    let (address, millis) = (node.address, micros / 1000);
    if u128::from(micros) >= hang.as_micros() {
        let says = format!(
            "{address}: its last fork took {millis} ms, and timing.hang is {} ms: each of them is \
             a failover",
            hang.as_millis()
        );
        let fix = Fix::Do(format!(
            "write in redis-ha.toml below [timing]: hang = \"{}ms\"",
            millis * 2
        ));
        return found.warn("fork", Fact::NONE, says, fix);
    }
    found.ok(
        "fork",
        Fact::NONE,
        format!("{address}: its last fork took {millis} ms, less than timing.hang"),
    );
}
