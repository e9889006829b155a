//! Having the sentinels move the role, where it is Sentinel that decides who is master.

pub(crate) mod hand_over;

use std::net::SocketAddr;
use std::time::Duration;

use super::handover::{Trouble, failed};
use super::worker::Program;
use crate::deadline::{Deadline, ms};
use crate::decide::sentinel::{self, Named, Poll, Scene};
use crate::decide::view::View;
use crate::exit::Outcome;
use crate::look::sentinels::Sentinels;
use crate::node::hook::Event;
use crate::node::turn::Turn;
use crate::server::failure::Failure;
use crate::server::info::{Observation, Role};

pub(crate) const TICK: Duration = Duration::from_millis(20);

/// The same while a role is about to change: outage.
pub(crate) const SOON: Duration = Duration::from_millis(5);

/// From a sentinel's OK to a new master: it sends SLAVEOF NO ONE within two of its ticks of 0.1 s,
/// and looks every second.
pub(crate) const PROMOTED: Duration = Duration::from_secs(10);

/// From there until enough of them name it: they tell each other at once, or every 2 s.
pub(crate) const MADE_KNOWN: Duration = Duration::from_secs(5);

pub(crate) const NOBODY: &str = "no sentinel has a replica that it would promote now";

/// The master is dead: a sentinel that is asked does not wait for `down-after-milliseconds`, nor
/// for the others.
pub(crate) fn promote(
    program: &mut Program,
    turn: &Turn,
    sentinels: &mut Sentinels,
    (view, scene): (&View, &Scene),
    (master, waited): (SocketAddr, Duration),
    why: &str,
) -> Result<Option<Outcome>, Trouble> {
    let _acting = turn.act()?;
    let trouble = |cause: String| failed("moving the role away from", master, cause);
    // Where it is a replica itself, whoever is one may be promoted.
    let headless = view.seen(master).is_some_and(|seen| seen.is_ok());
    let nodes = std::iter::once(&scene.local)
        .chain(&scene.peers)
        .filter_map(|node| {
            let seen = node
                .seen
                .as_ref()
                .ok()
                .filter(|seen| seen.follows(master) || headless && !seen.is_master())?;
            Some((node.address, seen.replication.lineage.offset))
        });
    let replicas: Vec<(SocketAddr, i64)> = nodes.collect();
    let (mut best, mut reason) = (None, NOBODY.to_string());
    for (sentinel, chosen) in choices(sentinels, &scene.poll, master) {
        match sentinel::is_best(chosen, &replicas, waited) {
            // This node, if one of them would choose it: then the VIP need not move again.
            Ok(()) if chosen == program.local => best = Some(sentinel),
            Ok(()) => best = best.or(Some(sentinel)),
            Err(why) => reason = why,
        }
    }
    let Some(sentinel) = best else {
        return Err(trouble(reason));
    };
    // Where it refuses no other one is asked, which does not know of what this one may yet do
    // (R32).
    sentinels
        .fail_over(sentinel)
        .map_err(|failure| failed("asking for a failover at", sentinel, failure))?;
    let promoted = until_promoted(program, view, master)?;
    let (took, keys) = (
        ms(program.clock.elapsed()),
        view.local.seen.as_ref().map_or(0, |seen| seen.keys),
    );
    program.transition(
        Event::Promoted,
        &format!("Sentinel, asked at once, promoted {promoted}: {master} is gone: {why}"),
        &[
            ("since_start_ms", &took),
            ("keys", &keys),
            ("peer", &master),
        ],
    );
    chosen(program, turn, sentinels, promoted)
}

/// Which replica each sentinel that names `master` would promote.
pub(crate) fn choices(
    sentinels: &mut Sentinels,
    poll: &Poll,
    master: SocketAddr,
) -> Vec<(SocketAddr, SocketAddr)> {
    let naming: Vec<SocketAddr> = poll.naming(master).collect();
    let choice = |sentinel: SocketAddr| {
        let candidates = sentinels.candidates(sentinel, master).ok()?;
        let down = poll
            .words
            .iter()
            .any(|(who, word)| *who == sentinel && word.as_ref().is_ok_and(|word| word.down));
        Some((sentinel, sentinel::choice(&candidates, down)?.address))
    };
    naming.into_iter().filter_map(choice).collect()
}

/// Waits for a new master: one that was none in `view`, for an ex-master that Sentinel has not
/// demoted yet is one as well (R22).
pub(crate) fn until_promoted(
    program: &mut Program,
    view: &View,
    old: SocketAddr,
) -> Result<SocketAddr, Trouble> {
    let command = program.config.timing.command;
    let was_master = |node: &SocketAddr| {
        view.seen(*node)
            .is_some_and(|seen| seen.is_ok_and(Observation::is_master))
    };
    let nodes: Vec<SocketAddr> = program
        .config
        .nodes
        .iter()
        .copied()
        .filter(|node| *node != old && !was_master(node))
        .collect();
    let limit = Deadline::after(PROMOTED);
    let mut silent: Vec<SocketAddr> = Vec::new();
    loop {
        for node in &nodes {
            if silent.contains(node) {
                continue;
            }
            match program
                .survey
                .node(*node)
                .and_then(|server| server.replication(Deadline::after(command)))
            {
                Ok(seen) if seen.role == Role::Master => return Ok(*node),
                Ok(_) => {}
                // Every look at it would be outage.
                Err(Failure::NoConnection | Failure::TimedOut) if *node != program.local => {
                    silent.push(*node)
                }
                Err(_) => {}
            }
        }
        if !limit.pause(SOON) {
            return Err(failed(
                "moving the role away from",
                old,
                "Sentinel was asked, and nobody was promoted",
            ));
        }
    }
}

/// Where it is this node the next look finds Sentinel's word for it; where it is another, the VIP
/// goes there.
pub(crate) fn chosen(
    program: &mut Program,
    turn: &Turn,
    sentinels: &mut Sentinels,
    promoted: SocketAddr,
) -> Result<Option<Outcome>, Trouble> {
    if promoted == program.local {
        return Ok(None);
    }
    let limit = Deadline::after(MADE_KNOWN);
    while program.survey.holds_vip() && limit.pause(TICK) {
        turn.check()?;
        if sentinels
            .ask(Deadline::after(program.config.timing.command))
            .named()
            == Named::Node(promoted)
        {
            break;
        }
    }
    program.journal.line(
        &format!("Sentinel chose {promoted}: the VIP follows when its check has passed"),
        &[],
    );
    Ok(Some(Outcome::No))
}
