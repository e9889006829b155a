//! What `check_redis` does: is the local Redis alive and in the role that this node's VRRP state
//! demands, and, with `--eligible`, may this node take the VIP? Read-only towards Redis, but for
//! the term of a reign.

pub(crate) mod answer;
pub(crate) mod by_sentinel;
pub(crate) mod eligible_by_sentinel;
mod reign;
pub(crate) mod verdict;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use self::verdict::{Verdict, silent};
use crate::config::Config;
use crate::deadline::{Deadline, ms};
use crate::decide::view::{View, Vip};
use crate::decide::{ability, pair};
use crate::look::survey::Survey;
use crate::node::clock::now;
use crate::node::memory::{Lacking, Outdated, StateFile, Store, Synced};
use crate::node::vrrp_state::VrrpState;
use crate::node::{deaths, drain, ticket};
use crate::server::endpoint::Endpoint;
use crate::server::failure::Failure;
use crate::server::info::{Observation, Role};
use crate::server::probe::{Probe, probe};

/// Between two looks at something that seems wrong: one stale reading is not believed.
const SECOND_LOOK: Duration = Duration::from_millis(50);
/// A VIP without a `redis_master` for this long has none coming: keepalived starts it 3-15 ms after
/// the VIP (K5). Longer than the other node's `redis_backup` waits before it gives the role up to
/// such a node, for that repairs it too.
const ORPHANED: Duration = Duration::from_secs(8);

/// A wrong role with nobody at work on it fails for so many seconds, and then passes for as many,
/// and so on: the program that FAULT should have started was killed or lost, and only the way out
/// of FAULT starts the next one.
const UNREPAIRED: u64 = 5;

/// What was known of the data of a Redis that answers nobody counts for so long.
const SILENT: Duration = Duration::from_secs(5);
/// A script that runs for longer holds the service up, where another node can go on. Redis says
/// BUSY after `busy-reply-threshold`, which is 5 s by default, and only then can it be ended.
const BUSY: Duration = Duration::from_secs(10);

/// Is the local Redis alive, and in the right role on a machine that has these `addresses`?
pub(crate) fn health(
    config: &Config,
    local: SocketAddr,
    addresses: &[IpAddr],
    deadline: Deadline,
) -> Verdict {
    let survey = Survey::new(config, local);
    let endpoint = survey.local_endpoint().clone();
    let found = probe_again(&endpoint, config, deadline);
    let took = ms(found.took);
    if !found.liveness.is_alive() {
        let sentence = format!("{endpoint}: {} (took {took} ms)", found.liveness);
        return Verdict {
            dead: !found.liveness.is_loading(),
            ..Verdict::no(sentence)
        };
    }
    let role = found.seen.as_ref().map_or("role unknown", |seen| {
        if seen.is_master() {
            "master"
        } else {
            "replica"
        }
    });
    let alarm = found.liveness.alarm();
    let healthy = Verdict::yes(format!(
        "{alarm}{endpoint}: {}, {role} (took {took} ms)",
        found.liveness
    ));
    let Some(seen) = found.seen else {
        return healthy;
    };
    let store = Store::new(&config.memory_dir);
    let out = !addresses.contains(&config.vip) && !seen.is_master();
    let another = || pair::well_peer(&Survey::new(config, local).look(false, deadline)).is_some();
    if let Some(drain) = drain::leaves(&store, out, another) {
        return Verdict::no(format!(
            "{endpoint}: {}, {role}; {drain}: it gives up the VIP",
            found.liveness
        ));
    }
    if let Some(sentinel) = &config.sentinel {
        let holds = addresses.contains(&config.vip);
        return by_sentinel::wrong(config, sentinel, local, &seen, holds, deadline)
            .map_or(healthy, Verdict::no);
    }
    let news = deaths::seen_alive(&store, &seen.run_id, &config.flap);
    let verdict = role_verdict(
        config,
        survey,
        &seen,
        addresses.contains(&config.vip),
        deadline,
    )
    .map_or(healthy, |wrong| {
        Verdict::no(format!("{endpoint}: alive, in the wrong role: {wrong}"))
    });
    Verdict { news, ..verdict }
}

