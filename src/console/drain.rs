//! `keepalived-redis drain` and `resume`: a planned move by hand, and staying out until that is
//! ended.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use crate::act::worker::Worker;
use crate::config::Config;
use crate::deadline::{Deadline, Stopwatch, ms};
use crate::decide::pair;
use crate::decide::view::{self, View, Vip};
use crate::exit::{code, say};
use crate::node::addresses::local_node;
use crate::node::drain::{self, Drain};
use crate::node::hook::Event;
use crate::node::journal::{Journal, Label, TRANSITIONS};
use crate::terminal::complain;

const TICK: Duration = Duration::from_millis(50);
/// `check_redis --eligible` runs once a second. Where it has not been heard of for longer it is not
/// in use (the sticky variant), and the check itself has to fail.
const HEARD: Duration = Duration::from_millis(3500);
/// A lower priority moves the VIP after three adverts (K31), a failed check after two runs; the
/// longest advert is 1 s.
const MOVE: Duration = Duration::from_secs(10);
/// Nobody holds the VIP for this long: nobody takes it.
const NOWHERE: Duration = Duration::from_secs(3);
/// For the local Redis to follow the new master.
const FOLLOW: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// For how long; until it is resumed, where there is no time.
    pub lasting: Option<Duration>,
    /// Also where no other node is ready.
    pub force: bool,
}

/// The VIP and the role have gone to another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    /// Who serves now; `None` where this was forced, and nobody does.
    pub to: Option<SocketAddr>,
    pub took: Duration,
}

/// `keepalived-redis drain`; answers with the exit code.
pub(crate) fn run(path: &Path, wish: Wish) -> u8 {
    answer(path, |worker| {
        let view = worker.look(true);
        if view.vip != Vip::Here {
            return stay_out(worker, &view, wish).map(|()| true);
        }
        let gone = move_away(worker, &view, wish)?;
        let to = gone
            .to
            .map_or_else(|| "nobody".to_string(), |node| node.to_string());
        let sentence = format!(
            "{to} serves now; this node stays out ({})",
            resumed_by(path)
        );
        worker.voice.line(&sentence, &[("took_ms", &ms(gone.took))]);
        follows(worker, gone.to);
        Ok(true)
    })
}

/// `keepalived-redis resume`; answers with the exit code.
pub(crate) fn resume(path: &Path) -> u8 {
    answer(path, |worker| {
        if !drain::end(&worker.store)? {
            say(
                &mut std::io::stdout(),
                "keepalived-redis: nothing to do: this node is not drained",
            );
            return Ok(true);
        }
        let view = worker.look(true);
        let eligible = pair::eligibility(&view);
        let sentence = match view.vip {
            Vip::Here => "resumed; this node holds the VIP".to_string(),
            _ if eligible.eligible => "resumed: this node may take the VIP again".to_string(),
            _ => format!(
                "resumed; this node may take the VIP when its data allows: {}",
                eligible.why
            ),
        };
        worker.voice.transition(Event::Resumed, &sentence, &[]);
        Ok(true)
    })
}

/// Does `work` with the configuration at `path`; answers with the exit code.
pub(crate) fn answer(path: &Path, work: impl FnOnce(&mut Worker) -> anyhow::Result<bool>) -> u8 {
    let mut worker = match worker(path) {
        Ok(worker) => worker,
        Err(error) => {
            complain(&error);
            return code::CANNOT_TELL;
        }
    };
    match work(&mut worker) {
        Ok(true) => code::YES,
        Ok(false) => code::NO,
        Err(error) => {
            complain(&error);
            code::NO
        }
    }
}

/// What a command for people works with: its lines go to the journal, and to standard output.
///
/// # Errors
/// The configuration is wrong, or none of its nodes is this machine.
pub(super) fn worker(path: &Path) -> anyhow::Result<Worker> {
    let config = Config::load(path)?;
    let local = local_node(&config)?;
    let journal = Journal::new(
        &config.log_dir,
        TRANSITIONS,
        "keepalived-redis",
        Label::Drain,
        true,
    )
    .of(&config.instance);
    Ok(Worker::new(config, local, journal, Stopwatch::start()))
}

fn resumed_by(path: &Path) -> String {
    if path == Path::new(crate::config::DEFAULT_PATH) {
        return "keepalived-redis resume ends it".to_string();
    }
    format!(
        "keepalived-redis --config {} resume ends it",
        path.display()
    )
}

/// This node does not hold the VIP: it is drained without a move.
fn stay_out(worker: &mut Worker, view: &View, wish: Wish) -> anyhow::Result<()> {
    let Vip::At(holder) = view.vip else {
        if !wish.force {
            bail!(
                "draining: nobody is seen to hold the VIP {}, and without this node nobody may be \
                 left; \
                 see keepalived-redis status, or give --force",
                worker.config.vip
            );
        }
        return begin(worker, wish).map(drop);
    };
    let drain = begin(worker, wish)?;
    let sentence = format!("{drain}: {holder} holds the VIP, and this node stays out");
    worker.voice.transition(Event::Drained, &sentence, &[]);
    Ok(())
}

