//! A connection whose reads and writes obey one deadline, whatever the other side does.
//!
//! `redis::Connection` times each read on its own and forgets the timeout after connecting (X1): a
//! server that answers one byte at a time holds it for ever. So the socket is ours; the `redis`
//! crate encodes, and `resp` reads.
//!
//! With TLS the handshake is a part of the first exchange, under its deadline. As without TLS, a
//! connection proves only that the kernel lives: a server that hangs is silent, and not gone.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use super::endpoint::Endpoint;
use super::secured::Secured;
use super::socket::{Socket, Timed, wait};
use super::tls::Tls;
use crate::deadline::Deadline;

/// More than any answer that the programs ask for: INFO is about 6 kB. Beyond it the other side
/// talks rubbish.
const LONGEST_ANSWER: usize = 4 << 20;

/// An open connection; set a deadline with [`Stream::until`] before each exchange.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: Socket,
    secured: Option<Box<Secured>>,
    deadline: Deadline,
    received: usize,
}

impl Stream {
    /// Connects before `deadline`. A Unix socket is never TLS.
    ///
    /// # Errors
    /// As the kernel reports it; `TimedOut` when the deadline came first.
    pub(crate) fn connect(
        endpoint: &Endpoint,
        tls: Option<&Tls>,
        deadline: Deadline,
    ) -> io::Result<Stream> {
        let socket = Socket::connect(endpoint, deadline)?;
        let secured = match (endpoint, tls) {
            (Endpoint::Tcp(address), Some(tls)) => Some(Box::new(Secured::new(tls, *address)?)),
            _ => None,
        };
        Ok(Stream {
            socket,
            secured,
            deadline,
            received: 0,
        })
    }

    /// The deadline of the next exchange.
    pub(crate) fn until(&mut self, deadline: Deadline) {
        self.deadline = deadline;
        self.received = 0;
    }

    /// That of the exchange under way.
    pub(crate) fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Waits until there is something to read, the end of the connection included, or something to
    /// read from `other`, which the second value says, or `deadline` is over: false then.
    pub(crate) fn has_news_or(
        &mut self,
        other: Option<BorrowedFd<'_>>,
        deadline: Deadline,
    ) -> (bool, bool) {
        let Some(secured) = &mut self.secured else {
            return wait([Some(self.socket.as_fd()), other], deadline).into();
        };
        loop {
            // What is decrypted already is nothing that the socket has.
            if secured.session.has_news() {
                return (true, false);
            }
            let (ours, theirs) = secured.wait(&self.socket, other, deadline);
            if ours && let Err(error) = secured.hear(&mut self.socket, self.deadline.max(deadline))
            {
                secured.session.end(error);
            }
            if theirs || deadline.is_over() {
                return (secured.session.has_news(), theirs);
            }
        }
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.secured {
            None => Timed(&mut self.socket, self.deadline).read(buffer),
            Some(secured) => secured.read(&mut self.socket, buffer, self.deadline),
        }?;
        self.received += read;
        if read == 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if self.received > LONGEST_ANSWER {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "an answer without an end",
            ));
        }
        Ok(read)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.read_some(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let mut socket = Timed(&mut self.socket, self.deadline);
        match &mut self.secured {
            None => socket.write(buffer),
            Some(secured) => secured
                .session
                .write(buffer, &mut socket)
                .map(|()| buffer.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
