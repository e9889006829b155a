//! What must be so: which writes were acknowledged, where they are, and what the pair has done that
//! it must not.

use super::data::{Millis, Writes};
use super::setup::Boot;
use super::vrrp::Vrrp;
use super::world::{Contact, TICK, World, address};
use crate::decide::lineage::{Relation, compare};

/// Programs and checks need this long to notice that a node is behind, and to act.
const NOTICE: Millis = 4000;
/// What was decided a moment after two nodes had found each other rests on looks from before.
const JUST: Millis = 2000;
/// Two nodes are compared this often.
const COMPARE: Millis = 5 * TICK;

/// Who made a Redis lose data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// It was not on the disk.
    TheDisk,
    /// A replica took what its restarted master had left (R8).
    RedisItself,
    AProgram,
}

#[derive(Default)]
pub struct Ledger {
    pub telling: bool,
    pub story: Vec<String>,
    pub next_write: u32,
    pub acked: Writes,
    /// Gone with a disk; no program can help it.
    pub excused: Writes,
    /// In rollback files.
    pub files: Writes,
    pub file_count: u32,
    pub violations: Vec<String>,
    /// When the VIP came to which node.
    pub moves: Vec<(Millis, usize)>,
    /// How often a node became eligible, or ceased to be.
    pub flips: usize,
    /// When a Redis became or ceased to be master.
    pub roles: Vec<Millis>,
    pub last_ack: Millis,
    /// Times without an acknowledged write of more than a second: from, to.
    pub outages: Vec<(Millis, Millis)>,
    /// The first is an ancestor of the second, which it can reach; and since when it takes writes
    /// all the same.
    behind: [[Option<Option<Millis>>; 3]; 3],
    /// When the first could not reach the second last.
    pub apart: [[Millis; 3]; 3],
    /// Writes that were nowhere else when a file was taken.
    pub only_in_files: u64,
}

impl Ledger {
    pub fn new(telling: bool) -> Ledger {
        Ledger {
            telling,
            ..Ledger::default()
        }
    }
}

impl World {
    pub fn violation(&mut self, what: String) {
        self.tell(|| format!("VIOLATION: {what}"));
        let now = self.now / 1000;
        self.ledger
            .violations
            .push(format!("after {now} s: {what}"));
    }

    pub(super) fn acknowledged(&mut self, node: usize, write: u32) {
        let now = self.now;
        self.ledger.acked.add(write);
        let last = std::mem::replace(&mut self.ledger.last_ack, now);
        if now > last + 1000 {
            self.ledger.outages.push((last, now));
            self.tell(|| {
                format!(
                    "node {node}: clients write, after {} ms without",
                    now - last
                )
            });
        }
        for other in 0..self.nodes.len() {
            // It could not know better when it was promoted, or is about to wipe its own replica
            // (R8).
            let (since, apart) = (
                self.nodes[node].redis.master_since,
                self.ledger.apart[node][other],
            );
            let alone = (apart..apart + JUST).contains(&since);
            let wipes = self.setup.boot == Boot::AsConfigured
                && self.nodes[other].redis.of == Some(address(node));
            if alone || wipes {
                continue;
            }
            let theirs = &self.nodes[other].redis.data.writes;
            let Some(behind) = &mut self.ledger.behind[node][other] else {
                continue;
            };
            if theirs.is_within(&self.nodes[node].redis.data.writes) {
                self.ledger.behind[node][other] = None;
                continue;
            }
            let first = *behind.get_or_insert(now);
            // It can have the VIP only when it is out of FAULT.
            if self.nodes[other].keepalived.state == Vrrp::Fault {
                *behind = Some(now);
                continue;
            }
            if now >= first + NOTICE {
                self.ledger.behind[node][other] = None;
                let (mut theirs, mut mine) =
                    (theirs.clone(), self.nodes[node].redis.data.writes.clone());
                theirs.remove_all(&self.nodes[node].redis.data.writes);
                mine.remove_all(&self.nodes[other].redis.data.writes);
                // By now it has more that is its own.
                if theirs.len() <= mine.len() {
                    continue;
                }
                self.violation(format!(
                    "behind: node {node} has taken writes for {} s, while node {other}, which it \
                     can reach, has writes \
                     that it lacks, and had lacked none",
                    (now - first) / 1000
                ));
            }
        }
    }

    /// The data of `node` was replaced; `before` is what it had.
    pub(super) fn dropped(&mut self, node: usize, before: Writes, by: By) {
        let mut lost = before;
        for other in &self.nodes {
            lost.remove_all(&other.redis.data.writes);
        }
        lost.remove_all(&self.ledger.files);
        lost.remove_all(&self.ledger.excused);
        lost.keep_only(&self.ledger.acked);
        if lost.is_empty() {
            return;
        }
        match by {
            By::TheDisk | By::RedisItself => {
                self.tell(|| format!("node {node}: {} are gone by {by:?}", lost.named()));
                self.ledger.excused.add_all(&lost);
            }
            By::AProgram => {
                self.ledger.excused.add_all(&lost);
                self.violation(format!(
                    "lost: node {node} drops the last copy of {} and no file has them",
                    lost.named()
                ));
            }
        }
    }

