//! Sentinel mode: what the sentinels' words are worth, and what follows from them. Pure.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::info::Observation;
use crate::plan::{Node, Vip};
use crate::server::Failure;

/// A sentinel asks a living master once a second (more often with a short `down-after`): one that has not been heard
/// for longer by any of them answers nobody.
const UNHEARD: Duration = Duration::from_millis(1500);
/// Two looks are always further apart than this.
const SECOND_LOOK: Duration = Duration::from_millis(10);
/// A node that Sentinel calls master, and that is none, or that not all sentinels call so: they settle that within about
/// two seconds, or not for long.
const NO_MASTER: Duration = Duration::from_secs(3);
/// What one sentinel does on its own the others know after this at the latest (R35).
const MADE_KNOWN: Duration = Duration::from_millis(2000);
/// A failover of their own that does not come: they wait for twice `failover-timeout` after the last one, six minutes.
const PATIENCE: Duration = Duration::from_secs(10);
/// For each node before this one that is not seen: what it may have begun is known to all by then.
const RIVAL: Duration = Duration::from_secs(3);
/// A replica that lags keeps a planned move waiting for so long; then Sentinel's own view has to say that it would not
/// choose that one.
const LAGGARD: Duration = Duration::from_secs(5);
/// What a sentinel knows of the offsets is ten seconds old at most, and one second once it holds the master for down.
const STALE: Duration = Duration::from_secs(11);

/// What one sentinel said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The node that it calls master.
    pub master: SocketAddr,
    /// It is moving the role at this moment.
    pub failing_over: bool,
    /// How long ago the master answered it; `None` where it does not say.
    pub heard: Option<Duration>,
    /// It holds the master for down.
    pub down: bool,
    /// Its `down-after-milliseconds`: it will, when the master has been silent for so long.
    pub down_after: Duration,
}

/// What a sentinel knows of a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The replica.
    pub address: SocketAddr,
    /// Connected, and not held for down.
    pub reachable: bool,
    /// How long ago it answered.
    pub heard: Option<Duration>,
    /// How old is what is known of its priority and offset.
    pub looked_at: Option<Duration>,
    /// For how long its link to the master has been down.
    pub link_down: Duration,
    /// The sentinel's `down-after-milliseconds`.
    pub down_after: Duration,
    /// `replica-priority`; 0 is never promoted, less comes first.
    pub priority: u32,
    /// Bytes of the stream that it had at that time.
    pub offset: i64,
    /// Decides where all else is equal.
    pub run_id: String,
}

/// The words of all sentinels at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// Each sentinel, and what it said or why it said nothing usable.
    pub words: Vec<(SocketAddr, Result<Word, Failure>)>,
    /// How many were asked.
    pub asked: usize,
    /// So many have to name a node.
    pub quorum: usize,
}

/// What a poll comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// At least a quorum name this node.
    Node(SocketAddr),
    /// A quorum answered, and does not agree: a switch is being made known.
    Nobody,
    /// Fewer than a quorum answered.
    Silent,
}

impl Poll {
    /// Nobody answers.
    pub fn silence(asked: usize, quorum: usize) -> Poll {
        Poll { words: Vec::new(), asked, quorum }
    }

    /// Who is master by their word.
    pub fn named(&self) -> Named {
        let named = self.said().find(|(_, word)| self.count(word.master) >= self.quorum);
        match named {
            Some((_, word)) => Named::Node(word.master),
            None if self.answered() >= self.quorum => Named::Nobody,
            None => Named::Silent,
        }
    }

    /// How many gave a usable answer.
    pub fn answered(&self) -> usize {
        self.said().count()
    }

    /// The sentinels that name `node`.
    pub fn naming(&self, node: SocketAddr) -> impl Iterator<Item = SocketAddr> {
        self.said().filter(move |(_, word)| word.master == node).map(|(sentinel, _)| sentinel)
    }

