//! The moves of the test, there and back, and how long each may take.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::measure::Phase;
use super::writer::Writer;
use crate::act::worker::Worker;
use crate::console::drain as draining;
use crate::console::drain::Wish;
use crate::console::interrupt::Interrupt;
use crate::deadline::Deadline;
use crate::decide::pair;
use crate::decide::view::{View, Vip};
use crate::node::drain;

const TICK: Duration = Duration::from_millis(50);
/// For each of the moves to be made and the other node to follow.
const MOVE: Duration = Duration::from_secs(60);
/// Should this program be killed, the drain ends by itself.
const LASTING: Duration = Duration::from_secs(600);
/// How long it writes before anything is moved: what a client sees when all is well.
const CALM: Duration = Duration::from_secs(1);
/// For a write to be acknowledged once a node serves.
const WRITES_ON: Duration = Duration::from_secs(10);

pub(crate) enum Came {
    Back,
    /// The VIP stays where it is, as the set-up wants it.
    Stays(SocketAddr),
}

/// There and back; each phase is written down as it goes.
pub(crate) fn moves(
    program: &mut Worker,
    writer: &Writer,
    interrupt: &Interrupt,
    phases: &mut Vec<Phase>,
) -> anyhow::Result<Came> {
    program.voice.line(
        "failover test: this node gives up the VIP and takes it back",
        &[],
    );
    phase(phases, writer, "before", |from| {
        let calm = Deadline::after(CALM);
        while calm.pause(TICK) {
            interrupt.check()?;
        }
        writes_on(writer, from, interrupt)
    })?;
    let mut heard = false;
    let to = phase(phases, writer, "there", |_| {
        let view = program.look(true);
        let gone = draining::move_away(
            program,
            &view,
            Wish {
                lasting: Some(LASTING),
                force: false,
            },
        )?;
        let to = gone
            .to
            .context("failover-test: the VIP has gone, and nobody serves")?;
        let before = writer.acknowledged();
        until(
            program,
            interrupt,
            "the other node serves, and this one follows it in sync",
            |view| {
                let (Ok(local), Some(Ok(master))) = (&view.local.seen, view.seen(to)) else {
                    return Err("one of the two does not answer".to_owned());
                };
                match view.vip {
                    Vip::At(node) if node == to && master.is_master() => {
                        pair::in_sync(local, master, view.max_lag)
                    }
                    _ => Err(format!("{to} does not serve")),
                }
            },
        )?;
        heard = drain::current(&program.store).is_some_and(|drain| drain.heard);
        writes_on(writer, before, interrupt)?;
        Ok(to)
    })?;
    drain::end(&program.store).context("ending the drain")?;
    program.voice.line(
        &format!("failover test: {to} serves, and this node follows it; the drain is ended"),
        &[],
    );
    if !heard {
        // Where it is in use it is asked every second, and a lower priority is what moves the VIP
        // back, too.
        return Ok(Came::Stays(to));
    }
    phase(phases, writer, "back", |_| {
        let local = program.local;
        until(
            program,
            interrupt,
            "this node holds the VIP and serves again",
            |view| {
                let (Ok(mine), Some(Ok(theirs))) = (&view.local.seen, view.seen(to)) else {
                    return Err("one of the two does not answer".to_owned());
                };
                match view.vip {
                    Vip::Here if mine.is_master() => pair::in_sync(theirs, mine, view.max_lag),
                    Vip::Here => Err(format!("{local} holds the VIP, and is no master")),
                    _ => {
                        let found = pair::eligibility(view);
                        let hint = "; with nopreempt, or a lower priority than the other node's, \
                            it stays there";
                        Err(format!(
                            "{}{}",
                            found.why,
                            if found.eligible { hint } else { "" }
                        ))
                    }
                }
            },
        )?;
        writes_on(writer, writer.acknowledged(), interrupt)
    })?;
    Ok(Came::Back)
}

/// Does one part of it, which hears how many writes were acknowledged before.
fn phase<T>(
    phases: &mut Vec<Phase>,
    writer: &Writer,
    name: &'static str,
    work: impl FnOnce(u64) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let from = writer.now();
    let done = work(writer.acknowledged());
    phases.push(Phase {
        name,
        from,
        to: Some(writer.now()),
        reached: done.is_ok(),
    });
    done
}

/// Clients are served: more writes than `before` are acknowledged.
fn writes_on(writer: &Writer, before: u64, interrupt: &Interrupt) -> anyhow::Result<()> {
    let deadline = Deadline::after(WRITES_ON);
    while writer.acknowledged() <= before {
        interrupt.check()?;
        ensure!(
            deadline.pause(TICK),
            "failover-test: no write through the VIP is acknowledged: {}",
            writer.last_error()
        );
    }
    Ok(())
}

/// Looks until nothing is missing.
fn until(
    program: &mut Worker,
    interrupt: &Interrupt,
    what: &str,
    mut missing: impl FnMut(&View) -> Result<(), String>,
) -> anyhow::Result<()> {
    let deadline = Deadline::after(MOVE);
    loop {
        interrupt.check()?;
        let view = program.look(true);
        let Err(why) = missing(&view) else {
            return Ok(());
        };
        ensure!(
            deadline.pause(TICK),
            "failover-test: waited {} s in vain: {what}: {why}",
            MOVE.as_secs()
        );
    }
}