    /// A rollback file of `node` is there.
    pub fn kept(&mut self, node: usize, writes: &Writes) {
        let mut only_there = writes.clone();
        for (index, other) in self.nodes.iter().enumerate() {
            if index != node {
                only_there.remove_all(&other.redis.data.writes);
            }
        }
        self.tell(|| {
            format!(
                "node {node}: a rollback file, with {} that nobody else has",
                only_there.named()
            )
        });
        self.ledger.only_in_files += only_there.len();
        self.ledger.files.add_all(writes);
        self.ledger.file_count += 1;
    }

    /// Who is an ancestor of whom.
    pub(super) fn judge(&mut self) {
        if !self.now.is_multiple_of(COMPARE) {
            return;
        }
        // VRRP has no answer where not everybody hears everybody.
        let cut = |wire: &super::world::Wire| wire.is_cut_for_redis();
        let split = self.wires.iter().flatten().any(cut) && self.nodes.len() > 2;
        let lossy = self.wires.iter().flatten().any(|wire| wire.lossy);
        for a in 0..self.nodes.len() {
            for b in (0..self.nodes.len()).filter(|b| *b != a) {
                let (mine, theirs) = (&self.nodes[a].redis, &self.nodes[b].redis);
                let reachable = self.nodes[a].lives()
                    && self.contact(a, b) == Contact::Answers
                    && !lossy
                    && self.now >= theirs.busy_until
                    && mine.running
                    && !mine.hung
                    && !theirs.is_loading(self.now);
                let reachable = reachable && !split;
                if !reachable {
                    self.ledger.apart[a][b] = self.now;
                }
                let has_more = reachable
                    && self.can_tell(a, b)
                    && !theirs.data.writes.is_within(&mine.data.writes);
                self.ledger.behind[a][b] = match self.ledger.behind[a][b] {
                    _ if !has_more => None,
                    Some(Some(first)) => Some(Some(first)),
                    _ if mine.data.writes.is_within(&theirs.data.writes) => Some(None),
                    _ => None,
                };
            }
        }
    }

    /// The ids relate the data of `a` to that of `b`, or the terms say that `b` has the later:
    /// nobody can know more.
    fn can_tell(&self, a: usize, b: usize) -> bool {
        let (mine, theirs) = (self.observe(a), self.observe(b));
        compare(&mine.replication.lineage, &theirs.replication.lineage) != Relation::Unrelated
            || matches!(
                (mine.term, theirs.term),
                (Some(mine), Some(theirs)) if mine.sure < theirs.sure
            )
    }

    /// After the repair: one master, at the VIP, the others in sync with it, and all writes in it
    /// or in a file.
    pub fn settled(&mut self, quiet: Millis) {
        let holders: Vec<usize> = (0..self.nodes.len())
            .filter(|node| self.nodes[*node].keepalived.vip)
            .collect();
        let [holder] = holders[..] else {
            return self.violation(format!("unsettled: the VIP is at {holders:?}"));
        };
        let master = &self.nodes[holder].redis;
        if !master.is_master() {
            return self.violation(format!(
                "unsettled: node {holder} holds the VIP with a replica"
            ));
        }
        let data = master.data.writes.clone();
        let replid = master.replid;
        for node in (0..self.nodes.len()).filter(|node| *node != holder) {
            let other = &self.nodes[node].redis;
            if other.of != Some(address(holder)) || !other.link_is_up() || other.replid != replid {
                self.violation(format!(
                    "unsettled: node {node} is no replica in sync with node {holder}"
                ));
            }
        }
        let mut missing = self.ledger.acked.clone();
        for gone in [&data, &self.ledger.files, &self.ledger.excused] {
            missing.remove_all(gone);
        }
        if !missing.is_empty() {
            self.violation(format!(
                "lost: {} are neither in node {holder} nor in a file",
                missing.named()
            ));
        }
        let since = self.now - quiet;
        let moves = self
            .ledger
            .moves
            .iter()
            .filter(|(at, _)| *at >= since)
            .count();
        let roles = self.ledger.roles.iter().filter(|at| **at >= since).count();
        if moves + roles > 0 {
            self.violation(format!(
                "restless: {moves} moves of the VIP and {roles} of the role in the last {quiet} ms"
            ));
        }
        if self
            .ledger
            .outages
            .last()
            .is_some_and(|(_, to)| *to >= since)
            || self.ledger.last_ack + 1000 < self.now
        {
            self.violation(format!(
                "unsettled: writes stood still in the last {quiet} ms"
            ));
        }
    }
}
