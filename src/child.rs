//! A program that we have started: it is waited for no longer than we have time, and, where it is
//! ours alone, ended when we are done with it.

use std::io;
use std::process::{self, ChildStdout, Command, ExitStatus};
use std::time::Duration;

use crate::deadline::Deadline;

/// How often it is looked after.
const TICK: Duration = Duration::from_millis(5);

/// Waits until `process` has ended; `None` where it has not at the `deadline`: then it goes on.
/// `go_on` is asked all the while, and its error ends the waiting.
pub(crate) fn wait<E: From<io::Error>>(
    process: &mut process::Child,
    deadline: Deadline,
    mut go_on: impl FnMut() -> Result<(), E>,
) -> Result<Option<ExitStatus>, E> {
    loop {
        if let Some(status) = process.try_wait()? {
            return Ok(Some(status));
        }
        go_on()?;
        if !deadline.pause(TICK) {
            return Ok(None);
        }
    }
}

/// Dropping it ends it, and waits for that: no zombie, and nothing that works on without us.
#[derive(Debug)]
pub(crate) struct Child(process::Child);

impl Child {
    pub(crate) fn start(command: &mut Command) -> io::Result<Child> {
        command.spawn().map(Child)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// How it has ended; `None` while it runs.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }

    /// As [`wait`].
    pub(crate) fn wait<E: From<io::Error>>(
        &mut self,
        deadline: Deadline,
        go_on: impl FnMut() -> Result<(), E>,
    ) -> Result<Option<ExitStatus>, E> {
        wait(&mut self.0, deadline, go_on)
    }

    /// The pipe that its standard output was made, once.
    pub(crate) fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.0.stdout.take()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleep() -> Child {
        Child::start(Command::new("sleep").arg("60")).expect("sleep")
    }

    fn is_there(id: u32) -> bool {
        std::path::Path::new(&format!("/proc/{id}")).exists()
    }

    #[test]
    fn one_that_does_not_end_is_waited_for_until_the_deadline_and_ended() {
        let mut child = sleep();
        let waited = child.wait(Deadline::after(Duration::from_millis(20)), || {
            io::Result::Ok(())
        });
        assert!(waited.is_ok_and(|status| status.is_none()));
        let id = child.id();
        assert!(is_there(id));
        drop(child);
        assert!(!is_there(id));
    }

    #[test]
    fn whoever_may_not_go_on_waits_no_longer() {
        let mut child = sleep();
        let mut asked = 0;
        let waited = child.wait(Deadline::after(Duration::from_secs(60)), || {
            asked += 1;
            anyhow::ensure!(asked < 3, "a signal has come");
            Ok(())
        });
        assert_eq!(
            waited.map_err(|error| error.to_string()),
            Err("a signal has come".to_owned())
        );
    }

    #[test]
    fn how_one_has_ended_is_told() {
        let mut child = Child::start(Command::new("sh").args(["-c", "exit 3"])).expect("sh");
        let waited = child.wait(Deadline::after(Duration::from_secs(60)), || {
            io::Result::Ok(())
        });
        let code = waited.expect("it ended").and_then(|status| status.code());
        assert_eq!(code, Some(3));
        assert!(child.ended().is_ok_and(|status| status.is_some()));
    }
}
