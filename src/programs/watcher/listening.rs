//! The watcher's conversation with the local Redis: a question, its answer or its silence, and the
//! rest until the next.

use std::time::Duration;

use redis::cmd;

use super::subscription::Subscription;
use super::watch::Watch;
use super::{LONGEST_BEAT, SHORT_LIVED};
use crate::deadline::{Deadline, Stopwatch};
use crate::server::Server;
use crate::server::failure::Failure;
use crate::server::probe::{Liveness, is_pong};

/// Woken this much later than asked for, we were the ones who stood still: what did not come is
/// asked for again.
const OUR_OWN_DELAY: Duration = Duration::from_millis(50);
/// A server that closes the connection may be telling somebody else to go (CLIENT KILL after a
/// handover). One that dies refuses the next connection; one that is about to die may take it and
/// close it again.
const TRIES: u32 = 3;

impl Watch {
    /// One question and its answer. `go_on` is asked while it is waited for.
    pub(crate) fn listen(&mut self, go_on: &mut dyn FnMut() -> bool) -> Liveness {
        let hang = self.config.timing.hang;
        let mut late = false;
        for _ in 1..TRIES {
            let asked = Stopwatch::start();
            match self.ask(hang, go_on) {
                Liveness(Err(Failure::Reset)) => {}
                Liveness(Err(Failure::TimedOut | Failure::NoConnection))
                    if !late && asked.elapsed() > hang + OUR_OWN_DELAY =>
                {
                    late = true;
                }
                found => return found,
            }
        }
        self.ask(hang, go_on)
    }

    fn ask(&mut self, hang: Duration, go_on: &mut dyn FnMut() -> bool) -> Liveness {
        let deadline = Deadline::after(hang);
        let mut server = match self.server.take() {
            Some(server) => server,
            None => {
                self.seen = None;
                match self.connect(deadline, go_on) {
                    Ok(server) => server,
                    Err(failure) => return Liveness(Err(failure)),
                }
            }
        };
        let answer = server.call_while(&cmd("PING"), deadline, LONGEST_BEAT, go_on);
        let found = Liveness(answer.and_then(is_pong));
        if self.subscription.is_some() && found.0.is_ok() {
            self.observe(&mut server, deadline);
        }
        if found.is_alive() || found.is_loading() {
            self.server = Some(server);
        }
        self.denied = !found.alarm().is_empty();
        if self.denied {
            // Once mended the next connection knows.
            self.server = None;
        }
        found
    }

    /// Its run is the same for as long as the connection lives; only its role may change.
    fn observe(&mut self, server: &mut Server, deadline: Deadline) {
        match &mut self.seen {
            Some(seen) => {
                // What was said last stands, where nothing is said now.
                if let Ok(replication) = server.replication(deadline) {
                    seen.replication = replication;
                }
            }
            None => self.seen = server.observe(deadline).ok(),
        }
    }

    fn connect(
        &mut self,
        deadline: Deadline,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Server, Failure> {
        loop {
            let connected = Server::connect(
                self.survey.local_endpoint(),
                &self.config.auth,
                deadline.at_most(2 * LONGEST_BEAT),
            );
            self.connected = Stopwatch::start();
            match connected {
                Err(Failure::NoConnection) if !deadline.is_over() && go_on() => {}
                connected => return connected,
            }
        }
    }

    /// Until the next question; no longer than the connection lives.
    pub(crate) fn rest(&mut self, found: &Liveness) {
        let beat = Deadline::after((self.config.timing.hang / 2).min(LONGEST_BEAT));
        match &mut self.server {
            Some(server) if found.0.is_ok() => {
                let news = self.subscription.as_ref().map(Subscription::news);
                if server.ends_before(news, beat) && self.connected.elapsed() < SHORT_LIVED {
                    beat.pause(SHORT_LIVED);
                }
            }
            _ => drop(beat.pause(LONGEST_BEAT)),
        }
    }
}
