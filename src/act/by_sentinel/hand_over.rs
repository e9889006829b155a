//! A planned move of the role through Sentinel: the master lives, and nothing that it acknowledges
//! may be lost.

use std::net::SocketAddr;
use std::time::Duration;

use super::{MADE_KNOWN, NOBODY, TICK, choices, chosen, until_promoted};
use crate::act::handover::{self, Side, Trouble, failed};
use crate::act::worker::{Program, observed};
use crate::deadline::{Deadline, Stopwatch, ms};
use crate::decide::sentinel::{self, Named, Scene};
use crate::decide::view::View;
use crate::exit::Outcome;
use crate::look::sentinels::Sentinels;
use crate::node::hook::Event;
use crate::node::turn::Turn;
use crate::server::fence::Fence;
use crate::server::info::{Replication, Role, Version};

/// The master's writes stay stopped for so long while its replicas catch up; after it they go on,
/// and all starts over.
const CATCH_UP: Duration = Duration::from_millis(500);
/// The old master's writes stay stopped for so long once a sentinel has been asked, should we die:
/// it makes it a replica 8 to 11 s later (R22).
const DEMOTED: Duration = Duration::from_secs(20);

/// The master lives: its writes stop first, so that nothing is acknowledged there which the new one
/// has not (R21).
pub(crate) fn hand_over(
    program: &mut Program,
    turn: &Turn,
    sentinels: &mut Sentinels,
    (view, scene): (&View, &Scene),
    (master, waited): (SocketAddr, Duration),
    why: &str,
) -> Result<Option<Outcome>, Trouble> {
    let command = program.config.timing.command;
    let version = observed(view, master)?.version;
    let _acting = turn.act()?;
    let clock = Stopwatch::start();
    let giver = program
        .survey
        .node(master)
        .map_err(|failure| failed("connecting to", master, failure))?;
    // Three sentinels are asked in between.
    let pause = CATCH_UP + 6 * command;
    let (mut fence, held) = Fence::raise(giver, version, pause, command)
        .map_err(|failure| failed("stopping the writes on", master, failure))?;
    let asked = ask_fenced(
        program,
        turn,
        sentinels,
        (scene, &held),
        master,
        waited,
        &mut fence,
    );
    let moved = asked.and_then(|()| finish(program, sentinels, view, master, &clock, &mut fence));
    // What waited there gets its READONLY: the writes go on only where they are no longer taken.
    let followed = moved
        .as_ref()
        .ok()
        .map(|promoted| demote(program, master, *promoted, version));
    let lowered = match program.survey.node(master) {
        Ok(giver) => fence.lower(giver, command),
        Err(failure) => Err(failure),
    };
    let promoted = moved?;
    if let Err(failure) = lowered {
        program.journal.line(
            &format!("warning: letting the writers of {master} go on: {failure}"),
            &[],
        );
    }
    match followed {
        Some(Err(trouble)) => program
            .journal
            .line(&format!("warning: {trouble}; leaving it to Sentinel"), &[]),
        _ => tidy(program, master),
    }
    let took = ms(program.clock.elapsed());
    let offset = held.lineage.offset;
    program.transition(
        Event::TookOver,
        &format!("Sentinel moved the role from {master} to {promoted}: {why}"),
        &[
            ("took_ms", &ms(clock.elapsed())),
            ("since_start_ms", &took),
            ("offset", &offset),
            ("peer", &master),
        ],
    );
    chosen(program, turn, sentinels, promoted)
}

/// With the writes stopped: waits for the replicas, and asks a sentinel that would promote one
/// which has everything.
fn ask_fenced(
    program: &mut Program,
    turn: &Turn,
    sentinels: &mut Sentinels,
    (scene, held): (&Scene, &Replication),
    master: SocketAddr,
    waited: Duration,
    fence: &mut Fence,
) -> Result<(), Trouble> {
    let command = program.config.timing.command;
    if held.role != Role::Master {
        return Err(failed(
            "moving the role away from",
            master,
            "it is no master any more",
        ));
    }
    let (reached, lagging) = gather(program, turn, scene, master, held.lineage.offset);
    turn.check()?;
    let choices = choices(sentinels, &scene.poll, master);
    let mut reason = NOBODY.to_string();
    let mut safe: Vec<(SocketAddr, SocketAddr)> = Vec::new();
    for (sentinel, chosen) in choices {
        match sentinel::is_safe(chosen, &reached, &lagging, waited) {
            Ok(()) => safe.push((sentinel, chosen)),
            Err(why) => reason = why,
        }
    }
    // This node, if one of them would choose it: then the VIP need not move again.
    let best = safe
        .iter()
        .find(|(_, chosen)| *chosen == program.local)
        .or(safe.first());
    let Some((sentinel, _)) = best else {
        return Err(failed("moving the role away from", master, reason));
    };
    turn.check()?;
    if fence.has_lapsed() || fence.left() < command {
        return Err(failed(
            "moving the role away from",
            master,
            "its writes may soon go on; starting over",
        ));
    }
    // From here on a write there would be lost, whether we live or not.
    let giver = program
        .survey
        .node(master)
        .map_err(|failure| failed("connecting to", master, failure))?;
    let renewed = fence.renew(giver, DEMOTED, command);
    renewed.map_err(|failure| failed("stopping the writes on", master, failure))?;
    let asked = sentinels.fail_over(*sentinel);
    asked.map_err(|failure| failed("asking for a failover at", sentinel, failure))
}

