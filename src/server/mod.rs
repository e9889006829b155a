//! One Redis: connect, command, observe. Never logs, never decides.

pub mod access;
pub(crate) mod conversation;
pub mod endpoint;
pub mod failure;
pub mod fence;
pub mod info;
pub mod new_role;
pub mod probe;
mod questions;
pub mod renamed;
pub(crate) mod resp;
mod secured;
mod socket;
mod stream;
pub(crate) mod term;
pub mod tls;

use std::os::fd::BorrowedFd;
use std::time::Duration;

use redis::{Cmd, Value, cmd};

use self::access::Access;
use self::conversation::{AT_HAND, Line};
use self::endpoint::Endpoint;
use self::failure::{Denial, Failure};
use self::info::{Version, short};
use crate::deadline::Deadline;

/// One Redis, connected to at first use. After a broken conversation the next command connects
/// again: what was left in the old connection would answer the wrong question.
pub struct Server {
    endpoint: Endpoint,
    auth: Access,
    line: Option<Line>,
    /// There was a connection. It may have ended since, which says nothing about the server.
    met: bool,
    term_key: Option<String>,
}

impl Server {
    /// Connects to nobody yet.
    pub(crate) fn new(endpoint: Endpoint, auth: Access) -> Server {
        Server {
            endpoint,
            auth,
            line: None,
            met: false,
            term_key: None,
        }
    }

    /// Connects; AUTH is sent together with the first command, so that it costs no round trip of
    /// its own.
    ///
    /// # Errors
    /// [`Failure::Refused`], [`Failure::NoConnection`] or [`Failure::Network`].
    pub fn connect(
        endpoint: &Endpoint,
        auth: &Access,
        deadline: Deadline,
    ) -> Result<Server, Failure> {
        let mut server = Server::new(endpoint.clone(), auth.clone());
        server.open(deadline)?;
        Ok(server)
    }

    /// Connects, if there never was a connection: this takes time of its own, not the first
    /// command's. A connection that broke is left to the next command and its time.
    ///
    /// # Errors
    /// As [`Server::connect`].
    pub(crate) fn open(&mut self, deadline: Deadline) -> Result<&mut Server, Failure> {
        if !self.met {
            self.line = Some(self.take_line(deadline)?);
        }
        Ok(self)
    }

    /// Ends the connection; the next command makes a new one.
    pub(crate) fn close(&mut self) {
        self.line = None;
    }

