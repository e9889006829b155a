//! A small Redis client whose every call ends in time: no call outlives its deadline, whatever
//! the server does.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::tls;

/// A reply. `nil` is an empty `Bulk`.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// `+OK`
    Simple(String),
    /// `-READONLY ...`
    Error(String),
    /// `:1`
    Int(i64),
    /// A string, or nil.
    Bulk(Option<Vec<u8>>),
    /// A list.
    List(Vec<Reply>),
}

impl Reply {
    /// The text of a string reply, empty for others.
    pub fn text(&self) -> String {
        match self {
            Reply::Simple(s) | Reply::Error(s) => s.clone(),
            Reply::Int(n) => n.to_string(),
            Reply::Bulk(Some(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            Reply::Bulk(None) | Reply::List(_) => String::new(),
        }
    }
}

enum Stream {
    Tcp(TcpStream),
    Tls(Box<tls::Secured>),
    Unix(UnixStream),
}

/// A connection. After an I/O error it is of no use any more.
pub struct Connection {
    stream: Stream,
    buffer: Vec<u8>,
    used: usize,
    timeout: Duration,
}

impl Connection {
    /// Connects and authenticates; `timeout` bounds each call, and the connecting.
    pub fn open(address: SocketAddr, password: &str, timeout: Duration) -> io::Result<Connection> {
        Connection::open_within(address, password, timeout, timeout)
    }

    /// The same with a time of its own for connecting.
    pub fn open_within(
        address: SocketAddr,
        password: &str,
        connect: Duration,
        timeout: Duration,
    ) -> io::Result<Connection> {
        let mut connection = Connection::open_plain(address, connect, timeout)?;
        connection.auth(password)?;
        Ok(connection)
    }

    /// Connects without a password; over TLS, where the lab has that everywhere.
    pub fn open_plain(
        address: SocketAddr,
        connect: Duration,
        timeout: Duration,
    ) -> io::Result<Connection> {
        let stream = TcpStream::connect_timeout(&address, connect)?;
        stream.set_nodelay(true)?;
        let stream =
            tls::on(stream).map_or_else(Stream::Tcp, |secured| Stream::Tls(Box::new(secured)));
        Ok(Connection::new(stream, timeout))
    }

    fn auth(&mut self, password: &str) -> io::Result<()> {
        match self.call(&["AUTH", password])? {
            Reply::Error(e) => Err(io::Error::other(e)),
            _ => Ok(()),
        }
    }

    /// Connects to a Unix socket, without a password.
    pub fn open_unix(path: &Path, timeout: Duration) -> io::Result<Connection> {
        Ok(Connection::new(
            Stream::Unix(UnixStream::connect(path)?),
            timeout,
        ))
    }

    fn new(stream: Stream, timeout: Duration) -> Connection {
        Connection {
            stream,
            buffer: Vec::new(),
            used: 0,
            timeout,
        }
    }

    /// One command, one reply.
    pub fn call<A: AsRef<[u8]>>(&mut self, command: &[A]) -> io::Result<Reply> {
        let mut replies = self.pipeline(std::slice::from_ref(&command))?;
        replies.pop().ok_or_else(|| io::Error::other("no reply"))
    }

    /// All commands in one go, a reply for each; the timeout is for all of them.
    pub fn pipeline<A: AsRef<[u8]>, C: AsRef<[A]>>(
        &mut self,
        commands: &[C],
    ) -> io::Result<Vec<Reply>> {
        let (replies, outcome) = self.pipeline_as_far(commands);
        outcome.map(|()| replies)
    }

    /// The same; what was answered before an error is there beside it.
    pub fn pipeline_as_far<A: AsRef<[u8]>, C: AsRef<[A]>>(
        &mut self,
        commands: &[C],
    ) -> (Vec<Reply>, io::Result<()>) {
        let end = Instant::now() + self.timeout;
        let mut replies = Vec::with_capacity(commands.len());
        let outcome = self.send(commands).and_then(|()| {
            for _ in commands {
                replies.push(self.reply(end)?);
            }
            Ok(())
        });
        (replies, outcome)
    }

    /// What the server says by itself, as to a subscriber; waits no longer than `within`.
    pub fn hear(&mut self, within: Duration) -> io::Result<Reply> {
        self.reply(Instant::now() + within)
    }

    fn send<A: AsRef<[u8]>, C: AsRef<[A]>>(&mut self, commands: &[C]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for command in commands {
            let words = command.as_ref();
            bytes.extend(format!("*{}\r\n", words.len()).bytes());
            for word in words {
                let word = word.as_ref();
                bytes.extend(format!("${}\r\n", word.len()).bytes());
                bytes.extend_from_slice(word);
                bytes.extend_from_slice(b"\r\n");
            }
        }
        match &mut self.stream {
            Stream::Tcp(s) => {
                s.set_write_timeout(Some(self.timeout))?;
                s.write_all(&bytes)
            }
            Stream::Tls(s) => {
                s.sock.set_read_timeout(Some(self.timeout))?;
                s.sock.set_write_timeout(Some(self.timeout))?;
                s.write_all(&bytes)?;
                s.flush()
            }
            Stream::Unix(s) => {
                s.set_write_timeout(Some(self.timeout))?;
                s.write_all(&bytes)
            }
        }
    }

    fn reply(&mut self, end: Instant) -> io::Result<Reply> {
        let line = self.line(end)?;
        let (kind, rest) = line.split_at_checked(1).ok_or_else(|| bad(&line))?;
        let number = || rest.parse::<i64>().map_err(|_| bad(&line));
        Ok(match kind {
            "+" => Reply::Simple(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Int(number()?),
            "$" => match usize::try_from(number()?) {
                Ok(length) => {
                    let mut bytes = self.take(length + 2, end)?;
                    bytes.truncate(length);
                    Reply::Bulk(Some(bytes))
                }
                Err(_) => Reply::Bulk(None),
            },
            "*" => {
                let count = number()?.max(0);
                Reply::List(
                    (0..count)
                        .map(|_| self.reply(end))
                        .collect::<io::Result<_>>()?,
                )
            }
            _ => return Err(bad(&line)),
        })
    }

    fn line(&mut self, end: Instant) -> io::Result<String> {
        let mut from = self.used;
        loop {
            if let Some(at) = self.buffer[from..]
                .windows(2)
                .position(|two| two == b"\r\n")
            {
                let line = String::from_utf8_lossy(&self.buffer[self.used..from + at]).into_owned();
                self.used = from + at + 2;
                return Ok(line);
            }
            from = self.buffer.len().saturating_sub(1).max(self.used);
            let before = self.used;
            self.more(end)?;
            from -= before - self.used;
        }
    }

    fn take(&mut self, count: usize, end: Instant) -> io::Result<Vec<u8>> {
        while self.buffer.len() - self.used < count {
            self.more(end)?;
        }
        let bytes = self.buffer[self.used..self.used + count].to_vec();
        self.used += count;
        Ok(bytes)
    }

    fn more(&mut self, end: Instant) -> io::Result<()> {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.buffer.drain(..self.used);
        self.used = 0;
        let mut chunk = [0; 65536];
        let count = match &mut self.stream {
            Stream::Tcp(s) => {
                s.set_read_timeout(Some(left))?;
                s.read(&mut chunk)?
            }
            Stream::Tls(s) => {
                s.sock.set_read_timeout(Some(left))?;
                s.read(&mut chunk)?
            }
            Stream::Unix(s) => {
                s.set_read_timeout(Some(left))?;
                s.read(&mut chunk)?
            }
        };
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.buffer.extend_from_slice(&chunk[..count]);
        Ok(())
    }
}

fn bad(line: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("not a Redis reply: {line}"),
    )
}

/// One word for what went wrong, the same for the same cause: for counting.
pub fn kind(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "timeout".into(),
        io::ErrorKind::ConnectionRefused => "refused".into(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "reset".into(),
        io::ErrorKind::UnexpectedEof => "closed".into(),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "unreachable".into(),
        _ => error
            .to_string()
            .split_whitespace()
            .next()
            .unwrap_or("other")
            .to_owned(),
    }
}
