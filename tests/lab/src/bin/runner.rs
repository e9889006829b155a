//! Runs one command again and again on a host, once for each line on stdin, and says on stdout what
//! each run cost: when it began (nanoseconds since 1970), wall and CPU time of the command and all
//! that it started (nanoseconds), the greatest memory of any run so far and of this program itself
//! (kilobytes), and the exit code.
//!
//! A program of its own because it has to be small: the kernel counts the memory of whoever starts
//! a process, as it was before exec, into the peak of that process.
#![forbid(unsafe_code)]

use std::io::Write;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run(words: &[String]) -> std::io::Result<()> {
    let Some((program, args)) = words.split_first() else {
        return Ok(());
    };
    let mut out = std::io::stdout();
    for _ in std::io::stdin().lines().map_while(Result::ok) {
        let before = children()?;
        let began = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let clock = Instant::now();
        let mut command = Command::new(program);
        command
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let status = command.status()?;
        let wall = clock.elapsed();
        let cpu = children()?.saturating_sub(before);
        let peak = getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss();
        let own = getrusage(UsageWho::RUSAGE_SELF)?.max_rss();
        let (began, wall, cpu) = (began.as_nanos(), wall.as_nanos(), cpu.as_nanos());
        writeln!(
            out,
            "{began} {wall} {cpu} {peak} {own} {}",
            status.code().unwrap_or(-1)
        )?;
        out.flush()?;
    }
    Ok(())
}

/// User and system time of all ended children, and of theirs.
fn children() -> std::io::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let both = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(both).unwrap_or(0)))
}
