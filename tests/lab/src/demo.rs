//! The story for a person: two hosts, a client that writes, a Redis that dies and comes back.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::lab::Lab;
use crate::observer::Role;
use crate::readback::read_back;
use crate::redis_server;
use crate::run;
use crate::story::Event;
use crate::suite::Suite;
use crate::wait;
use crate::writer::{Rate, Writer};

/// How often the state is shown.
const TICK: Duration = Duration::from_secs(1);
/// How long a quiet state is shown.
const QUIET: Duration = Duration::from_secs(5);

/// A status line that is too long for the terminal is cut: one that goes on in the next line
/// could not be overwritten.
const NO_WRAP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";

/// The screen: lines that stay, and one line below them that changes.
#[derive(Clone)]
struct Screen {
    live: bool,
    status: Arc<Mutex<String>>,
}

impl Screen {
    fn line(&self, text: &str) {
        let status = self.status.lock().map(|s| s.clone()).unwrap_or_default();
        let mut out = std::io::stdout().lock();
        // Nobody there to see it is no reason to stop.
        let _ = if self.live {
            write!(out, "\r\x1b[K{text}\n{NO_WRAP}{status}{WRAP}")
        } else {
            writeln!(out, "{text}")
        };
        let _ = out.flush();
    }

    fn status(&self, text: String) {
        if !self.live {
            return self.line(&text);
        }
        let mut out = std::io::stdout().lock();
        let _ = write!(out, "\r\x1b[K{NO_WRAP}{text}{WRAP}");
        let _ = out.flush();
        if let Ok(mut status) = self.status.lock() {
            *status = text;
        }
    }

    fn event(&self, event: &Event) {
        let shown = match event.source {
            "does" => true,
            // The line for its beginning comes as late as this one.
            "gap" => event.what.starts_with("writes again"),
            "log" => event.what.contains("Entering"),
            _ => false,
        };
        if shown {
            self.line(&format!(
                "  {:6.2} s  {:8} {}",
                event.at.as_secs_f64(),
                event.who,
                event.what
            ));
        }
    }
}

/// Plays it. About a minute.
pub fn demo() -> Result<()> {
    let live = std::io::stdout().is_terminal();
    let screen = Screen {
        live,
        status: Arc::default(),
    };
    screen.line("Building the programs...");
    Suite::OURS.prepare()?;
    screen.line("Two hosts, redis-a and redis-b, each with keepalived and Redis; one virtual IP.");
    let lab = run::usual_lab()?;
    let listener = screen.clone();
    lab.story.listen(move |event| listener.event(event));
    run::bring_up(&lab, Suite::OURS)?;
    screen.line("A client writes 200 numbered keys a second through the virtual IP.");
    let writer = lab.write(Rate::PerSecond(200));
    let over = AtomicBool::new(false);
    let played = std::thread::scope(|scope| {
        scope.spawn(|| watch(&screen, &lab, &writer, &over));
        let played = play(&screen, &lab);
        over.store(true, Ordering::Relaxed);
        played
    });
    let written = writer.stop()?;
    played?;
    let (gap, at) = written.longest_gap(
        written.acks.first().map(|ack| ack.at).unwrap_or_default(),
        written.acks.last().map(|ack| ack.at).unwrap_or_default(),
    );
    let fate = read_back(&lab, &written)?;
    // That the hosts go now is no part of the story.
    lab.story.listen(|_| ());
    screen.status(String::new());
    screen.line(&format!(
        "\n{} writes were acknowledged; read back now: {} lost, {} in rollback files.\n\
         The longest time without a write was {} ms, at {:.1} s.",
        fate.acknowledged,
        fate.lost.len(),
        fate.in_files.len(),
        gap.as_millis(),
        at.as_secs_f64()
    ));
    Ok(())
}

fn play(screen: &Screen, lab: &Lab) -> Result<()> {
    let limit = Duration::from_secs(60);
    let (a, b) = (lab.a(), lab.b());
    // Nothing to wait for: this is for the eye.
    let quiet = || std::thread::sleep(QUIET);
    quiet();
    screen.line("\nkill -9 of the Redis that serves:");
    redis_server::kill(a)?;
    wait::until_steady("redis-b serves", Duration::from_secs(1), limit, || {
        lab.serves(b)
    })?;
    screen.line("redis-b serves.");
    quiet();
    screen.line("\nRedis is started again on redis-a:");
    redis_server::start(a)?;
    lab.until_serves(a, b, limit)?;
    screen.line("redis-a was a replica first, has caught up, and serves again.");
    quiet();
    Ok(())
}

fn watch(screen: &Screen, lab: &Lab, writer: &Writer, over: &AtomicBool) {
    let (mut before, _) = writer.acknowledged();
    let mut tick = Instant::now();
    while !over.load(Ordering::Relaxed) {
        if tick.elapsed() < TICK {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        }
        let (now, _) = writer.acknowledged();
        let a_second = (now - before) as f64 / tick.elapsed().as_secs_f64();
        (before, tick) = (now, Instant::now());
        let hosts: Vec<String> = lab
            .hosts
            .iter()
            .zip(lab.seen())
            .map(|(host, seen)| {
                let role = match seen.role {
                    Role::Master => "master",
                    Role::Replica { .. } => "replica",
                    Role::Loading => "loading",
                    Role::Silent => "silent",
                    Role::Down => "dead",
                };
                let state = lab.vrrp_state(host);
                let vip = if seen.vip { " VIP" } else { "" };
                format!("{}: {state}, redis {role}{vip}", host.name)
            })
            .collect();
        screen.status(format!(
            "  {:6.2} s  {} | {a_second:.0} writes/s, {now} acknowledged",
            lab.story.now().as_secs_f64(),
            hosts.join(" | ")
        ));
    }
}
