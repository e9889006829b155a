//! A socket, and waiting for it: every call ends before a deadline, whatever the other side does.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, SockAddr, Type};

use super::endpoint::Endpoint;
use crate::deadline::Deadline;

/// Between two tries at a Unix socket whose backlog is full.
const BACKLOG_TICK: Duration = Duration::from_millis(3);

#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Tcp(socket) => socket.as_fd(),
            Socket::Unix(socket) => socket.as_fd(),
        }
    }
}

impl Socket {
    /// Connects before `deadline`.
    ///
    /// # Errors
    /// As the kernel reports it; `TimedOut` when the deadline came first.
    pub(crate) fn connect(endpoint: &Endpoint, deadline: Deadline) -> io::Result<Socket> {
        let left = some_time(deadline)?;
        match endpoint {
            Endpoint::Tcp(address) => {
                // A third for the first packet: the kernel sends a lost one again only after a
                // second.
                let stream = match TcpStream::connect_timeout(address, left / 3) {
                    Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                        TcpStream::connect_timeout(address, some_time(deadline)?)?
                    }
                    connected => connected?,
                };
                stream.set_nodelay(true)?;
                Ok(Socket::Tcp(stream))
            }
            Endpoint::Unix(path) => {
                let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
                socket.set_nonblocking(true)?;
                // EAGAIN is a full backlog (a server that no longer accepts), and nothing tells
                // when there is room.
                while let Err(error) = socket.connect(&SockAddr::unix(path)?) {
                    match error.kind() {
                        io::ErrorKind::WouldBlock if deadline.pause(BACKLOG_TICK) => {}
                        io::ErrorKind::WouldBlock => return Err(io::ErrorKind::TimedOut.into()),
                        _ => return Err(error),
                    }
                }
                socket.set_nonblocking(false)?;
                Ok(Socket::Unix(UnixStream::from(OwnedFd::from(socket))))
            }
        }
    }
}

/// Which of these have something to read, once one of them has; none of them at `deadline`.
pub(crate) fn wait<const N: usize>(
    sources: [Option<BorrowedFd<'_>>; N],
    deadline: Deadline,
) -> [bool; N] {
    let mut watched: Vec<PollFd<'_>> = sources
        .iter()
        .flatten()
        .map(|source| PollFd::new(*source, PollFlags::POLLIN))
        .collect();
    loop {
        // A tick of poll(2) is a millisecond: one more than is left, rather than none at the end.
        let left = i32::try_from(deadline.left().as_millis()).unwrap_or(i32::MAX - 1) + 1;
        match poll(
            &mut watched,
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX),
        ) {
            Ok(found) if found > 0 => {
                let mut watched = watched.iter();
                return sources.map(|source| {
                    source.is_some() && watched.next().and_then(PollFd::any).unwrap_or(false)
                });
            }
            _ if deadline.is_over() => return [false; N],
            // A signal.
            _ => {}
        }
    }
}

/// A socket whose every read and write ends before the deadline.
pub(crate) struct Timed<'s>(pub &'s mut Socket, pub Deadline);

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = some_time(self.1)?;
        match &mut self.0 {
            Socket::Tcp(socket) => socket
                .set_read_timeout(Some(left))
                .and_then(|()| socket.read(buffer)),
            Socket::Unix(socket) => socket
                .set_read_timeout(Some(left))
                .and_then(|()| socket.read(buffer)),
        }
        .map_err(timed_out)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let left = some_time(self.1)?;
        match &mut self.0 {
            Socket::Tcp(socket) => socket
                .set_write_timeout(Some(left))
                .and_then(|()| socket.write(buffer)),
            Socket::Unix(socket) => socket
                .set_write_timeout(Some(left))
                .and_then(|()| socket.write(buffer)),
        }
        .map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// For the calls that take no zero.
pub(crate) fn some_time(deadline: Deadline) -> io::Result<Duration> {
    let left = deadline.left();
    if left.is_zero() {
        Err(io::ErrorKind::TimedOut.into())
    } else {
        Ok(left.max(Duration::from_micros(1)))
    }
}

/// A socket timeout shows up as `WouldBlock`; it is the deadline that has passed.
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock {
        io::ErrorKind::TimedOut.into()
    } else {
        error
    }
}
