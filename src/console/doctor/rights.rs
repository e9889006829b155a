//! The commands that the programs send, and what is lost where one of them is refused (R19). Pure.

use crate::config::{Config, RollbackMode};
use crate::server::info::Version;

/// One command that the programs send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Right {
    /// The command, with arguments that it takes.
    pub words: Vec<String>,
    /// As ACL SETUSER names it.
    pub rule: &'static str,
    /// What can't be done without it.
    pub costs: &'static str,
    /// Nothing good comes of a failover without it.
    pub fatal: bool,
}

/// All that a Redis of `version` is sent.
pub(crate) fn wanted(config: &Config, version: Version) -> Vec<Right> {
    let mut all = Vec::new();
    let mut add = |words: &str, rule: &'static str, costs: &'static str, fatal: bool| {
        let words = words.split(' ').map(str::to_owned).collect();
        all.push(Right {
            words,
            rule,
            costs,
            fatal,
        });
    };
    add("PING", "+ping", "nobody knows whether it lives", true);
    add("INFO replication", "+info", "nobody knows its role", true);
    add(
        "CONFIG GET repl-diskless-sync-delay",
        "+config|get",
        "a rollback file takes longer",
        false,
    );
    add(
        "CONFIG SET repl-diskless-sync-delay 5",
        "+config|set",
        "a rollback file takes longer",
        false,
    );
    if version.can_pause_writes() {
        add(
            "CLIENT PAUSE 1 WRITE",
            "+client|pause",
            "the role can't be handed over without losing writes",
            true,
        );
        add(
            "CLIENT UNPAUSE",
            "+client|unpause",
            "writes stand still for longer after a handover",
            true,
        );
    } else {
        add(
            "CONFIG SET min-slaves-to-write 0",
            "+config|set",
            "the role can't be handed over without losing writes",
            true,
        );
    }
    if config.sentinel.is_none() {
        add("SLAVEOF NO ONE", "+slaveof", "no role can be given", true);
        add(
            "CONFIG REWRITE",
            "+config|rewrite",
            "a role is gone at the next restart",
            false,
        );
        add(
            "CLIENT KILL TYPE normal",
            "+client|kill",
            "clients of the old master stay where they are",
            false,
        );
        if version.has_functions() {
            add(
                "FUNCTION LOAD REPLACE x",
                "+function|load",
                "two nodes that were both down can't be told apart",
                false,
            );
            add(
                "FCALL_RO keepalived_redis_term 0",
                "+fcall_ro",
                "two nodes that were both down can't be told apart",
                false,
            );
        }
    }
    if config.rollback.mode != RollbackMode::Never {
        add(
            "SYNC",
            "+sync",
            "no rollback file can be taken, and a node with data of its own stays behind",
            true,
        );
        add(
            "REPLCONF capa eof",
            "+replconf",
            "a sentinel may take a copy for a replica",
            false,
        );
    }
    all
}