    /// Enough of them to begin a failover: one sentinel does it without asking the others, so one that is cut off from
    /// them must not be told to. Their own failovers need as many.
    pub fn may_act(&self) -> bool {
        self.answered() >= self.quorum.max(self.asked / 2 + 1)
    }

    fn count(&self, node: SocketAddr) -> usize {
        self.naming(node).count()
    }

    fn said(&self) -> impl Iterator<Item = (SocketAddr, &Word)> {
        self.words.iter().filter_map(|(sentinel, word)| word.as_ref().ok().map(|word| (*sentinel, word)))
    }

    fn is_failing_over(&self) -> bool {
        self.said().any(|(_, word)| word.failing_over)
    }

    /// None of those who name it has heard `node` of late.
    pub fn is_unheard(&self, node: SocketAddr) -> bool {
        let mut naming = self.said().filter(|(_, word)| word.master == node);
        // Nothing is known of one that was named a moment ago, and a new connection to it may not stand yet.
        naming.all(|(_, word)| word.down || word.heard.is_some_and(|heard| heard > UNHEARD))
    }

    /// They are about to replace `node`, which is dead, by themselves. A failover that is asked for beside theirs has the
    /// same epoch, and of two nodes that are promoted one is demoted at once (R32).
    fn is_contested(&self, node: SocketAddr) -> bool {
        let mut naming = self.said().filter(|(_, word)| word.master == node);
        naming.any(|(_, word)| {
            let soon = word.heard.is_some_and(|heard| word.down_after.saturating_sub(heard) < MADE_KNOWN);
            word.down || soon
        })
    }
}

impl fmt::Display for Poll {
    /// `2 of 3 sentinels name 192.168.158.11:6379, 1 is silent`, the most words first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut nodes: Vec<SocketAddr> = self.said().map(|(_, word)| word.master).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes.sort_by_key(|node| std::cmp::Reverse(self.count(*node)));
        let asked = self.asked;
        if nodes.is_empty() {
            return write!(f, "none of {asked} sentinels answers");
        }
        for (index, node) in nodes.iter().enumerate() {
            let count = self.count(*node);
            match index {
                0 => write!(f, "{count} of {asked} sentinels name {node}")?,
                _ => write!(f, ", {count} {node}")?,
            }
        }
        match asked - self.answered() {
            0 => Ok(()),
            silent => write!(f, ", {silent} silent"),
        }
    }
}

/// What is seen in Sentinel mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// This machine's Redis.
    pub local: Node,
    /// The others.
    pub peers: Vec<Node>,
    /// All nodes, in order of preference.
    pub order: Vec<SocketAddr>,
    /// The virtual address.
    pub vip: Vip,
    /// The sentinels.
    pub poll: Poll,
}

/// May this node hold the VIP?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Yes or no; `None` where only the last answer says it.
    pub eligible: Option<bool>,
    /// Why, for a person.
    pub why: String,
}

/// The next step of `redis_master`. `why` is a sentence for the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The local Redis is master, and Sentinel says so too.
    Done(String),
    /// Nothing can be done now; look again.
    Wait(String),
    /// The same, while the local Redis must not take writes: another one is master, and it would drop them.
    Hold(String),
    /// The master is dead: ask a sentinel to promote a replica now.
    Promote(SocketAddr, String),
    /// The master lives: stop its writes, let the replicas reach it, and ask a sentinel to move the role.
    HandOver(SocketAddr, String),
    /// Not this node's business.
    Refuse(String),
}

/// May the node that has the Redis `local` hold the VIP?
pub fn eligible(address: SocketAddr, local: &Observation, poll: &Poll) -> Standing {
    let no = |why: String| Standing { eligible: Some(false), why };
    if local.loading {
        return no("loading its data".to_string());
    }
    if let Some(following) = local.following() {
        return no(format!("a replica of {}:{}; {poll}", following.host, following.port));
    }
    match poll.named() {
        Named::Node(node) if node == address => Standing { eligible: Some(true), why: format!("master; {poll}") },
        // It was restarted, or cut off, and Sentinel makes it a replica some seconds later (R22).
        Named::Node(_) => no(format!("master, but not by Sentinel's word: {poll}")),
        Named::Nobody | Named::Silent => Standing { eligible: None, why: format!("master; {poll}") },
    }
}

