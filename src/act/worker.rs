//! One run of a program: what it was told, which node it is, its connections to the nodes, and what
//! it has seen of them so far.

use std::net::SocketAddr;
use std::time::Duration;

use super::copy_progress::Copying;
use super::voice::Voice;
use crate::config::Config;
use crate::deadline::{Deadline, Stopwatch};
use crate::decide::sentinel::Scene;
use crate::decide::view::{View, Vip};
use crate::look::sentinels::Sentinels;
use crate::look::survey::Survey;
use crate::node::journal::Journal;
use crate::node::memory::{InFile, Store};
use crate::server::fence;
use crate::server::info::Role;

/// A fence that stays up this long has been left behind: a handover is a thousand times faster.
const FENCE_AGE: Duration = Duration::from_secs(3);

/// What every notify program carries with it.
pub(crate) struct Worker {
    pub config: Config,
    pub local: SocketAddr,
    pub voice: Voice,
    pub store: Store,
    pub survey: Survey,
    /// Since the program was started.
    pub clock: Stopwatch,
    /// The rollback file that was taken last: the same data is not kept twice.
    pub kept: Option<InFile>,
    situation: Option<(String, Stopwatch)>,
    fence_seen: Option<Stopwatch>,
    copying: Copying,
}

/// The nodes in a few words: as long as they stay the same, nothing has changed.
fn outline(view: &View) -> String {
    let mut text = match view.vip {
        Vip::Here => "vip here".to_string(),
        Vip::At(node) => format!("vip at {node}"),
        Vip::Unknown => "vip unknown".to_string(),
    };
    for node in view.nodes() {
        text.push_str(&match node
            .seen
            .as_ref()
            .map(|seen| (&seen.run_id, &seen.replication.role))
        {
            Ok((run, Role::Master)) => format!(", {} {run} master", node.address),
            Ok((run, Role::Replica(of))) => format!(
                ", {} {run} replica of {}:{}",
                node.address, of.host, of.port
            ),
            Err(_) => format!(", {} silent", node.address),
        });
    }
    text
}

impl Worker {
    /// Ready to look; nothing has been connected to. `clock` runs since the program was started.
    pub(crate) fn new(
        config: Config,
        local: SocketAddr,
        journal: Journal,
        clock: Stopwatch,
    ) -> Worker {
        Worker {
            voice: Voice::new(&config, local, journal, clock),
            store: Store::new(&config.memory_dir),
            survey: Survey::new(&config, local),
            config,
            local,
            clock,
            kept: None,
            situation: None,
            fence_seen: None,
            copying: Copying::default(),
        }
    }

    /// The sentinels; `None` where it is these programs that move the role.
    pub(crate) fn sentinels(&self) -> Option<Sentinels> {
        self.config
            .sentinel
            .as_ref()
            .map(|sentinel| Sentinels::new(sentinel, &self.config.timing))
    }

    /// One look at everything. Longer than one connection and one answer it can't take.
    pub(crate) fn look(&mut self, ask_vip: bool) -> View {
        let deadline = self.look_deadline();
        self.survey.look(ask_vip, deadline)
    }

    /// The nodes, the VIP and the sentinels at the same time.
    pub(crate) fn look_with_sentinels(&mut self, sentinels: &mut Sentinels) -> Scene {
        let deadline = self.look_deadline();
        let (poll, view) = std::thread::scope(|scope| {
            let poll = scope.spawn(|| sentinels.ask(deadline));
            let view = self.look(true);
            (poll.join(), view)
        });
        Scene {
            view,
            order: self.config.nodes.clone(),
            poll: poll.unwrap_or_else(|_| sentinels.silence()),
            was_cut_off: false,
        }
    }

    fn look_deadline(&self) -> Deadline {
        let timing = &self.config.timing;
        Deadline::after(timing.connect + timing.command)
    }

    /// For how long the nodes have been seen as they are in `view`.
    pub(crate) fn unchanged_for(&mut self, view: &View) -> Duration {
        let now = outline(view);
        match &self.situation {
            Some((then, since)) if *then == now => since.elapsed(),
            _ => {
                self.situation = Some((now, Stopwatch::start()));
                Duration::ZERO
            }
        }
    }

    /// Shows a person on a terminal how a copy of the master's data moves on.
    pub(crate) fn show_progress(&mut self, view: &View) {
        self.copying.show(
            view,
            &mut self.survey,
            self.config.timing.command,
            self.clock.elapsed(),
        );
    }

    /// Lifts the fence of a handover that died half-way, where the local master has no pause that
    /// ends by itself. True while there is one that may still be at work.
    pub(crate) fn lift_stale_fence(&mut self, view: &View) -> bool {
        let Ok(seen) = &view.local.seen else {
            return false;
        };
        if !seen.is_master() || seen.version.can_pause_writes() && !self.config.auth.lacks("client")
        {
            return false;
        }
        let command = self.config.timing.command;
        let Ok(server) = self.survey.local() else {
            return false;
        };
        if !matches!(fence::left_behind(server, command), Ok(Some(_))) {
            self.fence_seen = None;
            return false;
        }
        let since = *self.fence_seen.get_or_insert_with(Stopwatch::start);
        if since.elapsed() < FENCE_AGE {
            return true;
        }
        if let Ok(Some(former)) = fence::lift(server, seen.version, command) {
            self.fence_seen = None;
            self.voice.line(
                "lifted the fence of a handover that did not end",
                &[("min_slaves_to_write", &former)],
            );
        }
        false
    }
}
