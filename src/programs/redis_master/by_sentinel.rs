//! What `redis_master` does in Sentinel mode: this node has been given the VIP, so Sentinel is asked to move the role,
//! where it has not done so by itself. No role is changed but through Sentinel; what it has decided is carried out.

use std::net::SocketAddr;
use std::time::Duration;

use crate::act::by_sentinel::hand_over::hand_over;

use super::{hold, releasing};
use crate::act::handover::{Trouble, failed};
use crate::act::worker::{Outcome, Program};
use crate::deadline::{Deadline, Stopwatch, ms};
use crate::decide::sentinel::{self, Named, Poll, Scene, Step};
use crate::decide::view::View;
use crate::look::sentinels::Sentinels;
use crate::node::hook::Event;
use crate::node::turn::{Ended, Turn};
use crate::server::Failure;
use crate::server::info::{Observation, Role};

/// Between two looks.
pub(crate) const TICK: Duration = Duration::from_millis(20);
/// The same while a role is about to change: outage.
const SOON: Duration = Duration::from_millis(5);
/// After a sentinel has refused.
const REFUSED: Duration = Duration::from_millis(250);
/// For an older program to leave its step.
pub(crate) const ACT_WAIT: Duration = Duration::from_secs(3);
/// From a sentinel's OK to a new master: it sends SLAVEOF NO ONE within two of its ticks of 0.1 s, and looks every second.
const PROMOTED: Duration = Duration::from_secs(10);
/// From there until enough of them name it: they tell each other at once, or every 2 s.
pub(crate) const MADE_KNOWN: Duration = Duration::from_secs(5);

pub(crate) const NOBODY: &str = "no sentinel has a replica that it would promote now";

/// Works until the local Redis is master by Sentinel's word, Sentinel has chosen another node, a newer notification comes,
/// or `timing.sync` is used up. With `again` the state was MASTER before, and what is found in order is not worth a line.
///
/// # Errors
/// [`Ended`]: a newer notification, or SIGTERM.
pub fn run(program: &mut Program, turn: &Turn, again: bool) -> Result<Outcome, Ended> {
    releasing(program, |program, held| work(program, turn, again, held))
}

fn work(program: &mut Program, turn: &Turn, again: bool, held: &mut bool) -> Result<Outcome, Ended> {
    let Some(mut sentinels) = program.sentinels() else { return Ok(Outcome::No) };
    let budget = Deadline::after(program.config.timing.sync);
    let mut delayed = program.config.timing.delay.is_zero();
    // Since when the role should move.
    let mut moving: Option<Stopwatch> = None;
    let (mut promoted, mut cut_off) = (false, false);
    loop {
        turn.check()?;
        let (view, mut scene) = look(program, &mut sentinels);
        cut_off |= scene.poll.named() == Named::Silent;
        scene.was_cut_off = cut_off;
        let unchanged = program.unchanged_for(&view);
        let mut step = sentinel::serve(&scene, unchanged);
        if matches!(step, Step::HandOver(..)) && !cut_off && sentinels.stood_still(program.local.ip()) {
            (cut_off, scene.was_cut_off) = (true, true);
            step = sentinel::serve(&scene, unchanged);
        }
        if !delayed && matches!(step, Step::Promote(..) | Step::HandOver(..)) {
            program.delay(turn)?;
            delayed = true;
            continue;
        }
        let waited = match &step {
            Step::Promote(..) | Step::HandOver(..) => moving.get_or_insert_with(Stopwatch::start).elapsed(),
            _ => Duration::ZERO,
        };
        let taken = match &step {
            Step::Done(why) => {
                if !again {
                    let took = ms(program.clock.elapsed());
                    program.transition(Event::Serving, &format!("serving: {why}"), &[("took_ms", &took)]);
                }
                return Ok(Outcome::Yes);
            }
            Step::Refuse(why) => {
                program.journal.line(&format!("nothing done: {why}"), &[]);
                return Ok(Outcome::No);
            }
            // A restarted master may be named for another second; Sentinel has decided.
            Step::Wait(_) | Step::Hold(_) if promoted => {
                program.say_waiting(&format!("promoted, until enough sentinels name it: {}", scene.poll));
                Ok(None)
            }
            Step::Wait(why) => {
                program.say_waiting(why);
                Ok(None)
            }
            Step::Hold(why) => {
                hold(program, &view, held);
                program.say_waiting(&format!("{why}; its writes are held"));
                Ok(None)
            }
            Step::Promote(master, why) => {
                promote(program, turn, &mut sentinels, (&view, &scene), (*master, waited), why)
            }
            Step::HandOver(master, why) => {
                hand_over(program, turn, &mut sentinels, (&view, &scene), (*master, waited), why)
            }
        };
        promoted |= taken == Ok(None) && matches!(&step, Step::Promote(..) | Step::HandOver(..));
        let tick = match taken {
            Ok(Some(outcome)) => return Ok(outcome),
            Ok(None) => TICK,
            Err(Trouble::Ended(ended)) => return Err(ended),
            Err(trouble) => {
                program.say_trouble(&trouble);
                REFUSED
            }
        };
        if !budget.pause(tick) {
            let waited = program.config.timing.sync.as_secs();
            program.journal.line(&format!("gave up after {waited} s (timing.sync)"), &[]);
            return Ok(Outcome::No);
        }
    }
}

