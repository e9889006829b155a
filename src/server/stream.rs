//! A connection whose reads and writes obey one deadline, whatever the other side does.
//!
//! `redis::Connection` times each read on its own and forgets the timeout after connecting (X1): a
//! server that answers one byte at a time holds it for ever. So the socket is ours; the `redis`
//! crate encodes, and `reply` reads.
//!
//! With TLS the handshake belongs to the first exchange and its deadline: as without, to be
//! connected proves only the kernel, and a server that hangs is silent and not gone.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, SockAddr, Socket, Type};

use super::endpoint::Endpoint;
use super::tls::{self, Session, Tls, Trouble};
use crate::deadline::Deadline;

/// More than any answer that the programs ask for: INFO is about 6 kB. Beyond it the other side
/// talks rubbish.
const LONGEST_ANSWER: usize = 4 << 20;

/// Between two tries at a Unix socket whose backlog is full.
const BACKLOG_TICK: Duration = Duration::from_millis(3);

#[derive(Debug)]
enum Socketed {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl AsFd for Socketed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socketed::Tcp(socket) => socket.as_fd(),
            Socketed::Unix(socket) => socket.as_fd(),
        }
    }
}

/// TLS on a connection, and whether it is TLS that the other side speaks.
#[derive(Debug)]
struct Secured {
    session: Session,
    address: SocketAddr,
    doubt: Doubt,
}

/// A Redis without TLS takes our greeting for the beginning of a command and waits for the rest, as
/// silent as one that hangs. So, where half of the time has passed in silence, it is asked in plain
/// text, too.
#[derive(Debug)]
enum Doubt {
    None,
    From(Deadline),
    Asked(TcpStream),
    Over,
}

/// An open connection; set a deadline with [`Stream::until`] before each exchange.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: Socketed,
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
        let left = some_time(deadline)?;
        let socket = match endpoint {
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
                Socketed::Tcp(stream)
            }
            Endpoint::Unix(path) => {
                let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
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
                Socketed::Unix(UnixStream::from(std::os::fd::OwnedFd::from(socket)))
            }
        };
        let secured = match (endpoint, tls) {
            (Endpoint::Tcp(address), Some(tls)) => {
                let (session, address) = (Session::new(tls, address.ip())?, *address);
                Some(Box::new(Secured {
                    session,
                    address,
                    doubt: Doubt::None,
                }))
            }
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

impl Secured {
    /// Waits for something from the socket, TLS or not, or from `other`.
    fn wait(
        &mut self,
        socket: &Socketed,
        other: Option<BorrowedFd<'_>>,
        deadline: Deadline,
    ) -> (bool, bool) {
        if !self.session.is_unheard() {
            self.doubt = Doubt::Over;
        }
        if matches!(self.doubt, Doubt::None) {
            self.doubt = Doubt::From(deadline.half());
        }
        let (plain, until) = match &self.doubt {
            Doubt::From(from) => (None, deadline.min(*from)),
            Doubt::Asked(plain) => (Some(plain.as_fd()), deadline),
            Doubt::None | Doubt::Over => (None, deadline),
        };
        let [ours, theirs, in_plain] = wait([Some(socket.as_fd()), other, plain], until);
        self.doubt = match std::mem::replace(&mut self.doubt, Doubt::Over) {
            Doubt::From(from) if from.is_over() && !ours => {
                ask_in_plain(self.address, deadline).map_or(Doubt::Over, Doubt::Asked)
            }
            Doubt::Asked(mut plain) if in_plain => {
                let mut answer = [0; 1];
                if matches!(plain.read(&mut answer), Ok(1)) && matches!(answer, [b'+' | b'-']) {
                    self.session
                        .end(Trouble("it answers without TLS".to_owned()).into());
                }
                Doubt::Over
            }
            doubt => doubt,
        };
        (ours, theirs)
    }

    fn hear(&mut self, socket: &mut Socketed, deadline: Deadline) -> io::Result<()> {
        self.session.hear(&mut Timed(socket, deadline))
    }

    fn read(
        &mut self,
        socket: &mut Socketed,
        buffer: &mut [u8],
        deadline: Deadline,
    ) -> io::Result<usize> {
        while !self.session.has_news() {
            some_time(deadline)?;
            if self.wait(socket, None, deadline).0 {
                self.hear(socket, deadline)?;
            }
        }
        self.session.take(buffer)
    }
}

fn ask_in_plain(address: SocketAddr, deadline: Deadline) -> Option<TcpStream> {
    let mut socket = TcpStream::connect_timeout(&address, some_time(deadline).ok()? / 2).ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.write_all(b"PING\r\n").ok()?;
    Some(socket)
}

/// Does the server at `address`, which closed a connection in plain text without a word, speak TLS?
/// A Redis does so on its port for TLS.
pub(crate) fn wants_tls(address: SocketAddr, deadline: Deadline) -> bool {
    let ask = || {
        let mut socket = Socketed::Tcp(TcpStream::connect_timeout(&address, some_time(deadline)?)?);
        let mut socket = Timed(&mut socket, deadline);
        let mut answer = [0; 2];
        socket.write_all(&tls::GREETING)?;
        socket.read_exact(&mut answer)?;
        io::Result::Ok(tls::is_tls(&answer))
    };
    ask().unwrap_or(false)
}

/// Which of these have something to read, once one of them has; none of them at `deadline`.
fn wait<const N: usize>(sources: [Option<BorrowedFd<'_>>; N], deadline: Deadline) -> [bool; N] {
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
struct Timed<'s>(&'s mut Socketed, Deadline);

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = some_time(self.1)?;
        match &mut self.0 {
            Socketed::Tcp(socket) => socket
                .set_read_timeout(Some(left))
                .and_then(|()| socket.read(buffer)),
            Socketed::Unix(socket) => socket
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
            Socketed::Tcp(socket) => socket
                .set_write_timeout(Some(left))
                .and_then(|()| socket.write(buffer)),
            Socketed::Unix(socket) => socket
                .set_write_timeout(Some(left))
                .and_then(|()| socket.write(buffer)),
        }
        .map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn some_time(deadline: Deadline) -> io::Result<Duration> {
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
