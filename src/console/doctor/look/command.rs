//! A program of the system is asked, and ended where it does not answer in time.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::child::Child;
use crate::deadline::Deadline;

/// More than any of them says.
const LONGEST: u64 = 64 << 10;

/// What it said, on both of its streams, and its exit code; `None` after a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub code: Option<i32>,
    pub text: String,
}

/// Asks `program`.
///
/// # Errors
/// It can't be started, or has not ended within `budget`.
pub(crate) fn ask(program: &str, arguments: &[&str], budget: Duration) -> Result<Said, String> {
    // A file and no pipe: who writes much into a pipe that nobody reads waits for ever.
    let said = tempfile::tempfile().map_err(|error| format!("making a temporary file: {error}"))?;
    let stream = |file: &File| {
        file.try_clone()
            .map(Stdio::from)
            .map_err(|error| error.to_string())
    };
    // Where a user's own PATH has no keepalived.
    let path = format!(
        "{}:/usr/sbin:/sbin:/usr/local/sbin",
        std::env::var("PATH").unwrap_or_default()
    );
    let mut child = Child::start(
        Command::new(program)
            .args(arguments)
            .env("LC_ALL", "C")
            .env("PATH", path)
            .stdin(Stdio::null())
            .stdout(stream(&said)?)
            .stderr(stream(&said)?),
    )
    .map_err(|error| format!("starting {program}: {error}"))?;
    match child.wait(Deadline::after(budget), || io::Result::Ok(())) {
        Ok(Some(status)) => Ok(Said {
            code: status.code(),
            text: text(said),
        }),
        _ => Err(format!(
            "{program} had not ended after {} s",
            budget.as_secs()
        )),
    }
}

fn text(mut file: File) -> String {
    let mut bytes = Vec::new();
    let read = file
        .rewind()
        .and_then(|()| file.take(LONGEST).read_to_end(&mut bytes));
    read.map(|_| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_heard_and_who_is_silent_is_not_waited_for() {
        let said = ask(
            "sh",
            &["-c", "echo out; echo err >&2; exit 3"],
            Duration::from_secs(20),
        )
        .expect("a shell");
        assert_eq!((said.code, said.text.as_str()), (Some(3), "out\nerr\n"));
        let late = ask("sleep", &["60"], Duration::from_millis(30)).expect_err("it sleeps on");
        assert!(late.starts_with("sleep had not ended"), "{late}");
        assert!(ask("/no/such/program", &[], Duration::from_secs(1)).is_err());
    }
}
