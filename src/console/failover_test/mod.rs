//! `keepalived-redis failover-test`: a handover there and back, while it writes through the VIP,
//! and what that cost.
//!
//! The moves are those of `drain` and `resume`. Whatever ends it, the drain is ended and its keys
//! are deleted.

pub(crate) mod measure;
mod moves;
pub(crate) mod writer;
pub(crate) mod written;

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, bail, ensure};

use self::measure::{Measured, table};
use self::moves::{Came, moves};
use self::writer::Writer;
use self::written::{delete, missing};
use super::drain as draining;
use super::interrupt::Interrupt;
use crate::act::worker::Worker;
use crate::console::asked::is_agreed;
use crate::decide::pair;
use crate::decide::view::{View, Vip};
use crate::exit::say;
use crate::node::drain;
use crate::terminal::{Terminal, Tone};

/// Its keys begin with this; they end by themselves after an hour.
pub(crate) const PREFIX: &str = "keepalived-redis:failover-test:";

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
    if !yes && !is_wanted(vip, other, rate, terminal)? {
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

fn is_wanted(
    vip: SocketAddr,
    other: SocketAddr,
    rate: u32,
    terminal: &Terminal,
) -> anyhow::Result<bool> {
    let about = [
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
    ];
    let nobody = "failover-test: it moves the VIP and the role";
    is_agreed(terminal, nobody, &about, "Go on?")
}
