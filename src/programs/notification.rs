//! One notification of keepalived's, from the configuration to the exit code: which node this is,
//! whether it is this program's turn, and then the work of its VRRP state.

use std::path::Path;

use super::redis_fault::diagnose;
use super::{redis_backup, redis_master, redis_stop};
use crate::act::worker::Worker;
use crate::config::{Config, LOG_DIR};
use crate::deadline::{Deadline, Stopwatch};
use crate::decide::view::Vip;
use crate::exit::{Outcome, code, say};
use crate::node::addresses::local_node;
use crate::node::deaths;
use crate::node::hook::Event;
use crate::node::journal::{Journal, TRANSITIONS};
use crate::node::turn::{Ended, Entry, Turn};
use crate::node::vrrp_state::VrrpState;

/// Runs `name`, which keepalived calls for `state`, with the configuration at `path`; answers with
/// the exit code.
pub(crate) fn run(name: &'static str, state: VrrpState, path: &Path, clock: Stopwatch) -> u8 {
    let (config, alarm) = match Config::load_or_last(path) {
        Ok(loaded) => loaded,
        Err(error) => {
            Journal::new(Path::new(LOG_DIR), TRANSITIONS, name, state.label(), true)
                .line(&error.to_string(), &[]);
            return code::CANNOT_TELL;
        }
    };
    let journal =
        Journal::new(&config.log_dir, TRANSITIONS, name, state.label(), true).of(&config.instance);
    if let Some(alarm) = alarm {
        journal.line(
            &format!("ALARM: {alarm}; going on with what was last read"),
            &[],
        );
    }
    let local = match local_node(&config) {
        Ok(local) => local,
        Err(error) => {
            journal.line(&format!("{error:#}"), &[]);
            return code::CANNOT_TELL;
        }
    };
    let mut worker = Worker::new(config, local, journal, clock);
    // By hand on the wrong node: said before a turn is taken, which would end the redis_backup that
    // waits there.
    if state == VrrpState::Master && !worker.survey.holds_vip() && holder_elsewhere(&mut worker) {
        return code::NO;
    }
    let (entry, complaint) = Turn::enter(&worker.config.memory_dir, state);
    if let Some(complaint) = complaint {
        worker
            .voice
            .warn(format_args!("{complaint}; going on without"));
    }
    match entry {
        Entry::Yours(turn) => work(&mut worker, turn, state),
        Entry::AlreadyAtWork(pid) => {
            if state == VrrpState::Fault {
                diagnose(&worker);
            }
            // By hand a person wants to know; the journal has the worker's own lines.
            say(
                &mut std::io::stdout(),
                &format!("{name}: process {pid} is at this work already; leaving it to it"),
            );
            code::YES
        }
        Entry::Superseded(newer) => {
            worker.voice.line(
                &format!("too late: the state is {newer} by now; nothing done"),
                &[],
            );
            code::NO
        }
    }
}

fn work(worker: &mut Worker, turn: Turn, state: VrrpState) -> u8 {
    let again = turn.previous() == Some(state);
    let by_sentinel = worker.config.sentinel.is_some();
    let give_way = if by_sentinel {
        redis_backup::by_sentinel::run
    } else {
        redis_backup::run
    };
    let outcome = match state {
        VrrpState::Master if by_sentinel => redis_master::by_sentinel::run(worker, &turn, again),
        VrrpState::Master => redis_master::run(worker, &turn, again),
        VrrpState::Backup => {
            if worker.survey.holds_vip() {
                worker.voice.line(
                    "this node holds the VIP still: keepalived decides who does",
                    &[],
                );
            } else if !again {
                worker.voice.line("this node does not hold the VIP", &[]);
            }
            give_way(worker, &turn)
        }
        VrrpState::Fault => {
            diagnose(worker);
            give_way(worker, &turn)
        }
        VrrpState::Stop => {
            worker
                .voice
                .transition(Event::Stop, "keepalived stops here", &[]);
            if let Some(mut sentinels) = worker.sentinels() {
                redis_backup::by_sentinel::tell_words(
                    &worker.voice,
                    &sentinels.ask(Deadline::after(worker.config.timing.connect)),
                );
            }
            deaths::planned(&worker.store);
            redis_stop::run(worker, &turn)
        }
    };
    let code = match outcome {
        Ok(Outcome::Yes) => code::YES,
        Ok(Outcome::No) => code::NO,
        Err(ended @ (Ended::Superseded(_) | Ended::Terminated)) => {
            worker.voice.line(&ended.to_string(), &[]);
            code::NO
        }
    };
    turn.done();
    code
}

fn holder_elsewhere(worker: &mut Worker) -> bool {
    let Vip::At(holder) = worker.look(true).vip else {
        return false;
    };
    worker.voice.line(
        &format!("nothing done: the VIP is at {holder}, and keepalived decides who holds it"),
        &[],
    );
    true
}
