//! One run of a program: what it was told, which node it is, where it writes, and how it speaks
//! while it waits.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use super::copy_progress::Copying;
use super::handover::{self, Moved, Trouble, failed};
use crate::config::Config;
use crate::deadline::{Deadline, Stopwatch, ms};
use crate::decide::sentinel::Scene;
use crate::decide::view::{View, Vip};
use crate::look::sentinels::Sentinels;
use crate::look::survey::Survey;
use crate::node::clock::now;
use crate::node::hook::{self, Event};
use crate::node::journal::{Journal, Label};
use crate::node::memory::{InFile, Served, Store};
use crate::node::turn::{Ended, Turn};
use crate::server::failure::Failure;
use crate::server::fence;
use crate::server::info::{Observation, Role};
use crate::server::term::Term;

/// A wait is said at first, then this often.
const REMINDER: Duration = Duration::from_secs(60);
/// A sync that moves on is said this often.
const PROGRESS: Duration = Duration::from_secs(5);
/// A fence that stays up this long has been left behind: a handover is a thousand times faster.
const FENCE_AGE: Duration = Duration::from_secs(3);

/// What every notify program carries with it.
pub(crate) struct Program {
    pub config: Config,
    pub local: SocketAddr,
    pub journal: Journal,
    pub store: Store,
    pub survey: Survey,
    /// Since the program was started.
    pub clock: Stopwatch,
    /// When each reason to wait was said last.
    waits: HashMap<String, Stopwatch>,
    situation: Option<(String, Stopwatch)>,
    /// The rollback file that was taken last: the same data is not kept twice.
    pub kept: Option<InFile>,
    fence_seen: Option<Stopwatch>,
    copying: Copying,
}

/// What a node said in the look that a step rests on.
///
/// # Errors
/// [`Trouble`]: it said nothing usable.
pub(crate) fn observed(view: &View, node: SocketAddr) -> Result<&Observation, Trouble> {
    match view.seen(node) {
        Some(Ok(seen)) => Ok(seen),
        Some(Err(failure)) => Err(failed("looking at", node, failure)),
        None => Err(failed("looking at", node, "it is not one of the nodes")),
    }
}

/// The pair in a few words: as long as they stay the same, nothing has changed.
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