/// Waits until there is a new master that enough sentinels name: then the old one may be made its
/// replica, as Sentinel would do some seconds later (R22). No newer notification ends it: the
/// writes must not go on before.
fn finish(
    program: &mut Program,
    sentinels: &mut Sentinels,
    view: &View,
    master: SocketAddr,
    clock: &Stopwatch,
    fence: &mut Fence,
) -> Result<SocketAddr, Trouble> {
    let command = program.config.timing.command;
    let promoted = until_promoted(program, view, master)?;
    let (took, total) = (ms(clock.elapsed()), ms(program.clock.elapsed()));
    let sentence =
        format!("{promoted} is master; {master} takes no writes until it is its replica");
    program
        .journal
        .line(&sentence, &[("took_ms", &took), ("since_start_ms", &total)]);
    let limit = Deadline::after(MADE_KNOWN);
    while sentinels.ask(Deadline::after(command)).named() != Named::Node(promoted) {
        if !limit.pause(TICK) {
            // Nobody is made a replica of what Sentinel does not call master.
            return Err(failed(
                "moving the role away from",
                master,
                format!("{promoted} is master, and not named"),
            ));
        }
        if fence.left() < 4 * command
            && let Ok(giver) = program.survey.node(master)
        {
            let _ = fence.renew(giver, DEMOTED, command);
        }
    }
    Ok(promoted)
}

/// What Sentinel has decided is carried out; it does so by itself, should this fail.
fn demote(
    program: &mut Program,
    master: SocketAddr,
    promoted: SocketAddr,
    version: Version,
) -> Result<(), Trouble> {
    let command = program.config.timing.command;
    let server = program
        .survey
        .node(master)
        .map_err(|failure| failed("connecting to", master, failure))?;
    let mut side = Side {
        server,
        address: master,
        version,
    };
    handover::follow(&mut side, promoted, command).map(|_| ())
}

/// The clients of the old master lead to a replica now, and its role has to outlive a restart. Not
/// before the fence is lowered, which must not be written down.
fn tidy(program: &mut Program, old: SocketAddr) {
    let command = program.config.timing.command;
    let Ok(server) = program.survey.node(old) else {
        return;
    };
    let disconnected = handover::disconnect_clients(server, command);
    let rewritten = handover::rewrite_config(server, command);
    program.warn_rewrite(old, rewritten);
    if let Err(failure) = disconnected {
        program.journal.line(
            &format!("warning: disconnecting the clients of {old}: {failure}"),
            &[],
        );
    }
}

/// Which of the other nodes that answer have reached `offset` of the master, and which have not,
/// after [`CATCH_UP`] at most, or by when a newer notification came.
fn gather(
    program: &mut Program,
    turn: &Turn,
    scene: &Scene,
    master: SocketAddr,
    offset: i64,
) -> (Vec<SocketAddr>, Vec<SocketAddr>) {
    let command = program.config.timing.command;
    let nodes = std::iter::once(&scene.local).chain(&scene.peers);
    let answering = nodes
        .filter(|node| node.address != master && node.seen.is_ok())
        .map(|node| node.address);
    let (mut reached, mut lagging): (Vec<SocketAddr>, Vec<SocketAddr>) =
        (Vec::new(), answering.collect());
    let limit = Deadline::after(CATCH_UP);
    loop {
        lagging.retain(|node| {
            let seen = program
                .survey
                .node(*node)
                .and_then(|server| server.replication(Deadline::after(command)));
            match seen {
                Ok(seen) => match &seen.role {
                    Role::Replica(of)
                        if of.address() == Some(master)
                            && of.link_up
                            && seen.lineage.offset >= offset =>
                    {
                        reached.push(*node);
                        false
                    }
                    _ => true,
                },
                // Who answers no more is not promoted either.
                Err(_) => false,
            }
        });
        if lagging.is_empty() || turn.check().is_err() || !limit.pause(Duration::from_millis(1)) {
            return (reached, lagging);
        }
    }
}
