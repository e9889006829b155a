//! One conversation with a Redis: commands go out in one write, answers come in, all before one
//! deadline.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Value, cmd};

use super::access::Access;
use super::endpoint::Endpoint;
use super::failure::{Denial, Failure};
use super::info::short;
use super::renamed::{self, Commands};
use super::resp::{self, Reply, Rubbish};
use super::secured::wants_tls;
use super::stream::Stream;
use crate::deadline::Deadline;

/// For what must have come already.
pub(crate) const AT_HAND: Duration = Duration::from_millis(10);

/// What became of a write.
pub(crate) struct Sent {
    greeted: bool,
    written: io::Result<()>,
}

pub(crate) struct Line {
    stream: Stream,
    /// What has come and was not yet read as an answer.
    received: Vec<u8>,
    /// Of a connection without TLS on which nothing has come yet.
    unheard: Option<SocketAddr>,
    greeting: Option<Cmd>,
    auth_denied: Option<Denial>,
    names: Option<Arc<Commands>>,
}

impl Line {
    /// Connects; AUTH goes out with the first commands.
    ///
    /// # Errors
    /// [`Failure::Refused`], [`Failure::NoConnection`] or [`Failure::Network`].
    pub(crate) fn open(
        endpoint: &Endpoint,
        auth: &Access,
        deadline: Deadline,
    ) -> Result<Line, Failure> {
        let stream = Stream::connect(endpoint, auth.tls.as_deref(), deadline).map_err(|error| {
            match Failure::from(error) {
                Failure::TimedOut => Failure::NoConnection,
                failure => failure,
            }
        })?;
        let greeting = auth.password.as_ref().map(|password| {
            let mut command = cmd("AUTH");
            if let Some(user) = &auth.username {
                command.arg(user);
            }
            command.arg(password.expose()).clone()
        });
        let unheard = match endpoint {
            Endpoint::Tcp(address) if auth.tls.is_none() => Some(*address),
            _ => None,
        };
        Ok(Line {
            stream,
            received: Vec::new(),
            unheard,
            greeting,
            auth_denied: None,
            names: auth.commands.clone(),
        })
    }

    /// The server did not accept the password.
    pub(crate) fn was_refused(&self) -> bool {
        self.auth_denied.is_some()
    }

    /// All `commands` in one write, and their answers.
    pub(crate) fn exchange(
        &mut self,
        commands: &[Cmd],
        deadline: Deadline,
    ) -> Result<Vec<Result<Value, Denial>>, Failure> {
        let sent = self.send(commands, deadline);
        self.receive(sent, commands.len())
    }

    /// A write that failed is told by [`Line::receive`]: the server may have said why.
    pub(crate) fn send(&mut self, commands: &[Cmd], deadline: Deadline) -> Sent {
        self.stream.until(deadline);
        let greeting = self.greeting.take();
        let mut bytes = Vec::with_capacity(256);
        for command in greeting.iter().chain(commands) {
            match &self.names {
                Some(names) => names.translate(command).write_packed_command(&mut bytes),
                None => command.write_packed_command(&mut bytes),
            }
        }
        Sent {
            greeted: greeting.is_some(),
            written: self.stream.write_all(&bytes),
        }
    }

    /// The answers, before the deadline that [`Line::send`] was given.
    ///
    /// # Errors
    /// Every [`Failure`]; `Denied` only where the server refuses the connection itself.
    pub(crate) fn receive(
        &mut self,
        sent: Sent,
        count: usize,
    ) -> Result<Vec<Result<Value, Denial>>, Failure> {
        let answers = self.answers(sent, count);
        match (&answers, self.unheard) {
            // A TLS port closes a plain-text connection without a word.
            (Err(Failure::Reset), Some(address))
                if wants_tls(address, self.stream.deadline().half()) =>
            {
                Err(Failure::Tls(
                    "it speaks TLS, and the configuration does not say so".to_owned(),
                ))
            }
            _ => answers,
        }
    }

