//! `keepalived-redis promote --outdated`: a person decides that what is here is served, though
//! another node, which is away, is known to have newer data.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use crate::act::worker::Worker;
use crate::config::{DEFAULT_PATH, RollbackMode};
use crate::console::asked::is_agreed;
use crate::console::drain::worker;
use crate::deadline::{Deadline, Stopwatch, ms};
use crate::decide::view::{View, Vip};
use crate::exit::code;
use crate::node::memory::{Outdated, Synced};
use crate::node::ticket;
use crate::node::vrrp_state::VrrpState;
use crate::server::failure::Failure;
use crate::terminal::{Terminal, complain, plain};

const TICK: Duration = Duration::from_millis(50);
/// `redis_master` acts within milliseconds once this node has been alone for long enough; the rest
/// is for looks at nodes that do not answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// `keepalived-redis promote --outdated`; answers with the exit code. Asks first, but with `yes`.
pub(crate) fn run(path: &Path, yes: bool, terminal: &Terminal) -> u8 {
    let mut worker = match worker(path) {
        Ok(worker) => worker,
        Err(error) => {
            complain(&error);
            return code::CANNOT_TELL;
        }
    };
    let ended = |error: anyhow::Error, code: u8| {
        complain(&error.context("promoting outdated data"));
        code
    };
    let outdated = match look(&mut worker) {
        Ok(outdated) => outdated,
        Err(error) => return ended(error, code::NO),
    };
    if !yes {
        match is_wanted(&worker, &outdated, terminal) {
            Ok(true) => {}
            Ok(false) => {
                terminal.line("nothing was done");
                return code::NO;
            }
            Err(error) => return ended(error, code::CANNOT_TELL),
        }
    }
    // A person may have taken a while to answer.
    let taken = look(&mut worker).and_then(|outdated| {
        forget(&worker, &outdated)?;
        until_served(&mut worker, &outdated, path)
    });
    match taken {
        Ok(()) => code::YES,
        Err(error) => ended(error, code::NO),
    }
}

/// What would be overridden.
///
/// # Errors
/// There is nothing to override, or this is not the node or not the time to do it.
fn look(worker: &mut Worker) -> anyhow::Result<Outdated> {
    ensure!(
        worker.config.sentinel.is_none(),
        "Sentinel gives out the roles here; ask a sentinel for it (SENTINEL FAILOVER)"
    );
    let view = worker.look(true);
    may_be_overridden(&view)
}

fn may_be_overridden(view: &View) -> anyhow::Result<Outdated> {
    let Some(outdated) = view.memory.outdated.clone() else {
        bail!(
            "nothing to do: this node does not know of newer data elsewhere (keepalived-redis \
             explain says what is waited for)"
        );
    };
    match view.vip {
        Vip::Here => {}
        Vip::At(node) => bail!(
            "{node} holds the VIP, and only the node that holds it can serve; see \
             keepalived-redis status there"
        ),
        Vip::Unknown => bail!(
            "the VIP is not here, and only the node that holds it can serve: does keepalived run \
             here, and what does check_redis say?"
        ),
    }
    if let Some(why) = is_there(view, &outdated) {
        bail!("{why}");
    }
    if let Err(failure) = &view.local.seen {
        bail!(
            "the local Redis can't serve: {}: {failure}; mend that first",
            view.local.address
        );
    }
    Ok(outdated)
}

/// The node whose data is newer is no longer away; with what to do.
fn is_there(view: &View, outdated: &Outdated) -> Option<String> {
    let node = outdated.node;
    match view.seen(node)? {
        Ok(seen) if seen.loading => Some(format!(
            "{node} is loading its data, which is newer: wait for it"
        )),
        Ok(_) => Some(format!(
            "{node} answers, and its data is newer: redis_master takes it over by itself, and \
             keepalived-redis explain says what it waits for"
        )),
        Err(failure @ (Failure::Denied(_) | Failure::Tls(_))) => Some(format!(
            "{node}, whose data is newer, is alive, but {failure}: mend that, or stop that Redis \
             if its newer data is to be left"
        )),
        Err(_) => None,
    }
}

fn is_wanted(worker: &Worker, outdated: &Outdated, terminal: &Terminal) -> anyhow::Result<bool> {
    let node = outdated.node;
    let about = [
        format!("The data of this node is outdated: {outdated}."),
        format!("What {node} has beyond it is not served until that node is back."),
        match worker.config.rollback.mode {
            RollbackMode::Never => format!(
                "When {node} is back its data stands, and what is written here until then is \
                 dropped (rollback.mode is never)."
            ),
            _ => format!(
                "When {node} is back its data stands, and what is written here until then is in a \
                 rollback file."
            ),
        },
    ];
    is_agreed(
        terminal,
        "clients would be served old data",
        &about.map(|line| plain(&line)),
        "Serve what is here?",
    )
}

/// Removes the mark; that is a line of the journal.
fn forget(worker: &Worker, outdated: &Outdated) -> anyhow::Result<()> {
    let doing = "(are you root?)";
    // To have been in sync once counts for nothing now: the reign must not pass for a sure one, or
    // the newer data would not stand later. It goes first, as `redis_master` may look in between.
    worker.store.clear::<Synced>().context(doing)?;
    worker.store.clear::<Outdated>().context(doing)?;
    worker.voice.line(
        &format!("outdated data may be served from now on, by hand; overridden: {outdated}"),
        &[],
    );
    Ok(())
}

/// Waits until `redis_master`, which waits itself, has made the local Redis master at the VIP.
///
/// # Errors
/// It has not.
fn until_served(worker: &mut Worker, outdated: &Outdated, path: &Path) -> anyhow::Result<()> {
    let clock = Stopwatch::start();
    let most = worker.config.timing.alone_after + PATIENCE;
    let limit = Deadline::after(most);
    loop {
        // Asked before the look: whatever it has done until it ended is seen then.
        let at_work = is_master_at_work(worker);
        let view = worker.look(true);
        if serves(&view) {
            let sentence = format!("{} serves now, with outdated data", worker.local);
            worker
                .voice
                .line(&sentence, &[("took_ms", &ms(clock.elapsed()))]);
            return Ok(());
        }
        ensure!(
            view.vip == Vip::Here,
            "the VIP has left this node meanwhile; see keepalived-redis status"
        );
        if let Some(why) = is_there(&view, outdated) {
            bail!("{why}");
        }
        ensure!(
            at_work,
            "nothing holds this node back any more, but no redis_master is at work that would \
             make it master: run {}",
            redis_master(path)
        );
        ensure!(
            limit.pause(TICK),
            "the local Redis is not master after {} s; keepalived-redis explain says what is \
             waited for",
            most.as_secs()
        );
    }
}

/// The local Redis is master at the VIP, by `redis_master`'s doing.
fn serves(view: &View) -> bool {
    let local = view.local.seen.as_ref().ok();
    view.vip == Vip::Here
        && local.is_some_and(|local| local.is_master() && view.served_this_run(local))
}

/// True also where it can't be told.
fn is_master_at_work(worker: &Worker) -> bool {
    match ticket::read(&worker.config.memory_dir) {
        Ok(Some(ticket)) => ticket.state == VrrpState::Master && ticket.is_at_work(),
        Ok(None) => false,
        Err(_) => true,
    }
}

fn redis_master(path: &Path) -> String {
    let program = "/usr/libexec/keepalived/redis_master";
    if path == Path::new(DEFAULT_PATH) {
        return program.to_string();
    }
    format!("{program} --config {}", path.display())
}

#[cfg(test)]
mod tests;
