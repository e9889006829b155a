//! What to do, given what was seen and what is remembered. Pure: no connection, no clock, no file.
//!
//! Every program asks here and none decides on its own, so that two nodes that look at the same pair answer alike.

use std::net::SocketAddr;
use std::time::Duration;

use crate::info::{Following, Observation};
use crate::lineage::{Relation, compare};
use crate::memory::Memory;
use crate::server::Failure;

/// One node, as it was seen a moment ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its address in `nodes`.
    pub address: SocketAddr,
    /// What it said, or why it said nothing usable.
    pub seen: Result<Observation, Failure>,
}

impl Node {
    fn up(&self) -> Option<&Observation> {
        self.seen.as_ref().ok()
    }

    fn master(&self) -> Option<&Observation> {
        self.up().filter(|seen| seen.is_master() && !seen.loading)
    }
}

/// Where the virtual address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vip {
    /// On an interface of this machine.
    Here,
    /// The Redis that answers on it is this node's.
    At(SocketAddr),
    /// Nobody answers on it, or nobody that we know.
    Unknown,
}

/// Everything that a decision may rest on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// This machine's Redis.
    pub local: Node,
    /// The others, in order of preference.
    pub peers: Vec<Node>,
    /// The virtual address.
    pub vip: Vip,
    /// What this node remembers.
    pub memory: Memory,
    /// For how long no peer has answered, without a break.
    pub alone_for: Duration,
    /// `timing.alone_after`.
    pub alone_after: Duration,
    /// `policy.max_lag`, bytes.
    pub max_lag: u64,
}

/// What this node's data is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Master, by our own doing and this run of Redis, and no peer was promoted after it.
    Serving,
    /// Has all that the serving peer has, or had when the peer went away.
    InSync,
    /// A peer has more.
    Behind,
    /// Nobody is there to compare with, and nothing is remembered of this run.
    Unknown,
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Standing::Serving => "serving",
            Standing::InSync => "in sync",
            Standing::Behind => "behind",
            Standing::Unknown => "unknown",
        })
    }
}

/// May this node take the VIP?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eligibility {
    /// Yes, as far as the data goes.
    pub eligible: bool,
    /// Why.
    pub standing: Standing,
    /// The same for a person.
    pub why: String,
}

/// The next step. `why` is a sentence for the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// What was wanted is so.
    Done(String),
    /// Nothing can be done now; look again.
    Wait(String),
    /// The same, while the local Redis must not take writes: it may be old, and clients already reach it.
    Hold(String),
    /// Make the local Redis master.
    Promote(String),
    /// Move the role from the serving peer to the local Redis, which is in sync with it.
    TakeOver(SocketAddr, String),
    /// Move the role from the local Redis to the peer that holds the VIP, because nobody else does.
    GiveUp(SocketAddr, String),
    /// Make the peer master: there is none, and its data is the better.
    Raise(SocketAddr, String),
    /// Make the local Redis a replica of the peer.
    Follow {
        /// The peer.
        peer: SocketAddr,
        /// The local data is provably contained in the peer's. Otherwise it is kept in a rollback file first.
        contained: bool,
        /// Bytes past the fork that only the local Redis has, where the ids tell.
        diverged: Option<u64>,
        /// Why.
        why: String,
    },
    /// Not this node's business.
    Refuse(String),
}

impl View {
    fn masters(&self) -> impl Iterator<Item = (SocketAddr, &Observation)> {
        self.peers.iter().filter_map(|node| node.master().map(|seen| (node.address, seen)))
    }

    /// The peer that is master; where there are several, the one that holds the VIP.
    pub fn serving_peer(&self) -> Option<(SocketAddr, &Observation)> {
        self.masters().find(|(address, _)| self.vip == Vip::At(*address)).or_else(|| self.masters().next())
    }

    fn reachable(&self) -> impl Iterator<Item = (SocketAddr, &Observation)> {
        self.peers.iter().filter_map(|node| node.up().map(|seen| (node.address, seen)))
    }

    fn served_this_run(&self, local: &Observation) -> bool {
        self.memory.served.as_ref().is_some_and(|served| served.run_id == local.run_id)
    }

