//! What `redis_backup` and `redis_fault` do in Sentinel mode: they write down who is master by
//! whose word, and change no role. A local Redis that is still a master beside the one that
//! Sentinel names becomes a replica soon, and drops what only it has; before that its data is kept
//! in a rollback file.

use std::time::Duration;

use crate::act::follow;
use crate::act::handover::Trouble;
use crate::act::worker::{Program, look_with_sentinels};
use crate::deadline::{Deadline, ms};
use crate::decide::sentinel::{Named, Poll, Scene};
use crate::decide::view::{View, Vip};
use crate::exit::Outcome;
use crate::node::turn::{Ended, Turn};

/// Between two looks, at first.
const SOON: Duration = Duration::from_millis(50);
/// Between two looks, when nothing has changed for a while.
const LATER: Duration = Duration::from_secs(1);
const WHILE: Duration = Duration::from_secs(30);

/// Works until the local Redis is a replica of the node that Sentinel names, or a newer
/// notification comes.
pub(crate) fn run(program: &mut Program, turn: &Turn) -> Result<Outcome, Ended> {
    let Some(mut sentinels) = program.sentinels() else {
        return Ok(Outcome::No);
    };
    let (mut said, mut kept) = (false, None);
    loop {
        turn.check()?;
        let (view, scene) = look_with_sentinels(program, &mut sentinels);
        if !said {
            diagnose(program, &scene.poll);
            said = true;
        }
        let waited = program.unchanged_for(&view);
        follow::restore_copy_delay(program, &view);
        program.lift_stale_fence(&view);
        if let Some(why) = settled(&scene) {
            program
                .journal
                .line(&why, &[("took_ms", &ms(program.clock.elapsed()))]);
            return Ok(Outcome::Yes);
        }
        let mut pause = if waited < WHILE { SOON } else { LATER };
        match wait_for(program, turn, &view, &scene, &mut kept) {
            Ok(why) => program.say_waiting(&why),
            Err(Trouble::Ended(ended)) => return Err(ended),
            Err(trouble) => {
                program.say_trouble(&trouble);
                pause = LATER;
            }
        }
        let pause = Deadline::after(pause);
        // A newer notification is heard within 20 ms, however long the wait.
        while pause.pause(Duration::from_millis(20)) {
            turn.check()?;
        }
    }
}

/// One line: each sentinel's word.
pub(crate) fn diagnose(program: &Program, poll: &Poll) {
    let words: Vec<(String, String)> = poll
        .words
        .iter()
        .map(|(sentinel, word)| {
            let said = match word {
                Ok(word) => {
                    let down = if word.down { ", which is down" } else { "" };
                    let moving = if word.failing_over {
                        ", and moves the role"
                    } else {
                        ""
                    };
                    format!("{}{down}{moving}", word.master)
                }
                Err(failure) => failure.to_string(),
            };
            (sentinel.to_string(), said)
        })
        .collect();
    let mut pairs: Vec<(&str, &dyn std::fmt::Display)> = vec![("quorum", &poll.quorum)];
    pairs.extend(
        words
            .iter()
            .map(|(sentinel, said)| (sentinel.as_str(), said as &dyn std::fmt::Display)),
    );
    program.journal.line(&poll.to_string(), &pairs);
}

/// It follows whom it should; only the copy may be under way, which is Sentinel's to watch.
fn settled(scene: &Scene) -> Option<String> {
    let local = scene.local.seen.as_ref().ok()?;
    let following = local.following()?;
    match scene.poll.named() {
        Named::Node(node) if following.address() == Some(node) => {
            let link = if following.link_up { "up" } else { "down" };
            Some(format!(
                "replica of {node}, which Sentinel names; its link is {link}"
            ))
        }
        _ => None,
    }
}

/// What is waited for; a master that is about to become a replica is kept in a file first, and once
/// more if it was written to since: `kept` is its run and how much was written at that time. Not
/// its offset, which moves by itself (R5), for every further file costs an older one.
fn wait_for(
    program: &mut Program,
    turn: &Turn,
    view: &View,
    scene: &Scene,
    kept: &mut Option<(String, u64)>,
) -> Result<String, Trouble> {
    let poll = &scene.poll;
    let local = match &scene.local.seen {
        Ok(local) => local,
        Err(failure) => {
            return Ok(format!(
                "the local Redis at {}: {failure}",
                scene.local.address
            ));
        }
    };
    if let Some(following) = local.following() {
        let (host, port) = (&following.host, following.port);
        return Ok(format!(
            "the local Redis is a replica of {host}:{port}; {poll}"
        ));
    }
    let master = match poll.named() {
        Named::Node(node) if node == scene.local.address => {
            let vip = if view.vip == Vip::Here {
                "the VIP is here"
            } else {
                "the VIP is not here"
            };
            return Ok(format!("the local Redis is master, and {vip}; {poll}"));
        }
        Named::Node(node) => node,
        Named::Nobody | Named::Silent => return Ok(format!("the local Redis is master; {poll}")),
    };
    let now = Some((local.run_id.clone(), local.changes));
    if let Some(Ok(theirs)) = view.seen(master)
        && theirs.is_master()
        && *kept != now
    {
        let why = "Sentinel names it, and makes the local Redis its replica soon";
        follow::keep_before(program, turn, local, (master, theirs), why)?;
        *kept = now;
    }
    Ok(format!(
        "the local Redis is a master that Sentinel makes a replica soon: {poll}"
    ))
}
