//! `keepalived-redis failover-test`: a handover there and back, while it writes through the VIP,
//! and what that cost.
//!
//! The moves are those of `drain` and `resume`. Whatever ends it, the drain is ended and its keys
//! are deleted.

pub(crate) mod measure;
pub(crate) mod writer;

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use self::measure::{Measured, Phase, table};
use self::writer::{Writer, delete, missing};
use super::drain as draining;
use super::drain::Wish;
use super::interrupt::Interrupt;
use crate::act::worker::Worker;
use crate::deadline::Deadline;
use crate::decide::pair;
use crate::decide::view::{View, Vip};
use crate::exit::say;
use crate::node::drain;
use crate::terminal::{Terminal, Tone};

/// Its keys begin with this; they end by themselves after an hour.
pub(crate) const PREFIX: &str = "keepalived-redis:failover-test:";

const TICK: Duration = Duration::from_millis(50);
/// For each of the moves to be made and the other node to follow.
const MOVE: Duration = Duration::from_secs(60);
/// Should this program be killed, the drain ends by itself.
const LASTING: Duration = Duration::from_secs(600);
/// How long it writes before anything is moved: what a client sees when all is well.
const CALM: Duration = Duration::from_secs(1);
/// For a write to be acknowledged once a node serves.
const WRITES_ON: Duration = Duration::from_secs(10);

enum Came {
    Back,
    /// The VIP stays where it is, as the set-up wants it.
    Stays(SocketAddr),
}

/// Runs it, with the configuration at `path` and so many writes a second; answers with the exit
/// code.
pub(crate) fn run(path: &Path, rate: u32, yes: bool, terminal: &Terminal) -> u8 {
    draining::answer(path, |program| test(program, rate, yes, terminal))
}

/// True where all moves were made and nothing was lost.
fn test(program: &mut Worker, rate: u32, yes: bool, terminal: &Terminal) -> anyhow::Result<bool> {
    let view = program.look(true);
    let other = may_begin(program, &view)?;
    let vip = SocketAddr::new(program.config.vip, program.local.port());
    if !yes && !is_agreed(vip, other, rate, terminal)? {
        bail!("failover-test: nothing was done");
    }
    let interrupt = Interrupt::armed();
    let mut phases = Vec::new();
    let writer = Writer::start(vip, &program.config, rate)?;
    let came = moves(program, &writer, &interrupt, &mut phases);
    // On every way out, and before anything that may take its time.
    let ended = drain::end(&program.store);
    let written = writer.stop()?;
    let view = program.look(true);
    let serving = match view.vip {
        Vip::Here => program.local,
        _ => view.serving_peer().map_or(program.local, |(node, _)| node),
    };
    let lost = program
        .survey
        .node(serving)
        .map_err(anyhow::Error::from)
        .and_then(|server| missing(server, &written));
    let deleted = program
        .survey
        .node(serving)
        .map_err(anyhow::Error::from)
        .and_then(|server| delete(server, &written));
    if let Err(error) = deleted {
        say(
            &mut io::stderr(),
            &format!(
                "keepalived-redis: deleting the keys of the test on {serving}: {error:#}; they \
                 end by themselves after an hour"
            ),
        );
    }
    ended.context("ending the drain: keepalived-redis resume does it")?;
    let lost =
        lost.with_context(|| format!("reading the acknowledged writes back from {serving}"))?;
    let measured: Vec<Measured> = phases
        .iter()
        .map(|phase| phase.measured(&written, &lost))
        .collect();
    for line in table(&measured) {
        terminal.line(&line);
    }
    let (count, acknowledged) = (lost.len(), written.acknowledged.len());
    let came = came?;
    let result = format!("failover test: {acknowledged} writes acknowledged, {count} lost");
    program.voice.line(
        &result,
        &[(
            "longest_gap_ms",
            &measured
                .iter()
                .map(|one| one.gap.as_millis())
                .max()
                .unwrap_or(0),
        )],
    );
    match came {
        Came::Back => terminal.line(&terminal.paint(tone(count), "there and back")),
        Came::Stays(node) => terminal.line(&format!(
            "the VIP stays at {node}, as the sticky variant has it (check_redis --eligible is not \
             in use); to test the way back \
             run keepalived-redis failover-test there"
        )),
    };
    Ok(count == 0)
}

fn tone(lost: usize) -> Tone {
    if lost == 0 { Tone::Good } else { Tone::Bad }
}

/// The node that is to serve meanwhile.
///
/// # Errors
/// This is not the node to run it on, or not the time.
fn may_begin(program: &Worker, view: &View) -> anyhow::Result<SocketAddr> {
    ensure!(
        program.config.sentinel.is_none(),
        "failover-test: beside Sentinel the VIP does not come back by itself; use \
         keepalived-redis drain and resume"
    );
    match view.vip {
        Vip::Here => {}
        Vip::At(node) => bail!("failover-test: {node} holds the VIP: run it there"),
        Vip::Unknown => {
            bail!(
                "failover-test: nobody is seen to hold the VIP {}; see keepalived-redis status",
                program.config.vip
            )
        }
    }
    let local = view
        .local
        .seen
        .as_ref()
        .map_err(Clone::clone)
        .with_context(|| format!("looking at {}", program.local))?;
    ensure!(
        local.is_master(),
        "failover-test: {} holds the VIP and is no master yet; see keepalived-redis status",
        program.local
    );
    if let Some(drain) = drain::current(&program.store) {
        bail!("failover-test: this node is {drain}; keepalived-redis resume first");
    }
    pair::well_peer(view).context(
        "failover-test: no other node is in sync with this one and ready to serve; see \
         keepalived-redis status",
    )
}

fn is_agreed(
    vip: SocketAddr,
    other: SocketAddr,
    rate: u32,
    terminal: &Terminal,
) -> anyhow::Result<bool> {
    ensure!(
        io::stdin().is_terminal() && terminal.is_terminal,
        "failover-test: it moves the VIP and the role, and nobody is there to be asked; give --yes"
    );
    for line in [
        format!(
            "This moves the VIP {} and the role to {other} and back.",
            vip.ip()
        ),
        "Clients lose their connections twice, and writes stand still for a moment each time."
            .to_owned(),
        format!(
            "Meanwhile {rate} writes a second go through the VIP, to keys that are deleted at the \
             end."
        ),
    ] {
        terminal.line(&line);
    }
    let _ = write!(io::stdout(), "Go on? [y/N] ");
    let _ = io::stdout().flush();
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .context("reading the answer")?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// There and back; each phase is written down as it goes.
fn moves(
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
