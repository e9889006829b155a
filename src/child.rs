//! A program that we have started: it is waited for no longer than we can, and ended when we are
//! done with it.

use std::io;
use std::process::{ChildStdout, Command, ExitStatus};
use std::time::Duration;

use crate::deadline::Deadline;

/// How often it is looked after.
const TICK: Duration = Duration::from_millis(5);

/// Dropping it ends it, and waits for that: no zombie, and nothing that works on without us.
#[derive(Debug)]
pub(crate) struct Child {
    process: std::process::Child,
    is_left: bool,
}

impl Child {
    pub(crate) fn start(command: &mut Command) -> io::Result<Child> {
        Ok(Child {
            process: command.spawn()?,
            is_left: false,
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// How it has ended; `None` while it runs.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.process.try_wait()
    }

    /// Waits until it has ended; `None` where it has not at the `deadline`. `go_on` is asked all
    /// the while, and its error ends the waiting.
    pub(crate) fn wait(
        &mut self,
        deadline: Deadline,
        go_on: &mut dyn FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<Option<ExitStatus>> {
        loop {
            if let Some(status) = self.ended()? {
                return Ok(Some(status));
            }
            go_on()?;
            if !deadline.pause(TICK) {
                return Ok(None);
            }
        }
    }

    /// The pipe that its standard output was made, once.
    pub(crate) fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.process.stdout.take()
    }

    /// It goes on without us, also when we have ended.
    pub(crate) fn leave(mut self) {
        self.is_left = true;
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.is_left {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
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
        let waited = child.wait(Deadline::after(Duration::from_millis(20)), &mut || Ok(()));
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
        let waited = child.wait(Deadline::after(Duration::from_secs(60)), &mut || {
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
    fn one_that_is_left_goes_on() {
        let mut child = Child::start(Command::new("sh").args(["-c", "exit 3"])).expect("sh");
        let waited = child.wait(Deadline::after(Duration::from_secs(60)), &mut || Ok(()));
        let code = waited.expect("it ended").and_then(|status| status.code());
        assert_eq!(code, Some(3));
        let child = Child::start(Command::new("sleep").arg("0.2")).expect("sleep");
        let id = child.id();
        child.leave();
        assert!(is_there(id));
    }
}
