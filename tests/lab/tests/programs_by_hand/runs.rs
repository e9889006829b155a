//! Programs on a host: run to their end, started, killed in the middle.

use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use lab::host::Host;
use lab::wait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::pair::{BIN, SOON};

/// What a program did.
pub struct Ran {
    pub code: Option<i32>,
    pub said: String,
    pub took: Duration,
}

/// A program at work; dropped, it is ended.
pub struct Running {
    child: Child,
    pid: Option<Pid>,
}

/// Runs a program on `host` to its end.
pub fn run(host: &Host, program: &str, args: &[&str]) -> Ran {
    let clock = Instant::now();
    let out = command(host, program, args)
        .output()
        .expect("the program starts");
    Ran {
        code: out.status.code(),
        said: text(&out),
        took: clock.elapsed(),
    }
}

/// The same, and again where it took longer than `limit`, a few times: a machine that stands still
/// for a moment delays one run, a deadline that is not kept delays each.
pub fn run_within(limit: Duration, host: &Host, program: &str, args: &[&str]) -> Ran {
    let mut tries = (0..5).map(|_| run(host, program, args));
    let mut slow = Vec::new();
    let quick = tries.find(|ran| {
        slow.push(ran.took);
        ran.took < limit
    });
    quick.unwrap_or_else(|| {
        panic!("{program} {args:?} took {slow:?}, each time more than {limit:?}")
    })
}

fn text(out: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    )
}

fn command(host: &Host, program: &str, args: &[&str]) -> std::process::Command {
    // Bounded: redis_backup persists by design.
    let mut command = host.command("timeout").expect("the host is on");
    command
        .args([
            "--foreground",
            "--signal=KILL",
            "60",
            &format!("{BIN}/{program}"),
        ])
        .args(args);
    command
}

/// Starts a program on `host`, each as the child of a parent of its own: of another keepalived than
/// the one before.
pub fn start(host: &Host, program: &str) -> Running {
    start_with(host, "", program)
}

/// The same, with settings of the environment before it, as a shell takes them.
pub fn start_with(host: &Host, environment: &str, program: &str) -> Running {
    let mut command = host.command("sh").expect("the host is on");
    command.args(["-c", &format!("{environment} {BIN}/{program}; exit $?")]);
    let child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("nsenter starts");
    let nsenter = i32::try_from(child.id()).expect("a pid");
    let mut found = None;
    wait::until("the program runs", SOON, || {
        found = child_of(nsenter).and_then(child_of);
        found.is_some()
            || std::fs::read_to_string(format!("/proc/{nsenter}/stat"))
                .is_ok_and(|s| s.contains(") Z "))
    })
    .expect("the program was started");
    Running {
        child,
        pid: found.map(Pid::from_raw),
    }
}

fn child_of(pid: i32) -> Option<i32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// Starts a program and kills it `after` that time, whatever it does then.
pub fn start_and_kill(host: &Host, program: &str, signal: &str, after: Duration) {
    let mut command = host.command("timeout").expect("the host is on");
    command.args([
        "--foreground",
        &format!("--signal={signal}"),
        &format!("{:.4}", after.as_secs_f64()),
    ]);
    command.arg(format!("{BIN}/{program}"));
    let _ = command.output().expect("the program starts");
}

impl Running {
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid {
            let _ = kill(pid, signal);
        }
    }

    pub fn is_at_work(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }

    pub fn until_ended(&mut self, limit: Duration) -> Option<i32> {
        wait::until("the program ends", limit, || !self.is_at_work()).expect("it ends");
        self.child.wait().ok().and_then(|status| status.code())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_at_work() {
            self.signal(Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}
