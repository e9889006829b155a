//! The lab's client of Redis: the connection of the `redis` crate. What is written down of a pair
//! was heard by an implementation that shares nothing with the programs under test.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::io::tcp::TcpSettings;
use redis::{
    Cmd, ConnectionAddr, ConnectionLike, IntoConnectionInfo, ProtocolVersion, PubSub,
    RedisConnectionInfo, RedisError, RedisResult, Value,
};

use crate::tls;

/// What a server answered. An error of the server's own is an answer too.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply(Value);

impl Reply {
    /// The text of a string, a number or an error; empty for nil and for lists.
    pub fn text(&self) -> String {
        match &self.0 {
            Value::Okay => "OK".to_owned(),
            Value::SimpleString(text) => text.clone(),
            Value::Int(number) => number.to_string(),
            Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Value::ServerError(error) => match error.details() {
                Some(details) => format!("{} {details}", error.code()),
                None => error.code().to_owned(),
            },
            _ => String::new(),
        }
    }

    /// The answer to a write that was done.
    pub fn is_ok(&self) -> bool {
        self.0 == Value::Okay
    }

    /// Of an error its first word.
    pub fn code(&self) -> Option<&str> {
        match &self.0 {
            Value::ServerError(error) => Some(error.code()),
            _ => None,
        }
    }

    /// The items of a list.
    pub fn items(self) -> Option<Vec<Reply>> {
        match self.0 {
            Value::Array(items) => Some(items.into_iter().map(Reply).collect()),
            _ => None,
        }
    }

    /// The texts of the items of a list.
    pub fn texts(self) -> Option<Vec<String>> {
        Some(self.items()?.iter().map(Reply::text).collect())
    }
}

/// A connection. After an error that is no [`Reply`] it is of no use any more.
pub struct Connection {
    redis: redis::Connection,
    patience: Duration,
}

impl Connection {
    /// Connects and authenticates; `timeout` bounds each call, and the connecting.
    pub fn open(address: SocketAddr, password: &str, timeout: Duration) -> RedisResult<Connection> {
        Connection::open_within(address, password, timeout, timeout)
    }

    /// The same with a time of its own for connecting.
    pub fn open_within(
        address: SocketAddr,
        password: &str,
        connect: Duration,
        timeout: Duration,
    ) -> RedisResult<Connection> {
        let mut connection = Connection::open_plain(address, connect, timeout)?;
        // The crate's own AUTH would hide which error the server gave.
        match connection.call(&["AUTH", password])?.0 {
            Value::ServerError(error) => Err(error.into()),
            _ => Ok(connection),
        }
    }

    /// Connects without a password; over TLS if the lab has switched that on.
    pub fn open_plain(
        address: SocketAddr,
        connect: Duration,
        timeout: Duration,
    ) -> RedisResult<Connection> {
        Connection::to(tls::way_to(address), connect, timeout)
    }

    /// Connects to a Unix socket, without a password.
    pub fn open_unix(path: &Path, timeout: Duration) -> RedisResult<Connection> {
        Connection::to(ConnectionAddr::Unix(path.to_owned()), timeout, timeout)
    }

    fn to(way: ConnectionAddr, connect: Duration, patience: Duration) -> RedisResult<Connection> {
        // Not one command of the crate's own accord: old servers know neither HELLO nor SETINFO.
        let quiet = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP2)
            .set_skip_set_lib_name();
        let info = way
            .into_connection_info()?
            .set_redis_settings(quiet)
            .set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let redis = redis::Client::open(info)?.get_connection_with_timeout(connect)?;
        // The crate clears its timeouts once it has connected.
        redis.set_read_timeout(Some(patience))?;
        redis.set_write_timeout(Some(patience))?;
        Ok(Connection { redis, patience })
    }

    /// One command, one reply.
    pub fn call<A: AsRef<[u8]>>(&mut self, command: &[A]) -> RedisResult<Reply> {
        self.redis.req_command(&packed(command)).map(Reply)
    }

    /// All commands in one go, a reply for each; the timeout is for all of them.
    pub fn pipeline<A: AsRef<[u8]>, C: AsRef<[A]>>(
        &mut self,
        commands: &[C],
    ) -> RedisResult<Vec<Reply>> {
        let (replies, outcome) = self.pipeline_as_far(commands);
        outcome.map(|()| replies)
    }

    /// The same; what was answered before an error is there beside it.
    pub fn pipeline_as_far<A: AsRef<[u8]>, C: AsRef<[A]>>(
        &mut self,
        commands: &[C],
    ) -> (Vec<Reply>, RedisResult<()>) {
        let end = Instant::now() + self.patience;
        let mut replies = Vec::with_capacity(commands.len());
        let outcome = self.exchange(commands, end, &mut replies);
        (replies, outcome)
    }

    fn exchange<A: AsRef<[u8]>, C: AsRef<[A]>>(
        &mut self,
        commands: &[C],
        end: Instant,
        replies: &mut Vec<Reply>,
    ) -> RedisResult<()> {
        let mut bytes = Vec::new();
        for command in commands {
            packed(command.as_ref()).write_packed_command(&mut bytes);
        }
        self.redis.send_packed_command(&bytes)?;
        for _ in commands {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
            self.redis.set_read_timeout(Some(left))?;
            replies.push(Reply(self.redis.recv_response()?));
        }
        self.redis.set_read_timeout(Some(self.patience))
    }

    /// Hears what is published there. An end of the patience does no harm to this.
    pub fn subscribe(&mut self, channel: &str) -> RedisResult<PubSub<'_>> {
        let mut ear = self.redis.as_pubsub();
        ear.subscribe(channel)?;
        Ok(ear)
    }
}