    fn synced_this_run(&self, local: &Observation) -> bool {
        let replid = &local.replication.lineage.replid;
        self.memory.synced.as_ref().is_some_and(|s| s.run_id == local.run_id && s.replid == *replid)
            && local.following().is_none_or(|f| !f.syncing)
    }

    fn is_alone(&self) -> bool {
        self.alone_for >= self.alone_after
    }

    fn waits_alone(&self) -> String {
        format!(
            "no peer answers, and nothing is known of the worth of the local data; alone for {} s of {} s",
            self.alone_for.as_secs(),
            self.alone_after.as_secs()
        )
    }
}

/// Is a replica as far as its serving peer? `Err` says what is missing. `master` was observed before or together with
/// `replica`, so that an equal offset proves it (R2).
pub fn in_sync(replica: &Observation, master: &Observation, max_lag: u64) -> Result<(), String> {
    let Some(following) = replica.following() else { return Err("it is no replica".to_string()) };
    if following.syncing || replica.loading {
        return Err(match following.synced_percent {
            Some(percent) => format!("a full copy is being received, {percent} %"),
            None => "a full copy is being received".to_string(),
        });
    }
    if !following.link_up {
        return Err("its link to the master is down".to_string());
    }
    let (mine, theirs) = (&replica.replication.lineage, &master.replication.lineage);
    if mine.replid != theirs.replid {
        return Err("its history is not yet the master's".to_string());
    }
    match u64::try_from(theirs.offset - mine.offset).unwrap_or(0) {
        lag if lag > max_lag => Err(format!("{lag} bytes behind the master, {max_lag} are allowed")),
        _ => Ok(()),
    }
}

/// Is the local data the worse one, beside a peer that is master or could be? With the reason.
///
/// Where the ids say nothing, an empty data set never wins over one with keys, then a Redis that has served in this
/// run wins over one of which nothing is known.
fn loses_to(view: &View, local: &Observation, address: SocketAddr, peer: &Observation) -> Option<String> {
    match (local.keys, peer.keys) {
        (0, keys) if keys > 0 => return Some(format!("the local Redis is empty and {address} has {keys} keys")),
        // Two empty ones: VRRP's choice stands.
        (_, 0) => return None,
        _ => {}
    }
    let shared = peer.replication.lineage.second_offset;
    match compare(&local.replication.lineage, &peer.replication.lineage) {
        Relation::Equal | Relation::Ahead(_) => None,
        Relation::Behind(bytes) if peer.replication.lineage.replid != local.replication.lineage.replid => {
            Some(format!("{address} was promoted out of our history at offset {shared} and holds {bytes} bytes more"))
        }
        Relation::Behind(bytes) => Some(format!("{address} has {bytes} bytes more of the same history")),
        Relation::Diverged { local, peer } if peer > local => {
            Some(format!("{address} has {peer} bytes past the fork of our histories, the local Redis {local}"))
        }
        Relation::Diverged { .. } => None,
        Relation::Unrelated if view.served_this_run(local) || view.synced_this_run(local) => None,
        Relation::Unrelated if !peer.is_master() => None,
        Relation::Unrelated => {
            Some(format!("{address} is master and nothing is known of the local data since its restart"))
        }
    }
}

fn follow(local: &Observation, address: SocketAddr, peer: &Observation, why: String) -> Step {
    let relation = compare(&local.replication.lineage, &peer.replication.lineage);
    let diverged = match relation {
        Relation::Ahead(bytes) | Relation::Diverged { local: bytes, .. } => Some(bytes),
        Relation::Equal | Relation::Behind(_) => Some(0),
        Relation::Unrelated => None,
    };
    Step::Follow { peer: address, contained: local.keys == 0 || relation.may_follow(), diverged, why }
}

/// The next step of `redis_master`: this node has been given the VIP.
pub fn serve(view: &View) -> Step {
    if let Vip::At(holder) = view.vip {
        return Step::Refuse(format!("the VIP is at {holder}, and keepalived decides who holds it"));
    }
    let local = match &view.local.seen {
        Ok(local) if local.loading => return Step::Wait("the local Redis is loading its data".to_string()),
        Ok(local) => local,
        Err(failure) => return Step::Wait(format!("the local Redis at {}: {failure}", view.local.address)),
    };
    match local.following() {
        None => serve_as_master(view, local),
        Some(following) => serve_from_replica(view, local, following),
    }
}

