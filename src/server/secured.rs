//! TLS on a socket, and the doubt whether the other side speaks it at all.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use super::socket::{Socket, Timed, some_time, wait};
use super::tls::{self, Disagreement, Session, Tls};
use crate::deadline::Deadline;

/// TLS on a connection, and whether it is TLS that the other side speaks.
#[derive(Debug)]
pub(crate) struct Secured {
    pub session: Session,
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

impl Secured {
    pub(crate) fn new(tls: &Tls, address: SocketAddr) -> io::Result<Secured> {
        Ok(Secured {
            session: Session::new(tls, address.ip())?,
            address,
            doubt: Doubt::None,
        })
    }

    /// Waits for something from the socket, TLS or not, or from `other`.
    pub(crate) fn wait(
        &mut self,
        socket: &Socket,
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
                        .end(Disagreement("it answers without TLS".to_owned()).into());
                }
                Doubt::Over
            }
            doubt => doubt,
        };
        (ours, theirs)
    }

    pub(crate) fn hear(&mut self, socket: &mut Socket, deadline: Deadline) -> io::Result<()> {
        self.session.hear(&mut Timed(socket, deadline))
    }

    pub(crate) fn read(
        &mut self,
        socket: &mut Socket,
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
        let mut socket = Socket::Tcp(TcpStream::connect_timeout(&address, some_time(deadline)?)?);
        let mut socket = Timed(&mut socket, deadline);
        let mut answer = [0; 2];
        socket.write_all(&tls::GREETING)?;
        socket.read_exact(&mut answer)?;
        io::Result::Ok(tls::is_tls(&answer))
    };
    ask().unwrap_or(false)
}
