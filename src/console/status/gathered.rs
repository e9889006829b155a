//! What is seen of a pair at one moment, and what follows from it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Serialize;

use super::journal_tail::tail;
use super::troubles::{lacks, notes, refusals, troubles};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::decide::view::{Node, View, Vip};
use crate::decide::{ability, pair, sentinel};
use crate::look::sentinels::Sentinels;
use crate::look::survey::Survey;
use crate::node::clock::now;
use crate::node::journal::TRANSITIONS;
use crate::node::memory::{Memory, Served, Store};
use crate::node::{deaths, ticket};
use crate::server::failure::Failure;
use crate::server::info::{Copied, Following, Observation};
use crate::terminal::plain;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Gathered {
    /// The pair's name: that of its configuration file.
    pub instance: String,
    /// When it was looked at, in local time.
    pub at: String,
    pub vip: IpAddr,
    /// The node that holds it, as far as can be seen.
    pub vip_at: Option<SocketAddr>,
    /// One master, at the VIP, all others in sync with it, and this node not outdated.
    pub healthy: bool,
    pub troubles: Vec<String>,
    /// What else a person should know.
    pub notes: Vec<String>,
    /// This node is kept out by hand; until when.
    pub drained: Option<String>,
    /// What this node knows that it lacks: it does not serve by itself while that is away.
    pub outdated: Option<String>,
    /// The local Redis died again and again; for so many seconds this node is held back.
    pub held_back_seconds: Option<u64>,
    /// What the sentinels say, where there are some.
    pub sentinels: Option<String>,
    pub nodes: Vec<NodeStatus>,
    /// The last lines of the journal of transitions of this node, the newest last.
    pub transitions: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct NodeStatus {
    /// Its address in `nodes`.
    pub address: SocketAddr,
    pub local: bool,
    /// Its VRRP state: of this node what the last notification said, of another one MASTER where
    /// the VIP is there. Nobody says more of itself.
    pub vrrp: Option<String>,
    pub vip: bool,
    /// Why nothing more is known of it.
    pub failure: Option<String>,
    /// It is alive, and tells this user nothing: a password, a right, a certificate.
    pub refuses: bool,
    /// `master` or `replica`.
    pub role: Option<&'static str>,
    pub follows: Option<String>,
    /// `up`, `down`, or a copy that is under way.
    pub link: Option<String>,
    /// Bytes that the serving master has and it has not yet.
    pub lag_bytes: Option<u64>,
    /// What its data is worth, as seen from here.
    pub standing: Option<String>,
    /// May it take the VIP?
    pub eligible: Option<bool>,
    pub why: Option<String>,
    /// Of Redis; a Valkey says with which Redis it is compatible.
    pub version: Option<String>,
    /// Why it takes no writes, or would take none as master.
    pub refuses_writes: Option<String>,
    /// Of Redis, in seconds.
    pub uptime_seconds: Option<u64>,
    pub keys: Option<u64>,
    pub offset: Option<i64>,
    /// Which reign its data is of.
    pub term: Option<u64>,
}

/// Looks at everything once; `transitions` is for how many lines of the journal.
pub(crate) fn gather(config: &Config, survey: &mut Survey, transitions: usize) -> Gathered {
    let deadline = Deadline::after(config.timing.connect + config.timing.command);
    let mut sentinels = config
        .sentinel
        .as_ref()
        .map(|sentinel| Sentinels::new(sentinel, &config.timing));
    let poll = sentinels.as_mut().map(|sentinels| sentinels.ask(deadline));
    let view = survey.look(
        true,
        Deadline::after(config.timing.connect + config.timing.command),
    );
    let store = Store::new(&config.memory_dir);
    let ticket = ticket::read(&config.memory_dir);
    let forgotten = ticket.is_err();
    let state = ticket.ok().flatten().map(|ticket| ticket.state.to_string());
    let vip_at = match view.vip {
        Vip::Here => Some(view.local.address),
        Vip::At(node) => Some(node),
        Vip::Unknown => None,
    };
    let mut nodes = Vec::new();
    for address in &config.nodes {
        let Some(node) = view.nodes().find(|node| node.address == *address) else {
            continue;
        };
        let local = *address == view.local.address;
        let vip = vip_at == Some(*address);
        let vrrp = if local {
            state.clone()
        } else {
            vip.then(|| "MASTER".to_string())
        };
        let mut status = NodeStatus {
            local,
            vrrp,
            vip,
            ..seen(node)
        };
        if let Ok(found) = &node.seen {
            status.lag_bytes = lag(&view, *address, found);
            let soon = Deadline::after(config.timing.command);
            status.uptime_seconds = up_for(survey, *address, soon);
            let refusal = survey.refusal(*address, found, soon);
            status.refuses_writes = refusal.as_ref().map(|refusal| plain(&refusal.to_string()));
            let judged = match &poll {
                Some(poll) => {
                    let judged = sentinel::eligible(*address, found, poll);
                    (None, judged.eligible, judged.why)
                }
                None => {
                    let there = from(&view, *address, forgotten);
                    let judged = pair::eligibility(&there);
                    let judged = ability::unless_it_refuses(judged, &there, refusal.as_ref());
                    (
                        Some(judged.standing.to_string()),
                        Some(judged.eligible),
                        judged.why,
                    )
                }
            };
            (status.standing, status.eligible, status.why) =
                (judged.0, judged.1, Some(plain(&judged.2)));
        }
        nodes.push(status);
    }
    let mut troubles = troubles(config.vip, &view, vip_at);
    troubles.extend(refusals(&nodes));
    // Where Sentinel gives out the roles nothing goes by it.
    let outdated = view.memory.outdated.as_ref();
    let outdated = outdated.filter(|_| config.sentinel.is_none());
    let outdated = outdated.map(|outdated| plain(&outdated.to_string()));
    troubles.extend(lacks(outdated.as_deref()));
    let notes = notes(config, &store, forgotten);
    let (lines, unread) = tail(
        &config.log_dir.join(TRANSITIONS),
        transitions,
        &config.instance,
    );
    Gathered {
        instance: config.instance.clone(),
        at: now(),
        vip: config.vip,
        vip_at,
        healthy: troubles.is_empty(),
        troubles: troubles.iter().map(|trouble| plain(trouble)).collect(),
        notes: notes
            .into_iter()
            .chain(unread)
            .map(|note| plain(&note))
            .collect(),
        drained: view.drained.as_deref().map(plain),
        outdated,
        held_back_seconds: deaths::held_back(&store, &config.flap).map(|left| left.as_secs()),
        sentinels: poll.map(|poll| plain(&poll.to_string())),
        nodes,
        transitions: lines,
    }
}

/// What a node says of itself.
fn seen(node: &Node) -> NodeStatus {
    let found = node.seen.as_ref().ok();
    let following = found.and_then(Observation::following);
    let percent = |following: &Following| following.copied.and_then(Copied::percent);
    let link = following.map(|following| {
        match (following.syncing, percent(following), following.link_up) {
            (true, Some(percent), _) => format!("copying {percent} %"),
            (true, None, _) => "copying".to_string(),
            (false, _, true) => "up".to_string(),
            (false, _, false) => "down".to_string(),
        }
    });
    NodeStatus {
        address: node.address,
        local: false,
        vrrp: None,
        vip: false,
        failure: node
            .seen
            .as_ref()
            .err()
            .map(|failure| plain(&failure.to_string())),
        refuses: matches!(node.seen, Err(Failure::Denied(_) | Failure::Tls(_))),
        role: found.map(|found| {
            if found.is_master() {
                "master"
            } else {
                "replica"
            }
        }),
        follows: following
            .map(|following| plain(&format!("{}:{}", following.host, following.port))),
        link,
        lag_bytes: None,
        standing: None,
        eligible: None,
        why: None,
        version: found.map(|found| found.version.to_string()),
        refuses_writes: None,
        uptime_seconds: None,
        keys: found.map(|found| found.keys),
        offset: found.map(|found| found.replication.lineage.offset),
        term: found.and_then(|found| Some(found.term.as_ref()?.sure)),
    }
}

/// Bytes that `address` lacks of the one that it follows.
fn lag(view: &View, address: SocketAddr, found: &Observation) -> Option<u64> {
    let master = view
        .nodes()
        .find(|node| node.address != address && found.follows(node.address))?;
    let (mine, theirs) = (
        &found.replication.lineage,
        &master.seen.as_ref().ok()?.replication.lineage,
    );
    (mine.replid == theirs.replid)
        .then(|| u64::try_from(theirs.offset.saturating_sub(mine.offset)).unwrap_or(0))
}

/// The same view from another node. What that node remembers can't be seen from here (nor what this
/// one does, if `forgotten`), so a master beside the VIP is taken to serve.
fn from(view: &View, address: SocketAddr, forgotten: bool) -> View {
    if view.local.address == address && !forgotten {
        return view.clone();
    }
    let peers: Vec<Node> = view
        .nodes()
        .filter(|node| node.address != address)
        .cloned()
        .collect();
    let local = view
        .nodes()
        .find(|node| node.address == address)
        .unwrap_or(&view.local)
        .clone();
    let vip = match view.vip {
        Vip::At(holder) if holder == address => Vip::Here,
        Vip::Here if view.local.address != address => Vip::At(view.local.address),
        vip => vip,
    };
    let served = local
        .seen
        .as_ref()
        .ok()
        .filter(|seen| seen.is_master() && vip == Vip::Here)
        .map(|seen| Served {
            run_id: seen.run_id.clone(),
            replid: seen.replication.lineage.replid.clone(),
            at: String::new(),
        });
    let memory = Memory {
        served,
        ..Memory::default()
    };
    View {
        local,
        peers,
        vip,
        memory,
        alone_for: Duration::ZERO,
        flapping: None,
        drained: None,
        ..*view
    }
}

/// Seconds since Redis was started.
fn up_for(survey: &mut Survey, node: SocketAddr, deadline: Deadline) -> Option<u64> {
    survey
        .node(node)
        .ok()?
        .number("server", "uptime_in_seconds", deadline)
}