    /// Whoever takes the line puts it back once the conversation is whole.
    fn take_line(&mut self, deadline: Deadline) -> Result<Line, Failure> {
        let line = match self.line.take() {
            Some(line) => line,
            None => Line::open(&self.endpoint, &self.auth, deadline)?,
        };
        self.met = true;
        Ok(line)
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// This Redis, which is of `version`, can stop its writes for a while (R12).
    pub(crate) fn can_pause_writes(&self, version: Version) -> bool {
        version.can_pause_writes() && !self.lacks("client")
    }

    /// The command is disabled there, and not to be sent.
    pub(crate) fn lacks(&self, command: &str) -> bool {
        self.auth.lacks(command)
    }

    /// The key that holds the term where there are no functions (`policy.term_key`).
    pub(crate) fn with_term_key(self, key: Option<&str>) -> Server {
        Server {
            term_key: key.map(str::to_owned),
            ..self
        }
    }

    /// Sends all `commands` in one write and reads their answers. An error reply is the answer of
    /// its command; only a broken conversation fails the batch.
    ///
    /// # Errors
    /// Every [`Failure`]; `Denied` only where the server refuses the connection itself.
    pub fn batch(
        &mut self,
        commands: &[Cmd],
        deadline: Deadline,
    ) -> Result<Vec<Result<Value, Denial>>, Failure> {
        let mut line = self.take_line(deadline)?;
        let answers = line.exchange(commands, deadline)?;
        // Whoever was refused at the door logs in anew with the next command: a person may have
        // put the password right meanwhile.
        let shut_out = line.was_refused() && answers.iter().any(Result::is_err);
        self.line = Some(line).filter(|_| !shut_out);
        Ok(answers)
    }

    /// One command, one answer.
    pub fn call(&mut self, command: &Cmd, deadline: Deadline) -> Result<Value, Failure> {
        let mut answers = self.batch(std::slice::from_ref(command), deadline)?;
        match answers.pop() {
            Some(answer) => answer.map_err(Failure::Denied),
            None => Err(Failure::Reset),
        }
    }

    /// Does what `ask` does, and once more if the connection was there before and ended instead of
    /// an answer: whoever takes the role over ends all of the old master's, those of the programs
    /// too (CLIENT KILL), and a server may have been restarted since. For commands that may be
    /// carried out twice.
    pub(crate) fn again<T>(
        &mut self,
        mut ask: impl FnMut(&mut Server) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let was_met = self.met;
        match ask(self) {
            Err(Failure::Reset) if was_met => ask(self),
            answer => answer,
        }
    }

    /// One command that may be carried out twice, see [`Server::again`].
    pub(crate) fn call_again(
        &mut self,
        command: &Cmd,
        deadline: Deadline,
    ) -> Result<Value, Failure> {
        self.again(|server| server.call(command, deadline))
    }

    /// As [`Server::call`]; each `tick` of waiting `go_on` is asked, and where it says no that is a
    /// timeout.
    pub fn call_while(
        &mut self,
        command: &Cmd,
        deadline: Deadline,
        tick: Duration,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Value, Failure> {
        let mut line = self.take_line(deadline)?;
        let sent = line.send(std::slice::from_ref(command), deadline);
        while !line.has_news(deadline.at_most(tick)) {
            if deadline.is_over() || !go_on() {
                return Err(Failure::TimedOut);
            }
        }
        // What is there already is not too late, if it was we who came late to it.
        line.read_until(deadline.max(Deadline::after(AT_HAND)));
        let answer = line.receive(sent, 1)?.pop();
        self.line = Some(line);
        answer
            .unwrap_or(Err(Denial {
                code: String::new(),
                text: String::new(),
            }))
            .map_err(Failure::Denied)
    }

    /// Waits until `deadline`, or until there is something to read from `other`; true where the
    /// connection ends before. Nothing is asked, so that nothing else may come.
    pub fn ends_before(&mut self, other: Option<BorrowedFd<'_>>, deadline: Deadline) -> bool {
        let Some(line) = &mut self.line else {
            deadline.pause(deadline.left());
            return false;
        };
        let (ended, _) = line.has_news_or(other, deadline);
        if ended {
            self.close();
        }
        ended
    }

    /// Subscribes to all that a sentinel tells; [`Server::message`] waits for it.
    pub fn subscribe(&mut self, deadline: Deadline) -> Result<(), Failure> {
        self.call(cmd("PSUBSCRIBE").arg("*"), deadline).map(|_| ())
    }

    /// Waits for something that comes unasked; false where nothing has come before `deadline`.
    ///
    /// # Errors
    /// Every [`Failure`]: the subscription is over.
    pub fn message(&mut self, deadline: Deadline) -> Result<bool, Failure> {
        let mut line = self.line.take().ok_or(Failure::Reset)?;
        if line.has_news(deadline) {
            line.message(Deadline::after(AT_HAND))?;
            self.line = Some(line);
            return Ok(true);
        }
        self.line = Some(line);
        Ok(false)
    }
}

/// The text of a string answer.
///
/// # Errors
/// [`Failure::Rubbish`] for any other kind of answer.
pub fn string(value: Value) -> Result<String, Failure> {
    match value {
        Value::BulkString(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Value::SimpleString(text) => Ok(text),
        Value::VerbatimString { text, .. } => Ok(text),
        Value::Okay => Ok("OK".to_string()),
        other => Err(Failure::Rubbish(format!(
            "expected a text, got {}",
            short(&format!("{other:?}"))
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn whoever_was_refused_logs_in_anew() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("peer");
        let listener = UnixListener::bind(&path).expect("a socket");
        std::thread::spawn(move || {
            let answers = ["-WRONGPASS no\r\n-NOAUTH no\r\n", "+OK\r\n+PONG\r\n"];
            for (stream, answers) in listener.incoming().zip(answers) {
                let mut stream = stream.expect("a client");
                let mut heard = [0; 256];
                let _ = stream.read(&mut heard);
                stream.write_all(answers.as_bytes()).expect("written");
            }
        });
        let access = Access {
            password: Some(access::Secret::new("secret".to_string())),
            ..Access::default()
        };
        let mut server = Server::new(Endpoint::Unix(path), access);
        let soon = Deadline::after(Duration::from_secs(5));
        let refused = server.call(&cmd("PING"), soon);
        assert!(matches!(refused, Err(Failure::Denied(_))), "{refused:?}");
        assert_eq!(
            server.call(&cmd("PING"), soon),
            Ok(Value::SimpleString("PONG".to_string()))
        );
    }

    #[test]
    fn it_connects_at_first_use_and_only_a_connection_that_was_there_before_is_made_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("peer");
        let listener = UnixListener::bind(&path).expect("a socket");
        let connections = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&connections);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                drop(stream);
            }
        });
        let mut server = Server::new(Endpoint::Unix(path), Access::default());
        assert_eq!(connections.load(Ordering::SeqCst), 0);
        for made in [1, 3, 5] {
            let soon = Deadline::after(Duration::from_secs(5));
            assert_eq!(server.call_again(&cmd("PING"), soon), Err(Failure::Reset));
            assert_eq!(connections.load(Ordering::SeqCst), made);
        }
    }
}
