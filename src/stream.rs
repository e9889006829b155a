//! A connection whose reads and writes obey one deadline, whatever the other side does.
//!
//! `redis::Connection` times each read on its own and forgets the timeout after connecting (X1): a server that
//! answers one byte at a time holds it for ever. So the socket is ours; the `redis` crate encodes, and `reply` reads.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::deadline::Deadline;
use crate::endpoint::Endpoint;

/// More than any answer that the programs ask for: INFO is about 6 kB. Beyond it the other side talks rubbish.
const LONGEST_ANSWER: usize = 4 << 20;

/// Between two tries at a Unix socket whose backlog is full.
const BACKLOG_TICK: Duration = Duration::from_millis(3);

#[derive(Debug)]
enum Socketed {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// An open connection; set a deadline with [`Stream::until`] before each exchange.
#[derive(Debug)]
pub struct Stream {
    socket: Socketed,
    deadline: Deadline,
    received: usize,
}

impl Stream {
    /// Connects before `deadline`.
    ///
    /// # Errors
    /// As the kernel reports it; `TimedOut` when the deadline came first.
    pub fn connect(endpoint: &Endpoint, deadline: Deadline) -> io::Result<Stream> {
        let left = some_time(deadline)?;
        let socket = match endpoint {
            Endpoint::Tcp(address) => {
                // A third for the first packet: the kernel sends a lost one again only after a second.
                let stream = match TcpStream::connect_timeout(address, left / 3) {
                    Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                        TcpStream::connect_timeout(address, some_time(deadline)?)?
                    }
                    connected => connected?,
                };
                stream.set_nodelay(true)?;
                Socketed::Tcp(stream)
            }
            Endpoint::Unix(path) => {
                let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
                socket.set_nonblocking(true)?;
                // EAGAIN is a full backlog (a server that no longer accepts), and nothing tells when there is room.
                while let Err(error) = socket.connect(&SockAddr::unix(path)?) {
                    match error.kind() {
                        io::ErrorKind::WouldBlock if deadline.pause(BACKLOG_TICK) => {}
                        io::ErrorKind::WouldBlock => return Err(io::ErrorKind::TimedOut.into()),
                        _ => return Err(error),
                    }
                }
                socket.set_nonblocking(false)?;
                Socketed::Unix(UnixStream::from(std::os::fd::OwnedFd::from(socket)))
            }
        };
        Ok(Stream { socket, deadline, received: 0 })
    }

    /// The deadline of the next exchange.
    pub fn until(&mut self, deadline: Deadline) {
        self.deadline = deadline;
        self.received = 0;
    }

    /// Waits until there is something to read, the end of the connection included, or `deadline` is over: false then.
    pub fn has_news(&self, deadline: Deadline) -> bool {
        self.has_news_or(None, deadline).0
    }

    /// As [`Stream::has_news`], or until there is something to read from `other`, which the second value says.
    pub fn has_news_or(&self, other: Option<BorrowedFd<'_>>, deadline: Deadline) -> (bool, bool) {
        let socket = match &self.socket {
            Socketed::Tcp(socket) => socket.as_fd(),
            Socketed::Unix(socket) => socket.as_fd(),
        };
        let mut watched: Vec<PollFd<'_>> =
            std::iter::once(socket).chain(other).map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        loop {
            // A tick of poll(2) is a millisecond: one more than is left, rather than none at the end.
            let left = i32::try_from(deadline.left().as_millis()).unwrap_or(i32::MAX - 1) + 1;
            match poll(&mut watched, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
                Ok(found) if found > 0 => {
                    let has = |index: usize| watched.get(index).and_then(PollFd::any).unwrap_or(false);
                    return (has(0), has(1));
                }
                _ if deadline.is_over() => return (false, false),
                // A signal.
                _ => {}
            }
        }
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = some_time(self.deadline)?;
        let read = match &mut self.socket {
            Socketed::Tcp(socket) => socket.set_read_timeout(Some(left)).and_then(|()| socket.read(buffer)),
            Socketed::Unix(socket) => socket.set_read_timeout(Some(left)).and_then(|()| socket.read(buffer)),
        }
        .map_err(timed_out)?;
        self.received += read;
        if read == 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if self.received > LONGEST_ANSWER {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an answer without an end"));
        }
        Ok(read)
    }
}

fn some_time(deadline: Deadline) -> io::Result<Duration> {
    let left = deadline.left();
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left.max(Duration::from_micros(1))) }
}

/// A socket timeout shows up as `WouldBlock`; it is the deadline that has passed.
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { error }
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
        let left = some_time(self.deadline)?;
        match &mut self.socket {
            Socketed::Tcp(socket) => socket.set_write_timeout(Some(left)).and_then(|()| socket.write(buffer)),
            Socketed::Unix(socket) => socket.set_write_timeout(Some(left)).and_then(|()| socket.write(buffer)),
        }
        .map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