fn begin(worker: &Worker, wish: Wish) -> anyhow::Result<Drain> {
    let drain = Drain::starting(wish.lasting);
    drain::begin(&worker.store, &drain).context("draining: (are you root?)")?;
    Ok(drain)
}

/// Gives the VIP and the role away, as `view` has this node hold the VIP; keepalived and
/// `redis_master` of the other node do it, without losing a write. Where that does not come about
/// the drain is ended again.
///
/// # Errors
/// No other node is ready, or none takes the VIP.
pub(crate) fn move_away(worker: &mut Worker, view: &View, wish: Wish) -> anyhow::Result<Gone> {
    if pair::well_peer(view).is_none() && !wish.force {
        bail!(
            "draining: no other node is ready to serve: {}; nothing was done (--force does it all \
             the same)",
            peers(view)
        );
    }
    let clock = Stopwatch::start();
    let drain = begin(worker, wish)?;
    worker
        .voice
        .transition(Event::Drained, &format!("{drain}: giving up the VIP"), &[]);
    let gone = until_gone(worker, wish, &clock);
    if let (Err(_), false) = (&gone, wish.force) {
        let _ = drain::end(&worker.store);
    }
    gone
}

fn until_gone(worker: &mut Worker, wish: Wish, clock: &Stopwatch) -> anyhow::Result<Gone> {
    // Beside Sentinel every node but the master stands lower: only a failed check moves the VIP.
    let mut leaving = wish.force || worker.config.sentinel.is_some();
    if leaving {
        drain::leave(&worker.store, wish.force)?;
    }
    let mut limit = Deadline::after(MOVE);
    let mut nowhere: Option<Stopwatch> = None;
    loop {
        let view = worker.look(true);
        let serving = view
            .serving_peer()
            .map(|(node, _)| node)
            .filter(|node| view.vip == Vip::At(*node));
        let took = clock.elapsed();
        if serving.is_some() && view.local.seen.as_ref().is_ok_and(|seen| !seen.is_master()) {
            return Ok(Gone { to: serving, took });
        }
        nowhere = (view.vip == Vip::Unknown).then(|| nowhere.unwrap_or_else(Stopwatch::start));
        if nowhere.is_some_and(|since| since.elapsed() >= NOWHERE) {
            if wish.force {
                return Ok(Gone { to: None, took });
            }
            bail!(
                "draining: this node gave up the VIP and no other takes it (does keepalived run \
                 there?); the drain is ended"
            );
        }
        if !leaving
            && clock.elapsed() >= HEARD
            && !drain::current(&worker.store).is_some_and(|drain| drain.heard)
        {
            leaving = true;
            drain::leave(&worker.store, wish.force)?;
            limit = Deadline::after(MOVE);
        }
        if !limit.pause(TICK) {
            return Err(not_moved(&view));
        }
    }
}

fn not_moved(view: &View) -> anyhow::Error {
    match view.vip {
        Vip::Here => anyhow!(
            "draining: the VIP is still here after {} s: does keepalived run on this node and on \
             the others, with check_redis in its configuration? the drain is ended",
            MOVE.as_secs()
        ),
        _ => {
            anyhow!(
                "draining: the VIP has gone, and the role has not followed it: {}; the drain is \
                 ended",
                peers(view)
            )
        }
    }
}

/// A person wants to know when the other one is safe again. Nothing depends on it.
fn follows(worker: &mut Worker, master: Option<SocketAddr>) {
    let Some(master) = master else { return };
    let limit = Deadline::after(FOLLOW);
    loop {
        let view = worker.look(false);
        let missing = match (&view.local.seen, view.seen(master)) {
            (Ok(local), Some(Ok(master))) => pair::in_sync(local, master, view.max_lag),
            _ => Err("one of the two does not answer".to_string()),
        };
        let said = match missing {
            Ok(()) => format!("keepalived-redis: the local Redis follows {master}, and is in sync"),
            Err(_) if limit.pause(TICK) => continue,
            Err(missing) => {
                format!("keepalived-redis: the local Redis is not in sync with {master}: {missing}")
            }
        };
        return say(&mut std::io::stdout(), &said);
    }
}

/// Why each of the other nodes could not serve, in a few words.
fn peers(view: &View) -> String {
    let why = |node: &view::Node| match (&node.seen, &view.local.seen) {
        (Err(failure), _) => format!("{}: {failure}", node.address),
        (Ok(seen), Ok(local)) if seen.follows(view.local.address) => {
            let missing = pair::in_sync(seen, local, view.max_lag).err();
            format!(
                "{}: {}",
                node.address,
                missing.unwrap_or_else(|| "in sync".to_string())
            )
        }
        (Ok(_), _) => format!("{}: it does not follow this node", node.address),
    };
    view.peers.iter().map(why).collect::<Vec<_>>().join("; ")
}