/// The next step of `redis_master`: this node has been given the VIP. `waited` is for how long all has been seen as it
/// is now.
pub fn serve(scene: &Scene, waited: Duration) -> Step {
    let (address, poll) = (scene.local.address, &scene.poll);
    if let Vip::At(holder) = scene.vip {
        return Step::Refuse(format!("the VIP is at {holder}, and keepalived decides who holds it"));
    }
    let local = match &scene.local.seen {
        Ok(local) => local,
        Err(failure) => return Step::Wait(format!("the local Redis at {address}: {failure}")),
    };
    let master = match poll.named() {
        Named::Node(node) if node == address && local.is_master() => return Step::Done(format!("master; {poll}")),
        Named::Node(node) if node == address => {
            return Step::Wait(format!("the local Redis is about to become master: {poll}"));
        }
        Named::Node(node) => node,
        Named::Nobody => return Step::Wait(format!("Sentinel has not decided: {poll}")),
        Named::Silent => return Step::Wait(format!("too few sentinels answer: {poll}")),
    };
    if local.is_master() {
        let why = format!("master, but not by Sentinel's word, which makes it a replica soon: {poll}");
        let is_master = |node: &Node| node.address == master && node.seen.as_ref().is_ok_and(Observation::is_master);
        return if scene.peers.iter().any(is_master) { Step::Hold(why) } else { Step::Wait(why) };
    }
    if poll.is_failing_over() {
        return Step::Wait(format!("Sentinel is moving the role: {poll}"));
    }
    if poll.count(master) < poll.answered() && waited < NO_MASTER {
        return Step::Wait(format!("the sentinels do not agree yet: {poll}"));
    }
    if !poll.may_act() {
        return Step::Wait(format!("too few sentinels answer for a failover: {poll}"));
    }
    match scene.peers.iter().find(|node| node.address == master) {
        None => Step::Wait(format!("Sentinel names {master}, which is not one of nodes in the configuration")),
        Some(node) => serve_instead(scene, local, node, waited),
    }
}

/// `master` is what Sentinel names.
fn serve_instead(scene: &Scene, local: &Observation, master: &Node, waited: Duration) -> Step {
    let (poll, address) = (&scene.poll, master.address);
    match &master.seen {
        Ok(seen) if seen.loading => Step::Wait(format!("{address} is loading its data")),
        Ok(seen) if seen.is_master() && local.follows(address) => {
            Step::HandOver(address, format!("the VIP is here, and the master is {address}"))
        }
        Ok(seen) if seen.is_master() => Step::Wait(format!("the local Redis does not follow {address} yet")),
        Ok(_) if is_headless(scene) && waited >= NO_MASTER => {
            Step::Promote(address, format!("{address}, which Sentinel names, is a replica, and nobody is master"))
        }
        Ok(_) => Step::Wait(format!("{address}, which Sentinel names, is a replica")),
        Err(Failure::Denied(denial)) => Step::Wait(format!("{address} is alive, but it says {denial}")),
        Err(failure @ Failure::Tls(_)) => Step::Wait(format!("{address} is alive, but {failure}")),
        Err(failure) if waited < RIVAL.saturating_mul(u32::try_from(rivals(scene, address)).unwrap_or(u32::MAX)) => {
            Step::Wait(format!("{address}: {failure}; a node before this one does not answer, and may be taking over"))
        }
        Err(failure) if poll.is_contested(address) && waited < PATIENCE => {
            Step::Wait(format!("{address}: {failure}; the sentinels are about to replace it by themselves"))
        }
        // Nobody listens there: no proof is needed from anybody else.
        Err(failure @ Failure::Refused) => Step::Promote(address, failure.to_string()),
        Err(failure) if waited < SECOND_LOOK => Step::Wait(format!("{address}: {failure}; looking again")),
        // It may be this node that is cut off from it.
        Err(failure) if poll.is_unheard(address) => {
            Step::Promote(address, format!("{failure}, and no sentinel has heard it of late"))
        }
        Err(failure) => Step::Wait(format!("{address}: {failure} from here, but sentinels hear it")),
    }
}