/// The nodes, the VIP and the sentinels at the same time.
pub fn look(program: &mut Program, sentinels: &mut Sentinels) -> (View, Scene) {
    let timing = &program.config.timing;
    let deadline = Deadline::after(timing.connect + timing.command);
    let (poll, view) = std::thread::scope(|scope| {
        let poll = scope.spawn(|| sentinels.ask(deadline));
        let view = program.look(true);
        (poll.join(), view)
    });
    let poll = poll.unwrap_or_else(|_| sentinels.silence());
    let order = program.config.nodes.clone();
    let scene =
        Scene { local: view.local.clone(), peers: view.peers.clone(), order, vip: view.vip, poll, was_cut_off: false };
    (view, scene)
}

/// The master is dead: a sentinel that is asked does not wait for `down-after-milliseconds`, nor for the others.
fn promote(
    program: &mut Program,
    turn: &Turn,
    sentinels: &mut Sentinels,
    (view, scene): (&View, &Scene),
    (master, waited): (SocketAddr, Duration),
    why: &str,
) -> Result<Option<Outcome>, Trouble> {
    let _acting = turn.act(Deadline::after(ACT_WAIT))?;
    let trouble = |cause: String| failed("moving the role away from", master, cause);
    // Where it is a replica itself, whoever is one may be promoted.
    let headless = view.seen(master).is_some_and(|seen| seen.is_ok());
    let nodes = std::iter::once(&scene.local).chain(&scene.peers).filter_map(|node| {
        let seen = node.seen.as_ref().ok().filter(|seen| seen.follows(master) || headless && !seen.is_master())?;
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
    let Some(sentinel) = best else { return Err(trouble(reason)) };
    // Where it refuses no other one is asked, which does not know of what this one may yet do (R32).
    sentinels.fail_over(sentinel).map_err(|failure| failed("asking for a failover at", sentinel, failure))?;
    let promoted = until_promoted(program, view, master)?;
    let (took, keys) = (ms(program.clock.elapsed()), view.local.seen.as_ref().map_or(0, |seen| seen.keys));
    program.transition(
        Event::Promoted,
        &format!("Sentinel, asked at once, promoted {promoted}: {master} is gone: {why}"),
        &[("since_start_ms", &took), ("keys", &keys), ("peer", &master)],
    );
    chosen(program, turn, sentinels, promoted)
}

/// Which replica each sentinel that names `master` would promote.
pub(crate) fn choices(sentinels: &mut Sentinels, poll: &Poll, master: SocketAddr) -> Vec<(SocketAddr, SocketAddr)> {
    let naming: Vec<SocketAddr> = poll.naming(master).collect();
    let choice = |sentinel: SocketAddr| {
        let candidates = sentinels.candidates(sentinel, master).ok()?;
        let down = poll.words.iter().any(|(who, word)| *who == sentinel && word.as_ref().is_ok_and(|word| word.down));
        Some((sentinel, sentinel::choice(&candidates, down)?.address))
    };
    naming.into_iter().filter_map(choice).collect()
}

/// Waits for a new master: one that was none in `view`, for an ex-master that Sentinel has not demoted yet is one as well
/// (R22).
pub(crate) fn until_promoted(program: &mut Program, view: &View, old: SocketAddr) -> Result<SocketAddr, Trouble> {
    let command = program.config.timing.command;
    let was_master = |node: &SocketAddr| view.seen(*node).is_some_and(|seen| seen.is_ok_and(Observation::is_master));
    let nodes: Vec<SocketAddr> =
        program.config.nodes.iter().copied().filter(|node| *node != old && !was_master(node)).collect();
    let limit = Deadline::after(PROMOTED);
    let mut silent: Vec<SocketAddr> = Vec::new();
    loop {
        for node in &nodes {
            if silent.contains(node) {
                continue;
            }
            match program.survey.node(*node).and_then(|server| server.replication(Deadline::after(command))) {
                Ok(seen) if seen.role == Role::Master => return Ok(*node),
                Ok(_) => {}
                // Every look at it would be outage.
                Err(Failure::NoConnection | Failure::TimedOut) if *node != program.local => silent.push(*node),
                Err(_) => {}
            }
        }
        if !limit.pause(SOON) {
            return Err(failed("moving the role away from", old, "Sentinel was asked, and nobody was promoted"));
        }
    }
}

/// Where it is this node the next look finds Sentinel's word for it; where it is another, the VIP goes there.
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
        if sentinels.ask(Deadline::after(program.config.timing.command)).named() == Named::Node(promoted) {
            break;
        }
    }
    program.journal.line(&format!("Sentinel chose {promoted}: the VIP follows when its check has passed"), &[]);
    Ok(Some(Outcome::No))
}
