//! What `redis_backup` and `redis_fault` do in Sentinel mode: they write down who is master by
//! whose word, and change no role. A local Redis that is still a master beside the one that
//! Sentinel names becomes a replica soon, and drops what only it has; before that its data is kept
//! in a rollback file.

use crate::act::copy_delay;
use crate::act::in_file::OnDisk;
use crate::act::keep::keep_before;
use crate::act::trouble::Trouble;
use crate::act::voice::Voice;
use crate::act::worker::Worker;
use crate::deadline::ms;
use crate::decide::sentinel::{Named, Poll, Scene};
use crate::decide::view::Vip;
use crate::exit::Outcome;
use crate::node::turn::{Ended, Turn};
use crate::server::info::Observation;

use super::{LATER, pace};

/// Works until the local Redis is a replica of the node that Sentinel names, or a newer
/// notification comes.
pub(crate) fn run(worker: &mut Worker, turn: &Turn) -> Result<Outcome, Ended> {
    let Some(mut sentinels) = worker.sentinels() else {
        return Ok(Outcome::No);
    };
    let (mut said, mut kept) = (false, None);
    loop {
        turn.check()?;
        let scene = worker.look_with_sentinels(&mut sentinels);
        if !said {
            tell_words(&worker.voice, &scene.poll);
            said = true;
        }
        let waited = worker.unchanged_for(&scene.view);
        copy_delay::restore(worker, &scene.view);
        worker.lift_stale_fence(&scene.view);
        if let Some(why) = settled(&scene) {
            worker
                .voice
                .line(&why, &[("took_ms", &ms(worker.clock.elapsed()))]);
            return Ok(Outcome::Yes);
        }
        let waiting = wait_for(worker, turn, &scene, &mut kept);
        match worker.voice.outcome(waiting)? {
            Some(why) => {
                worker.voice.waiting(&why);
                turn.pause(pace(waited))?;
            }
            None => turn.pause(LATER)?,
        }
    }
}

/// One line: each sentinel's word.
pub(crate) fn tell_words(voice: &Voice, poll: &Poll) {
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
    voice.line(&poll.to_string(), &pairs);
}

/// It follows whom it should; only the copy may be under way, which is Sentinel's to watch.
fn settled(scene: &Scene) -> Option<String> {
    let local = scene.view.local.up()?;
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

/// What was kept: the run, how much had been written to it at that time, and the file. Not its
/// offset, which moves by itself (R5), and every further file takes its time.
struct Filed {
    run_id: String,
    changes: u64,
    file: Option<OnDisk>,
}

impl Filed {
    /// The local Redis has nothing that is not in it.
    fn holds(&self, local: &Observation) -> bool {
        self.run_id == local.run_id && self.changes == local.changes
    }
}

/// What is waited for; a master that is about to become a replica is kept in a file first, and once
/// more if it was written to since, or if that file is gone.
fn wait_for(
    worker: &mut Worker,
    turn: &Turn,
    scene: &Scene,
    kept: &mut Option<Filed>,
) -> Result<String, Trouble> {
    let (view, poll) = (&scene.view, &scene.poll);
    let local = match &view.local.seen {
        Ok(local) => local,
        Err(failure) => {
            return Ok(format!(
                "the local Redis at {}: {failure}",
                view.local.address
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
        Named::Node(node) if node == view.local.address => {
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
    let file = kept.as_ref().and_then(|kept| kept.file.as_ref());
    if let Some(Err(why)) = file.map(OnDisk::is_there) {
        worker.voice.warn(why);
        *kept = None;
    }
    if let Some(Ok(theirs)) = view.seen(master)
        && theirs.is_master()
        && !kept.as_ref().is_some_and(|kept| kept.holds(local))
    {
        let why = "Sentinel names it, and makes the local Redis its replica soon";
        let file = keep_before(worker, turn, local, master, theirs, why)?;
        *kept = Some(Filed {
            run_id: local.run_id.clone(),
            changes: local.changes,
            file,
        });
    }
    Ok(format!(
        "the local Redis is a master that Sentinel makes a replica soon: {poll}"
    ))
}