impl Program {
    /// Ready to look; nothing has been connected to. `clock` runs since the program was started.
    pub(crate) fn new(
        config: Config,
        local: SocketAddr,
        journal: Journal,
        clock: Stopwatch,
    ) -> Program {
        let store = Store::new(&config.memory_dir);
        let survey = Survey::new(&config, local);
        Program {
            config,
            local,
            journal,
            store,
            survey,
            clock,
            waits: HashMap::new(),
            situation: None,
            kept: None,
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
        let timing = &self.config.timing;
        self.survey
            .look(ask_vip, Deadline::after(timing.connect + timing.command))
    }

    /// A transition: a line of the journal, and the hook is told.
    pub(crate) fn transition(&self, event: Event, sentence: &str, pairs: &[(&str, &dyn Display)]) {
        self.journal.line(sentence, pairs);
        self.tell(event, sentence, pairs);
    }

    /// Tells the hook alone. Whatever becomes of it, nothing here depends on it.
    pub(crate) fn tell(&self, event: Event, sentence: &str, pairs: &[(&str, &dyn Display)]) {
        if self.config.hooks.on_transition.is_empty() {
            return;
        }
        let (label, at) = (self.journal.label(), now());
        let state = label
            .to_string()
            .trim_matches(['[', ']'])
            .to_ascii_uppercase();
        let mut facts: Vec<(&str, &dyn Display)> = vec![
            ("at", &at),
            ("instance", &self.config.instance),
            ("node", &self.local),
            ("sentence", &sentence),
            ("vip", &self.config.vip),
        ];
        // By hand there is no VRRP state that this is done for.
        facts.extend((label != Label::Drain).then_some(("state", &state as &dyn Display)));
        facts.extend(pairs.iter().copied());
        if let Err(error) = hook::start(&self.config.hooks, event, &facts) {
            self.journal.line(&format!("warning: {error:#}"), &[]);
        }
    }

    /// For how long the pair has been seen as it is in `view`.
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

    /// What is left to do once the role has moved from `giver`, and nobody waits for it.
    pub(crate) fn warn_moved(
        &self,
        giver: SocketAddr,
        moved: &Moved,
        disconnected: Result<(), Failure>,
    ) {
        if let Some(failure) = &moved.unreleased {
            self.journal.line(
                &format!("warning: letting the writers of {giver} go on: {failure}"),
                &[],
            );
        }
        if let Err(failure) = disconnected {
            self.journal.line(
                &format!("warning: disconnecting the clients of {giver}: {failure}"),
                &[],
            );
        }
    }

    /// `CONFIG REWRITE` on the local Redis.
    pub(crate) fn write_role_down(&mut self) {
        let (local, command) = (self.local, self.config.timing.command);
        let rewritten = self
            .survey
            .local()
            .and_then(|server| handover::rewrite_config(server, command));
        self.warn_rewrite(local, rewritten);
    }

    /// `CONFIG REWRITE` on the local Redis and on `peer`.
    pub(crate) fn rewrite_both(
        &mut self,
        peer: SocketAddr,
    ) -> [(SocketAddr, Result<(), Failure>); 2] {
        let (local, command) = (self.local, self.config.timing.command);
        [local, peer].map(|node| {
            (
                node,
                self.survey
                    .node(node)
                    .and_then(|server| handover::rewrite_config(server, command)),
            )
        })
    }

    /// Writes a new term into `node`, which has just become master and makes the history `replid`:
    /// later than any in `view`. Where that is refused it is a warning, and two cold nodes may not
    /// be told apart one day.
    pub(crate) fn write_term(&mut self, view: &View, node: SocketAddr, replid: &str) {
        let command = self.config.timing.command;
        let Ok(version) = observed(view, node).map(|seen| seen.version) else {
            return;
        };
        let term = Term::after(view.terms(), node, replid, now());
        let written = self
            .survey
            .node(node)
            .and_then(|server| server.write_term(&term, version, Deadline::after(command)));
        if let Err(failure) = written {
            let sentence = format!(
                "warning: writing term {} into {node}: {failure}; going on without",
                term.number
            );
            self.journal.line(&sentence, &[]);
        }
    }

    /// Says that something is waited for: when it begins, every minute, and a sync that moves on
    /// every 5 s.
    pub(crate) fn say_waiting(&mut self, why: &str) {
        let kind: String = why.chars().filter(|c| !c.is_ascii_digit()).collect();
        let pace = if why.contains('%') {
            PROGRESS
        } else {
            REMINDER
        };
        // Of each reason apart: two may alternate, as a copy that is refused and the link that is
        // down then.
        if self
            .waits
            .get(&kind)
            .is_some_and(|said| said.elapsed() < pace)
        {
            return;
        }
        self.waits.retain(|_, said| said.elapsed() < REMINDER);
        self.waits.insert(kind, Stopwatch::start());
        self.journal.line(
            &format!("waiting: {why}"),
            &[("waited_ms", &ms(self.clock.elapsed()))],
        );
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

    /// A failed step is said once; the loop that it happened in looks again.
    pub(crate) fn say_trouble(&mut self, trouble: &dyn Display) {
        self.say_waiting(&format!("{trouble}; looking again"));
    }

    /// The fixed wait of `timing.delay`, for those who want the scripts' pace.
    ///
    /// # Errors
    /// [`Ended`] as soon as a newer notification comes.
    pub(crate) fn delay(&self, turn: &Turn) -> Result<(), Ended> {
        let delay = Deadline::after(self.config.timing.delay);
        while delay.pause(Duration::from_millis(20)) {
            turn.check()?;
        }
        turn.check()
    }

    /// Remembers that the local Redis serves in its present run.
    pub(crate) fn remember_served(&self, run_id: &str, replid: &str) {
        self.remember(self.store.set_served(run_id, replid));
    }

    /// Remembers that the local Redis is no longer the one that serves.
    pub(crate) fn forget_served(&self) {
        self.remember(self.store.clear::<Served>());
    }

    /// Remembers that `local` has all that `peer` has.
    pub(crate) fn remember_synced(&self, local: &Observation, peer: SocketAddr) {
        self.remember(self.store.set_synced(
            &local.run_id,
            &local.replication.lineage.replid,
            peer,
        ));
    }

    fn remember(&self, written: std::io::Result<()>) {
        if let Err(error) = written {
            self.journal
                .line(&format!("warning: {error}; going on without"), &[]);
        }
    }

    /// A role that is not in redis.conf is gone at the next restart (R10): worth a line, never a
    /// failure.
    pub(crate) fn warn_rewrite(&self, node: SocketAddr, rewritten: Result<(), Failure>) {
        if let Err(failure) = rewritten {
            self.journal.line(
                &format!(
                    "warning: CONFIG REWRITE on {node}: {failure}; its role will not survive \
                    a restart"
                ),
                &[],
            );
        }
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
            self.journal.line(
                "lifted the fence of a handover that did not end",
                &[("min_slaves_to_write", &former)],
            );
        }
        false
    }
}

/// The nodes, the VIP and the sentinels at the same time.
pub(crate) fn look_with_sentinels(
    program: &mut Program,
    sentinels: &mut Sentinels,
) -> (View, Scene) {
    let timing = &program.config.timing;
    let deadline = Deadline::after(timing.connect + timing.command);
    let (poll, view) = std::thread::scope(|scope| {
        let poll = scope.spawn(|| sentinels.ask(deadline));
        let view = program.look(true);
        (poll.join(), view)
    });
    let poll = poll.unwrap_or_else(|_| sentinels.silence());
    let order = program.config.nodes.clone();
    let scene = Scene {
        local: view.local.clone(),
        peers: view.peers.clone(),
        order,
        vip: view.vip,
        poll,
        was_cut_off: false,
    };
    (view, scene)
}