/// A server that closes the connection may be telling somebody else to go (CLIENT KILL after a
/// handover): ask again, once.
fn probe_again(endpoint: &Endpoint, config: &Config, deadline: Deadline) -> Probe {
    let first = probe(endpoint, &config.auth, deadline);
    if first.liveness.0 == Err(Failure::Reset) && !deadline.is_over() {
        probe(endpoint, &config.auth, deadline)
    } else {
        first
    }
}

fn role_verdict(
    config: &Config,
    mut survey: Survey,
    seen: &Observation,
    holds_vip: bool,
    deadline: Deadline,
) -> Option<String> {
    let store = Store::new(&config.memory_dir);
    // The everyday answers cost no look at the peer.
    if !may_be_wrong(config, seen, &store, holds_vip) {
        store.spell(StateFile::Orphaned, false);
        store.spell(StateFile::Unrepaired, false);
        return None;
    }
    // Half of the time, so that a peer that does not answer leaves some for the second look.
    let view = survey.look(true, deadline.at_most(deadline.left() / 2));
    remember(&store, &view);
    let wrong = judge(config, &store, &view);
    if wrong.is_none() || !deadline.pause(SECOND_LOOK) {
        // With no time left for a second look the next run has to confirm it.
        return None;
    }
    judge(config, &store, &survey.look(true, deadline))
}

fn may_be_wrong(config: &Config, seen: &Observation, store: &Store, holds_vip: bool) -> bool {
    match &seen.replication.role {
        Role::Master => !holds_vip,
        Role::Replica(_) if holds_vip => true,
        Role::Replica(following) => {
            // Of two nodes the other one is the only one to follow; of three another may serve by
            // now.
            let known = config.nodes.len() == 2
                && following
                    .address()
                    .is_some_and(|address| config.nodes.contains(&address));
            let synced = store
                .get::<Synced>()
                .is_some_and(|synced| synced.run_id == seen.run_id);
            !(known && following.link_up && synced)
        }
    }
}

fn judge(config: &Config, store: &Store, view: &View) -> Option<String> {
    let ticket = ticket::read(&config.memory_dir).ok().flatten();
    let here = view.vip == Vip::Here;
    let at_work = ticket
        .as_ref()
        .is_some_and(|ticket| (ticket.state == VrrpState::Master) == here && ticket.is_at_work());
    let wrong = pair::wrong_role(view, at_work);
    // The VIP is here and no MASTER was notified: in a moment, or never, where redis_master can't
    // be run.
    let coming = here && !ticket.is_some_and(|ticket| ticket.state == VrrpState::Master);
    let orphaned = store.spell(StateFile::Orphaned, wrong.is_some() && coming);
    let wrong = wrong.filter(|_| !coming || orphaned >= ORPHANED);
    let unrepaired = store
        .spell(StateFile::Unrepaired, wrong.is_some())
        .as_secs();
    wrong.filter(|_| unrepaired % (2 * UNREPAIRED) < UNREPAIRED)
}

/// May this node take the VIP? `was` is what the last run said. Read-only towards Redis.
pub(crate) fn eligible(
    config: &Config,
    local: SocketAddr,
    was: bool,
    deadline: Deadline,
) -> Verdict {
    if config.sentinel.is_some() {
        return chosen(config, local, was, deadline);
    }
    let mut survey = Survey::new(config, local);
    let view = survey.look(false, deadline);
    eligible_in(config, &mut survey, &view, was, deadline)
}