fn serve_as_master(view: &View, local: &Observation) -> Step {
    if let Some((address, peer)) = view.serving_peer() {
        return match loses_to(view, local, address, peer) {
            Some(why) => follow(local, address, peer, why),
            None => Step::Done(format!("master already; {address} is one too and has to follow")),
        };
    }
    if view.served_this_run(local) {
        return Step::Done("master already".to_string());
    }
    // A Redis that has restarted as master by itself, or that a person made master.
    let mut better =
        view.reachable().filter_map(|(address, peer)| Some((address, loses_to(view, local, address, peer)?)));
    if let Some((address, why)) = better.next() {
        return Step::Raise(address, why);
    }
    match view.reachable().next() {
        Some(_) => Step::Done("master already".to_string()),
        None if view.is_alone() => Step::Done("master already, and no peer has answered for long enough".to_string()),
        None => Step::Hold(view.waits_alone()),
    }
}

fn serve_from_replica(view: &View, local: &Observation, following: &Following) -> Step {
    if let Some((address, peer)) = view.serving_peer() {
        if local.follows(address) {
            return match in_sync(local, peer, view.max_lag) {
                Ok(()) => Step::TakeOver(address, format!("in sync with {address}")),
                Err(missing) => Step::Wait(missing),
            };
        }
        let now = format!("it follows {}:{} and the master is {address}", following.host, following.port);
        // An empty master must not wipe us: it is the one to follow.
        return match (peer.keys, local.keys) {
            (0, keys) if keys > 0 => Step::Promote(format!("{address} is master but empty, and we have {keys} keys")),
            _ => follow(local, address, peer, now),
        };
    }
    let mut better =
        view.reachable().filter_map(|(address, peer)| Some((address, loses_to(view, local, address, peer)?)));
    if let Some((address, why)) = better.next() {
        return Step::Raise(address, why);
    }
    if view.reachable().next().is_some() {
        return Step::Promote("no node is master, and none has newer data".to_string());
    }
    if view.synced_this_run(local) {
        return Step::Promote("in sync when the master went away".to_string());
    }
    if view.is_alone() { Step::Promote(view.waits_alone()) } else { Step::Wait(view.waits_alone()) }
}

/// The next step of `redis_backup` and `redis_fault`: this node does not hold the VIP. `waited` is for how long the
/// program has seen the pair as it is now; `grace` is how long it leaves a step to the other node's program.
pub fn yield_role(view: &View, waited: Duration, grace: Duration) -> Step {
    let local = match &view.local.seen {
        Ok(local) if local.loading => return Step::Wait("the local Redis is loading its data".to_string()),
        Ok(local) => local,
        Err(failure) => return Step::Wait(format!("the local Redis at {}: {failure}", view.local.address)),
    };
    let Some((address, peer)) = view.serving_peer() else {
        return without_a_serving_peer(view, local, waited, grace);
    };
    let serves = view.vip == Vip::At(address);
    if local.follows(address) {
        return match in_sync(local, peer, view.max_lag) {
            Ok(()) => Step::Done(format!("replica of {address}, in sync")),
            Err(missing) => {
                let link_up = local.following().is_some_and(|following| following.link_up || following.syncing);
                let hint = if !link_up && waited >= grace { " (is masterauth right on this node?)" } else { "" };
                Step::Wait(format!("replica of {address}: {missing}{hint}"))
            }
        };
    }
    if let Some(following) = local.following() {
        let now = format!("it follows {}:{} and the master is {address}", following.host, following.port);
        if peer.keys == 0 && local.keys > 0 && waited < grace {
            return Step::Wait(format!("{now}, which is empty"));
        }
        return follow(local, address, peer, now);
    }
    // Two masters. The holder of the VIP decides who stands; its program has the grace to follow us.
    if !serves {
        return Step::Wait(format!("{address} is master too; waiting for one of us to hold the VIP"));
    }
    let relation = compare(&local.replication.lineage, &peer.replication.lineage);
    if relation.may_follow() || local.keys == 0 || waited >= grace {
        return follow(local, address, peer, format!("{address} serves"));
    }
    Step::Wait(format!("{address} serves; leaving it the time to see our data"))
}