    fn answers(&mut self, sent: Sent, count: usize) -> Result<Vec<Result<Value, Denial>>, Failure> {
        if sent.greeted {
            self.auth_denied = self
                .answer()
                .map_err(|failure| first_cause(failure, &sent.written))?
                .err();
        }
        let mut answers = Vec::with_capacity(count);
        for _ in 0..count {
            let answer = self
                .answer()
                .map_err(|failure| first_cause(failure, &sent.written))?;
            answers.push(answer.map_err(|denial| match &self.auth_denied {
                // What went wrong is the password, not that there was none.
                Some(wrong) if denial.code == "NOAUTH" => wrong.clone(),
                _ => denial,
            }));
        }
        Ok(answers)
    }

    /// Another deadline than [`Line::send`] was given.
    pub(crate) fn read_until(&mut self, deadline: Deadline) {
        self.stream.until(deadline);
    }

    /// Waits for something to read, the end of the connection included; false at `deadline`.
    pub(crate) fn has_news(&mut self, deadline: Deadline) -> bool {
        self.has_news_or(None, deadline).0
    }

    /// As [`Line::has_news`], or until there is something to read from `other`, which the second
    /// value says.
    pub(crate) fn has_news_or(
        &mut self,
        other: Option<BorrowedFd<'_>>,
        deadline: Deadline,
    ) -> (bool, bool) {
        // Two that came at once.
        let at_hand = !self.received.is_empty() && !matches!(resp::read(&self.received), Ok(None));
        if at_hand {
            (true, false)
        } else {
            self.stream.has_news_or(other, deadline)
        }
    }

    /// What comes unasked, to a subscriber.
    pub(crate) fn message(&mut self, deadline: Deadline) -> Result<Value, Failure> {
        self.stream.until(deadline);
        self.answer()?.map_err(Failure::Denied)
    }

    /// What has come, as it is: for what is not an answer. `None` where nothing has come before
    /// `deadline`.
    pub(crate) fn read_raw(
        &mut self,
        buffer: &mut [u8],
        deadline: Deadline,
    ) -> Result<Option<usize>, Failure> {
        if self.received.is_empty() {
            if !self.stream.has_news_or(None, deadline).0 {
                return Ok(None);
            }
            self.stream.until(deadline.max(Deadline::after(AT_HAND)));
            return Ok(Some(self.stream.read(buffer)?));
        }
        let count = buffer.len().min(self.received.len());
        buffer
            .iter_mut()
            .zip(self.received.drain(..count))
            .for_each(|(to, from)| *to = from);
        Ok(Some(count))
    }

    fn answer(&mut self) -> Result<Result<Value, Denial>, Failure> {
        // More than the answers to one look are long.
        const AT_ONCE: usize = 8 << 10;
        loop {
            let found = resp::read(&self.received)
                .map_err(|Rubbish| Failure::Rubbish("what came is not its protocol".to_string()))?;
            let Some((reply, length)) = found else {
                let old = self.received.len();
                self.received.resize(old + AT_ONCE, 0);
                let read = self
                    .stream
                    .read(self.received.get_mut(old..).unwrap_or_default());
                self.received.truncate(old + read.as_ref().unwrap_or(&0));
                if read? > 0 {
                    self.unheard = None;
                }
                continue;
            };
            self.received.drain(..length);
            return match reply {
                Reply::Value(value) => Ok(Ok(value)),
                Reply::Error(line) => {
                    let (code, text) = line.split_once(' ').unwrap_or((&line, ""));
                    let text = renamed::explain(self.names.as_deref(), text)
                        .unwrap_or_else(|| short(text));
                    let denial = Denial {
                        code: short(code),
                        text,
                    };
                    // The one refusal that comes unasked, before the connection is closed (R17).
                    if denial.text.starts_with("max number of clients") {
                        return Err(Failure::Denied(denial));
                    }
                    Ok(Err(denial))
                }
            };
        }
    }
}

/// A server that refuses a connection writes its reason and closes: our write may fail, the reason
/// is still there.
fn first_cause(failure: Failure, sent: &io::Result<()>) -> Failure {
    match (failure, sent) {
        (Failure::Reset, Err(error)) => {
            Failure::from(io::Error::new(error.kind(), error.to_string()))
        }
        (failure, _) => failure,
    }
}