/// The same. Where the local Redis serves and its data lacks a term that is due, that is written;
/// what came of it is news, or an ALARM.
pub(crate) fn eligible_and_upheld(
    config: &Config,
    local: SocketAddr,
    was: bool,
    deadline: Deadline,
) -> Verdict {
    if config.sentinel.is_some() {
        return chosen(config, local, was, deadline);
    }
    let mut survey = Survey::new(config, local);
    let view = survey.look(false, deadline);
    let verdict = eligible_in(config, &mut survey, &view, was, deadline);
    match reign::uphold(config, &mut survey, &view, deadline) {
        None => verdict,
        Some(Ok(news)) => Verdict {
            news: Some(news),
            ..verdict
        },
        Some(Err(alarm)) => Verdict {
            sentence: format!("{}; ALARM: {alarm}", verdict.sentence),
            ..verdict
        },
    }
}

/// In Sentinel mode.
fn chosen(config: &Config, local: SocketAddr, was: bool, deadline: Deadline) -> Verdict {
    let sentinel = config.sentinel.as_ref();
    let found = sentinel.map(|it| by_sentinel::eligible(config, it, local, was, deadline));
    let found = found.unwrap_or_else(|| Verdict::no("no sentinels are configured".to_string()));
    match drain::current(&Store::new(&config.memory_dir)) {
        Some(drain) => Verdict::no(format!("{}; but {drain}", found.sentence)),
        None => found,
    }
}

fn eligible_in(
    config: &Config,
    survey: &mut Survey,
    view: &View,
    was: bool,
    deadline: Deadline,
) -> Verdict {
    let store = Store::new(&config.memory_dir);
    let stays = was && view.vip == Vip::Here;
    let another = ability::goes_on_for(view);
    if let Some(verdict) = silent(config, &store, &view.local.seen, stays, another) {
        return verdict;
    }
    remember(&store, view);
    notice_age(config, &store, view);
    let local = view.local.up().filter(|seen| !seen.loading);
    let refusal = local.and_then(|seen| survey.refusal(view.local.address, seen, deadline));
    let found = ability::unless_it_refuses(pair::eligibility(view), view, refusal.as_ref());
    let sentence = format!("{}: {}", found.standing, found.why);
    if found.eligible {
        Verdict::yes(sentence)
    } else {
        Verdict::no(sentence)
    }
}

/// A link that has been down for long, while VRRP was not quiet: the master serves on, and what
/// this node has is old. Where the master's host says that no Redis is there, that may be why, and it is
/// only unknown.
fn notice_age(config: &Config, store: &Store, view: &View) {
    let Some(master) = pair::cut_off_from(view) else {
        return;
    };
    let ticket = ticket::read(&config.memory_dir).ok().flatten();
    let is_backup = ticket.is_some_and(|ticket| ticket.state == VrrpState::Backup);
    let aged = store.spell(StateFile::LinkDown, is_backup) >= pair::AGED;
    if !aged {
        return;
    }
    let _ = store.clear::<Synced>();
    let refused = matches!(view.seen(master), Some(Err(Failure::Refused)));
    if view.memory.outdated.is_none() && !refused {
        let _ = store.set(&Outdated {
            node: master,
            why: Lacking::Link,
            at: now(),
        });
    }
}

/// Keeps what the next decision rests on when the peer can no longer be asked. A failed write is no
/// failed check.
fn remember(store: &Store, view: &View) {
    let (Ok(local), Some((address, master))) = (&view.local.seen, view.serving_peer()) else {
        return;
    };
    if !local.follows(address) {
        return;
    }
    match pair::in_sync(local, master, view.max_lag) {
        Ok(()) => {
            let _ = store.set_synced(&local.run_id, &local.replication.lineage.replid, address);
        }
        // The link is down or a copy is under way while the master lives: from here on it has more
        // than we do. A burst of writes, under way on a link that is up, is no reason.
        Err(_) if pair::in_sync(local, master, u64::MAX).is_err() => {
            let _ = store.clear::<Synced>();
        }
        Err(_) => {}
    }
}
