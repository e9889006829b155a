//! `keepalived-redis explain`: what the programs would do now, and why. It looks as they look and
//! asks what they ask. It changes nothing, neither in Redis nor in what this node remembers.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::configuration::for_people;
use super::memory_copy::{with_a_copy_of_memory, without_memory};
use crate::act::worker::Worker;
use crate::config::Config;
use crate::deadline::{Deadline, Stopwatch};
use crate::decide::pair::{self, Reign, Step};
use crate::decide::sentinel::{self, Move};
use crate::decide::view::{View, Vip};
use crate::exit::code;
use crate::node::journal::{Journal, Label, TRANSITIONS};
use crate::node::{addresses, ticket};
use crate::programs::{check_redis, redis_backup};
use crate::terminal::{Terminal, Tone, complain, plain};

/// As long as nothing has changed for a while: what the programs leave to others at first is told
/// too.
const A_WHILE: Duration = Duration::from_secs(60);

/// Explains, with the configuration at `path`; answers with the exit code.
pub(crate) fn run(path: &Path, terminal: &Terminal) -> u8 {
    let (config, local, mut notes) = match for_people(path) {
        Ok(found) => found,
        Err(error) => {
            complain(&error);
            return code::CANNOT_TELL;
        }
    };
    let explained = with_a_copy_of_memory(&config, |copied| explain(copied, local));
    let explained = explained.unwrap_or_else(|why| {
        notes.push(format!("{why}; what this node remembers is not looked at"));
        explain(&without_memory(&config), local)
    });
    let notes = notes.into_iter().map(|note| ("note".to_string(), note));
    for (who, what) in notes.chain(explained) {
        if !terminal.line(&format!(
            "{}: {}",
            terminal.paint(Tone::Strong, &who),
            plain(&what)
        )) {
            break;
        }
    }
    code::YES
}

/// Whose step it is, or what is asked, and the answer.
fn explain(config: &Config, local: SocketAddr) -> Vec<(String, String)> {
    let journal = Journal::new(
        &config.log_dir,
        TRANSITIONS,
        "keepalived-redis",
        Label::Drain,
        false,
    )
    .of(&config.instance);
    let mut worker = Worker::new(config.clone(), local, journal, Stopwatch::start());
    let steps = match worker.sentinels() {
        Some(mut sentinels) => {
            let scene = worker.look_with_sentinels(&mut sentinels);
            let mut here = scene.clone();
            here.view.vip = Vip::Here;
            let steps = Steps {
                serve: by_sentinel(&sentinel::serve(&scene, A_WHILE)),
                serve_here: by_sentinel(&sentinel::serve(&here, A_WHILE)),
                follow: "writes down who is master; Sentinel gives out the roles".to_string(),
            };
            steps.told(scene.view.vip)
        }
        None => {
            let view = worker.look(true);
            let here = View {
                vip: Vip::Here,
                ..view.clone()
            };
            let steps = Steps {
                serve: step(&pair::serve(&view, A_WHILE)),
                serve_here: step(&pair::serve(&here, A_WHILE)),
                follow: step(&pair::yield_role(&view, A_WHILE, redis_backup::GRACE)),
            };
            steps.told(view.vip)
        }
    };
    let mut lines = steps;
    lines.extend(checks(&worker));
    if let Ok(Some(ticket)) = ticket::read(&worker.config.memory_dir) {
        let work = if ticket.is_at_work() {
            ", and its program is at work"
        } else {
            ", and its program is done"
        };
        lines.push((
            "keepalived said".to_string(),
            format!("{} at {}{work}", ticket.state, ticket.at),
        ));
    }
    lines
}

/// What each notify program would do.
struct Steps {
    serve: String,
    /// If the VIP came here.
    serve_here: String,
    follow: String,
}

impl Steps {
    /// A line for the holder of the VIP, and one for each program that would run here.
    fn told(self, vip: Vip) -> Vec<(String, String)> {
        let line = |who: &str, what: String| (who.to_string(), what);
        let holder = match vip {
            Vip::Here => "this node holds the VIP".to_string(),
            Vip::At(node) => format!("{node} holds the VIP"),
            Vip::Unknown => "no node is seen to hold the VIP".to_string(),
        };
        let mut lines = vec![line("VIP", holder)];
        if vip == Vip::Here {
            lines.push(line("redis_master", self.serve));
        } else {
            lines.push(line("redis_backup and redis_fault", self.follow));
            lines.push(line("redis_master, if the VIP came here", self.serve_here));
        }
        lines
    }
}

/// What the two checks say now.
fn checks(worker: &Worker) -> [(String, String); 2] {
    let (config, local) = (&worker.config, worker.local);
    let own = addresses::among(&config.addresses()).unwrap_or_default();
    let health = check_redis::health(config, local, &own, Deadline::after(config.timing.check));
    let eligible =
        check_redis::eligible(config, local, false, Deadline::after(config.timing.check));
    [
        ("check_redis", health),
        ("check_redis --eligible", eligible),
    ]
    .map(|(name, verdict)| {
        let word = if verdict.ok { "yes" } else { "NO" };
        (name.to_string(), format!("{word}: {}", verdict.sentence))
    })
}

fn step(step: &Step) -> String {
    match step {
        Step::Done(why) => format!("nothing to do: {why}"),
        Step::Wait(why) => format!("waits: {why}"),
        Step::Hold(why) => format!("holds the writes of the local Redis, and waits: {why}"),
        Step::Promote(Reign::Sure, why) => format!("makes the local Redis master: {why}"),
        Step::Promote(Reign::Unsure, why) => {
            format!("makes the local Redis master, whose data may be old: {why}")
        }
        Step::TakeOver(peer, why) => {
            format!("takes the role over from {peer}, without losing a write: {why}")
        }
        Step::GiveUp(peer, why) => {
            format!("gives the role to {peer}, without losing a write: {why}")
        }
        Step::Park(node, why) => format!("makes {node} a replica of nobody for the moment: {why}"),
        Step::Raise(peer, why) => format!("makes {peer} master until its data is here: {why}"),
        Step::Follow {
            peer,
            contained: true,
            why,
            ..
        } => {
            format!("makes the local Redis a replica of {peer}, which has all its data: {why}")
        }
        Step::Follow {
            peer,
            diverged,
            why,
            ..
        } => {
            let past = diverged.map_or_else(
                || "an unknown number of".to_string(),
                |bytes| bytes.to_string(),
            );
            format!(
                "keeps the local data in a rollback file ({past} bytes of it are not at {peer}), \
                 and makes the local Redis \
                 its replica: {why}"
            )
        }
        Step::Refuse(why) => format!("does nothing: {why}"),
    }
}

fn by_sentinel(next: &Move) -> String {
    match next {
        Move::Done(why) => format!("nothing to do: {why}"),
        Move::Wait(why) => format!("waits: {why}"),
        Move::Hold(why) => {
            format!("holds the writes of the local Redis, and waits: {why}")
        }
        Move::Promote(master, why) => {
            format!("asks a sentinel to replace {master}, which is dead: {why}")
        }
        Move::HandOver(master, why) => {
            format!(
                "stops the writes of {master}, and asks a sentinel to move the role here without \
                 losing one: {why}"
            )
        }
        Move::Refuse(why) => format!("does nothing: {why}"),
    }
}