/// Nodes that come before this one and that it does not see, but for the master: they may hold the VIP as well, and have
/// asked a sentinel of their own, who does not tell the others for a second (R32, R35).
fn rivals(scene: &Scene, master: SocketAddr) -> usize {
    let before = scene.order.iter().take_while(|node| **node != scene.local.address);
    let unseen = |node: &&SocketAddr| {
        let found = scene.peers.iter().find(|peer| peer.address == **node);
        !found.is_some_and(|peer| matches!(peer.seen, Ok(_) | Err(Failure::Denied(_) | Failure::Refused)))
    };
    before.filter(|node| **node != master).filter(unseen).count()
}

fn is_headless(scene: &Scene) -> bool {
    let nodes = std::iter::once(&scene.local).chain(&scene.peers);
    !nodes.filter_map(|node| node.seen.as_ref().ok()).any(Observation::is_master)
}

/// Which replica a sentinel that knows these would promote: the rule of its own `sentinelSelectSlave` (R30). `down`: it
/// holds the master for down.
pub fn choice(candidates: &[Candidate], down: bool) -> Option<&Candidate> {
    const UNHEARD: Duration = Duration::from_secs(5);
    let looked_at = if down { UNHEARD } else { Duration::from_secs(30) };
    let fits = |candidate: &&Candidate| {
        candidate.reachable
            && candidate.priority != 0
            && candidate.heard.is_some_and(|heard| heard <= UNHEARD)
            && candidate.looked_at.is_some_and(|age| age <= looked_at)
            && (down || candidate.link_down <= candidate.down_after.saturating_mul(10))
    };
    candidates
        .iter()
        .filter(fits)
        .min_by_key(|candidate| (candidate.priority, std::cmp::Reverse(candidate.offset), candidate.run_id.as_str()))
}

/// The master is dead, and a sentinel would promote `chosen`: is it the one with most data? `replicas` are those that
/// follow the dead master, each with its offset, and `waited` is for how long that has been so. A sentinel that is asked
/// at once may not know of the last offsets; what the others have more would be dropped silently.
///
/// # Errors
/// Why not, for a person.
pub fn is_best(chosen: SocketAddr, replicas: &[(SocketAddr, i64)], waited: Duration) -> Result<(), String> {
    let Some((_, has)) = replicas.iter().find(|(node, _)| *node == chosen) else {
        // An ex-master that is not yet its replica is one, too, in Sentinel's view (R33).
        return Err(format!("Sentinel would promote {chosen}, which is no replica of it"));
    };
    match replicas.iter().max_by_key(|(_, offset)| offset) {
        Some((best, most)) if most > has && waited < STALE => {
            let less = most.saturating_sub(*has);
            Err(format!(
                "Sentinel would promote {chosen}, which has {less} bytes less than {best}, until it looks again"
            ))
        }
        _ => Ok(()),
    }
}

/// Is nothing lost if a sentinel that would promote `chosen` moves the role now? `reached` are the replicas that have all
/// that the master has, `lagging` those that answer and have not; the writes have been waiting to stop for `waited`.
///
/// # Errors
/// Why not, for a person.
pub fn is_safe(
    chosen: SocketAddr,
    reached: &[SocketAddr],
    lagging: &[SocketAddr],
    waited: Duration,
) -> Result<(), String> {
    if !reached.contains(&chosen) {
        return Err(format!("Sentinel would promote {chosen}, which does not have all data yet"));
    }
    match lagging {
        // What a sentinel knows of offsets may be seconds old, so it may change its mind.
        [first, ..] if waited < LAGGARD => {
            Err(format!("{first} does not have all data yet, and Sentinel may choose it"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