fn without_a_serving_peer(view: &View, local: &Observation, waited: Duration, grace: Duration) -> Step {
    if !local.is_master() {
        return Step::Wait("no node is master; the one that gets the VIP will be".to_string());
    }
    let Vip::At(holder) = view.vip else {
        return Step::Wait("no other node serves; keeping the data as it is".to_string());
    };
    match view.reachable().find(|(address, _)| *address == holder) {
        Some((_, peer)) if peer.follows(view.local.address) && in_sync(peer, local, view.max_lag).is_ok() => {
            if waited >= grace {
                Step::GiveUp(holder, format!("{holder} holds the VIP and its redis_master does not take the role"))
            } else {
                Step::Wait(format!("{holder} holds the VIP and takes the role"))
            }
        }
        _ => Step::Wait(format!("{holder} holds the VIP and is not ready for the role")),
    }
}

/// May this node take the VIP, or is its data behind? Not eligible lowers the priority and no more: a node that is
/// behind is still taken when nothing better lives.
pub fn eligibility(view: &View) -> Eligibility {
    let (eligible, standing, why) = judge(view);
    Eligibility { eligible, standing, why }
}

fn judge(view: &View) -> (bool, Standing, String) {
    let local = match &view.local.seen {
        Ok(local) if local.loading => return (false, Standing::Unknown, "the local Redis is loading its data".into()),
        Ok(local) => local,
        Err(failure) => return (false, Standing::Unknown, format!("the local Redis: {failure}")),
    };
    if let Some((address, peer)) = view.serving_peer() {
        if local.follows(address) {
            return match in_sync(local, peer, view.max_lag) {
                Ok(()) => (true, Standing::InSync, format!("in sync with {address}")),
                Err(missing) => (false, Standing::Behind, missing),
            };
        }
        return match loses_to(view, local, address, peer) {
            Some(why) => (false, Standing::Behind, why),
            None if local.is_master() => (true, Standing::Serving, format!("master, and {address} has no more")),
            None => (false, Standing::Behind, format!("a replica, but not of {address}, which is master")),
        };
    }
    if let Some((_, why)) =
        view.reachable().find_map(|(address, peer)| Some((address, loses_to(view, local, address, peer)?)))
    {
        return (false, Standing::Behind, why);
    }
    if local.is_master() && view.served_this_run(local) {
        return (true, Standing::Serving, "master".into());
    }
    if view.reachable().next().is_some() {
        return (true, Standing::InSync, "no other node has newer data".into());
    }
    if view.synced_this_run(local) {
        return (true, Standing::InSync, "in sync when the master went away".into());
    }
    (view.is_alone(), Standing::Unknown, view.waits_alone())
}

/// Is the local Redis in a role that going through FAULT repairs? The sentence says what is wrong.
///
/// Only where another node serves, or where this node's own program is missing: a check that fails on both nodes
/// leaves the VIP nowhere. `at_work` is whether a program for the newest notification is still at it.
pub fn wrong_role(view: &View, at_work: bool) -> Option<String> {
    let local = view.local.up()?;
    if at_work {
        return None;
    }
    if view.vip == Vip::Here {
        let following = local.following()?;
        return Some(format!(
            "this node holds the VIP, its Redis is a replica of {}:{}, and no redis_master is at work",
            following.host, following.port
        ));
    }
    let (address, _) = view.serving_peer().filter(|(address, _)| view.vip == Vip::At(*address))?;
    match local.following() {
        None => Some(format!("the local Redis is a lone master and {address} serves")),
        Some(_) if view.peers.iter().any(|peer| local.follows(peer.address)) => None,
        Some(following) => Some(format!(
            "the local Redis follows {}:{}, which is no other node, and {address} serves",
            following.host, following.port
        )),
    }
}
