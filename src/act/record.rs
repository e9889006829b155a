//! Writing down who has which role: in redis.conf, for the next start; in the data set, as a term;
//! in this node's memory, for its next program. What can't be written is a warning, never a
//! failure.

use std::net::SocketAddr;

use super::trouble::observed;
use super::voice::Voice;
use super::worker::Worker;
use crate::deadline::Deadline;
use crate::decide::pair::Reign;
use crate::decide::pair::reign::{Stamp, next_term};
use crate::decide::view::View;
use crate::node::clock::now;
use crate::node::memory::{Pending, Served, StateFile};
use crate::server::failure::Failure;
use crate::server::info::Observation;
use crate::server::new_role::rewrite_config;
use crate::server::term::{Term, new_id};

/// The nodes whose redis.conf does not have their role: it is gone at the next restart (R10).
#[must_use]
pub(crate) struct Unwritten(Vec<(SocketAddr, Failure)>);

impl Unwritten {
    pub(crate) fn warn(&self, voice: &Voice) {
        for (node, failure) in &self.0 {
            voice.warn(format_args!(
                "CONFIG REWRITE on {node}: {failure}; its role will not survive a restart"
            ));
        }
    }
}

/// `CONFIG REWRITE` on each of `nodes`.
pub(crate) fn rewrite(worker: &mut Worker, nodes: &[SocketAddr]) -> Unwritten {
    let command = worker.config.timing.command;
    let mut rewrite = |node: SocketAddr| {
        worker
            .survey
            .node(node)
            .and_then(|server| rewrite_config(server, command))
    };
    let unwritten = nodes
        .iter()
        .filter_map(|node| Some((*node, rewrite(*node).err()?)));
    Unwritten(unwritten.collect())
}

/// `master`, the local Redis or another one, has just become master and makes the history `replid`;
/// `changed` are the nodes that have a new role.
pub(crate) fn new_master(
    worker: &mut Worker,
    view: &View,
    reign: Reign,
    master: SocketAddr,
    replid: &str,
    changed: &[SocketAddr],
) -> Unwritten {
    let is_local = master == worker.local;
    // Before it is remembered that the local Redis serves: whoever finds that but no term takes the
    // reign for a sure one.
    write_term_of(worker, view, reign, master, replid);
    if is_local && let Some(seen) = view.local.up() {
        remember_served(worker, &seen.run_id, replid);
    }
    let unwritten = rewrite(worker, changed);
    if is_local {
        settle(worker, replid);
    } else {
        forget_served(worker);
    }
    unwritten
}

/// Writes a new term into `node`, which is master and makes the history that it has in `view`.
pub(crate) fn write_term(worker: &mut Worker, view: &View, reign: Reign, node: SocketAddr) {
    if let Ok(seen) = observed(view, node) {
        let replid = seen.replication.lineage.replid.clone();
        write_term_of(worker, view, reign, node, &replid);
    }
}

/// Writes a new term into `node`, which has just become master and makes the history `replid`.
pub(crate) fn write_term_of(
    worker: &mut Worker,
    view: &View,
    reign: Reign,
    node: SocketAddr,
    replid: &str,
) {
    let stamp = Stamp {
        id: new_id(),
        at: now(),
    };
    let term = next_term(view, reign, node, replid, stamp);
    put_term(worker, view, node, term);
}

/// Writes `term` into `node`, a master. Where the local Redis refuses it, check_redis tries again:
/// until it stands two cold nodes may not be told apart.
pub(crate) fn put_term(worker: &mut Worker, view: &View, node: SocketAddr, term: Term) {
    let command = worker.config.timing.command;
    let Ok(seen) = observed(view, node) else {
        return;
    };
    let is_local = node == worker.local;
    if is_local {
        let pending = Pending {
            term: term.clone(),
            run_id: seen.run_id.clone(),
        };
        remembered(worker, worker.store.set(&pending));
    }
    let written = worker
        .survey
        .node(node)
        .and_then(|server| server.write_term(&term, seen.version, Deadline::after(command)));
    match written {
        Ok(_) if is_local => remembered(worker, worker.store.clear::<Pending>()),
        Ok(_) => {}
        Err(failure) => {
            let next = if is_local {
                "check_redis --eligible tries again each second"
            } else {
                "going on without"
            };
            worker.voice.warn(format_args!(
                "writing term {} into {node}: {failure}; {next}",
                term.numbers()
            ));
        }
    }
}

/// Remembers that the local Redis serves in its present run.
pub(crate) fn remember_served(worker: &Worker, run_id: &str, replid: &str) {
    remembered(worker, worker.store.set_served(run_id, replid));
}

/// Remembers that the local Redis is no longer the one that serves.
pub(crate) fn forget_served(worker: &Worker) {
    remembered(worker, worker.store.clear::<Served>());
}

/// Remembers that `local` has all that `peer` has.
pub(crate) fn remember_synced(worker: &Worker, local: &Observation, peer: SocketAddr) {
    let (run_id, replid) = (&local.run_id, &local.replication.lineage.replid);
    remembered(worker, worker.store.set_synced(run_id, replid, peer));
}

fn remembered(worker: &Worker, written: std::io::Result<()>) {
    if let Err(error) = written {
        worker.voice.warn(format_args!("{error}; going on without"));
    }
}

/// All that there is to write down of the history `replid`, which the local Redis makes, has been.
pub(crate) fn settle(worker: &Worker, replid: &str) {
    // Where it can't be remembered it is done again the next time.
    let _ = worker.store.set_note(StateFile::Settled, replid);
}

pub(crate) fn is_settled(worker: &Worker, view: &View) -> bool {
    let Some(seen) = view.local.up() else {
        return false;
    };
    let settled = worker
        .store
        .note(StateFile::Settled)
        .is_some_and(|replid| replid == seen.replication.lineage.replid);
    settled && view.served_this_run(seen)
}