fn packed<A: AsRef<[u8]>>(words: &[A]) -> Cmd {
    let mut command = Cmd::new();
    for word in words {
        command.arg(word.as_ref());
    }
    command
}

/// One word for what went wrong, the same for the same cause: for counting.
pub fn kind(error: &RedisError) -> String {
    let word = match inner(error).map(io::Error::kind) {
        _ if error.is_timeout() => "timeout",
        Some(io::ErrorKind::ConnectionRefused) => "refused",
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => "reset",
        Some(io::ErrorKind::UnexpectedEof) => "closed",
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => "unreachable",
        _ => error.code().unwrap_or(error.category()),
    };
    word.to_owned()
}

/// The crate tells refused from reset only by the error that it wraps.
fn inner(error: &RedisError) -> Option<&io::Error> {
    let shared = error.source()?;
    let shared: &Arc<dyn Error + Send + Sync> = shared.downcast_ref()?;
    shared.downcast_ref()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread::JoinHandle;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(200);

    /// Answers each line that begins a command with `answer`, then closes; what it was sent.
    fn server(answers: &'static [&'static str]) -> (SocketAddr, JoinHandle<String>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let serve = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut lines = BufReader::new(stream.try_clone().expect("its other half"));
            let (mut heard, mut answers) = (String::new(), answers.iter());
            loop {
                let from = heard.len();
                if lines.read_line(&mut heard).expect("a line") == 0 {
                    return heard;
                }
                if heard[from..].starts_with('*') {
                    let Some(answer) = answers.next() else {
                        return heard;
                    };
                    stream.write_all(answer.as_bytes()).expect("written");
                }
            }
        });
        (address, serve)
    }

    #[test]
    fn nothing_is_sent_but_what_it_was_told_to_send() {
        let (address, serve) = server(&["+OK\r\n", "-READONLY You can't\r\n"]);
        let mut redis = Connection::open(address, "secret", PATIENCE).expect("opened");
        let reply = redis.call(&["SET", "k", "v"]).expect("a reply");
        assert_eq!(reply.text(), "READONLY You can't");
        assert!(!reply.is_ok());
        drop(redis);
        let heard = serve.join().expect("served").replace("\r\n", " ");
        assert_eq!(heard, "*2 $4 AUTH $6 secret *3 $3 SET $1 k $1 v ");
    }

    #[test]
    fn an_error_to_the_password_keeps_its_code() {
        let (address, _serve) = server(&["-LOADING Redis is loading the dataset in memory\r\n"]);
        let refused = Connection::open(address, "secret", PATIENCE)
            .err()
            .expect("an error");
        assert_eq!(kind(&refused), "LOADING");
    }

    #[test]
    fn what_was_answered_before_a_silence_is_there_and_the_silence_ends_in_time() {
        let (address, _serve) = server(&["+OK\r\n", "+OK\r\n", ":7\r\n", ""]);
        let mut redis = Connection::open(address, "secret", PATIENCE).expect("opened");
        let clock = Instant::now();
        let (replies, outcome) = redis.pipeline_as_far(&[["A"], ["B"], ["C"]]);
        let texts: Vec<String> = replies.iter().map(Reply::text).collect();
        assert_eq!(texts, ["OK", "7"]);
        assert_eq!(kind(&outcome.expect_err("silent")), "timeout");
        assert!(
            (PATIENCE..2 * PATIENCE).contains(&clock.elapsed()),
            "{:?}",
            clock.elapsed()
        );
    }

    #[test]
    fn a_word_for_each_way_to_lose_a_connection() {
        let (address, serve) = server(&["+OK\r\n"]);
        let mut redis = Connection::open(address, "secret", PATIENCE).expect("opened");
        let closed = redis.call(&["PING"]).expect_err("closed");
        assert!(
            ["closed", "reset"].contains(&kind(&closed).as_str()),
            "{closed}"
        );
        serve.join().expect("served");
        let refused = Connection::open(address, "secret", PATIENCE)
            .err()
            .expect("an error");
        assert_eq!(kind(&refused), "refused");
        let (silent, _serve) = server(&[""]);
        let silent = Connection::open(silent, "secret", PATIENCE)
            .err()
            .expect("an error");
        assert_eq!(kind(&silent), "timeout");
    }
}
