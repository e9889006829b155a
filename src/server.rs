//! One Redis: connect, command, observe. Never logs, never decides.

use std::fmt;
use std::io::{self, Write};

use redis::{Cmd, Parser, Value, cmd};

use crate::config::Auth;
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use crate::info::{Observation, Version, short};
use crate::stream::Stream;
use crate::term::Term;

/// An error reply: the server is alive and says no. Only the first word is for code, texts differ between versions
/// and between Redis and Valkey (R17).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// `NOAUTH`, `LOADING`, `READONLY`, `ERR`...
    pub code: String,
    /// The rest, for people.
    pub text: String,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.code, if self.text.is_empty() { "" } else { " " }, self.text)
    }
}

impl Denial {
    /// The password or user that we have is wrong or missing.
    pub fn is_about_auth(&self) -> bool {
        // "ERR invalid password" is the answer to AUTH before Redis 6.
        matches!(self.code.as_str(), "NOAUTH" | "WRONGPASS" | "NOPERM") || self.text.starts_with("invalid password")
    }
}

/// Why a Redis gave no usable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody listens there.
    Refused,
    /// The connection was not made before the deadline: the host is gone, or cut off.
    NoConnection,
    /// Connected, but nothing, or not enough, came before the deadline.
    TimedOut,
    /// The connection was closed or reset before the answer.
    Reset,
    /// Any other error of the network or the socket file, in the kernel's words.
    Network(String),
    /// What came is not an answer that a Redis gives.
    Rubbish(String),
    /// An error reply.
    Denied(Denial),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused => f.write_str("connection refused"),
            Failure::NoConnection => f.write_str("no connection in time"),
            Failure::TimedOut => f.write_str("no answer in time"),
            Failure::Reset => f.write_str("connection closed before the answer"),
            Failure::Network(text) => f.write_str(text),
            Failure::Rubbish(text) => write!(f, "not the answer of a Redis: {text}"),
            Failure::Denied(denial) => write!(f, "it says {denial}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Failure::Refused,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Failure::TimedOut,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Failure::Reset,
            io::ErrorKind::InvalidData => Failure::Rubbish(error.to_string()),
            _ => Failure::Network(error.to_string()),
        }
    }
}

/// A connection to one Redis. After a broken conversation it is opened again by the next command: what was left in
/// the old one would answer the wrong question.
pub struct Server {
    endpoint: Endpoint,
    auth: Auth,
    line: Option<Line>,
    term_key: Option<String>,
}

struct Line {
    stream: Stream,
    parser: Parser,
    greeting: Option<Cmd>,
    auth_denied: Option<Denial>,
}

impl Server {
    /// Connects; AUTH is sent together with the first command, so that it costs no round trip of its own.
    ///
    /// # Errors
    /// [`Failure::Refused`], [`Failure::NoConnection`] or [`Failure::Network`].
    pub fn connect(endpoint: &Endpoint, auth: &Auth, deadline: Deadline) -> Result<Server, Failure> {
        let line = Some(Line::open(endpoint, auth, deadline)?);
        Ok(Server { endpoint: endpoint.clone(), auth: auth.clone(), line, term_key: None })
    }

    /// The key that holds the term where there are no functions (`policy.term_key`).
    pub fn with_term_key(self, key: Option<&str>) -> Server {
        Server { term_key: key.map(str::to_owned), ..self }
    }

    /// Sends all `commands` in one write and reads their answers. An error reply is the answer of its command; only
    /// a broken conversation fails the batch.
    ///
    /// # Errors
    /// Every [`Failure`]; `Denied` only where the server refuses the connection itself.
    pub fn batch(&mut self, commands: &[Cmd], deadline: Deadline) -> Result<Vec<Result<Value, Denial>>, Failure> {
        let mut line = match self.line.take() {
            Some(line) => line,
            None => Line::open(&self.endpoint, &self.auth, deadline)?,
        };
        let answers = line.exchange(commands, deadline)?;
        self.line = Some(line);
        Ok(answers)
    }

    /// One command, one answer.
    ///
    /// # Errors
    /// Every [`Failure`].
    pub fn call(&mut self, command: &Cmd, deadline: Deadline) -> Result<Value, Failure> {
        let mut answers = self.batch(std::slice::from_ref(command), deadline)?;
        match answers.pop() {
            Some(answer) => answer.map_err(Failure::Denied),
            None => Err(Failure::Reset),
        }
    }

    /// The commands whose answers [`Server::observation`] reads.
    pub fn questions() -> [Cmd; 4] {
        ["server", "replication", "persistence", "keyspace"].map(|section| cmd("INFO").arg(section).clone())
    }

    /// Reads the answers to [`Server::questions`].
    ///
    /// # Errors
    /// `Denied`, or `Rubbish` where a field without which nothing can be decided is missing or absurd.
    pub fn observation(answers: impl Iterator<Item = Result<Value, Denial>>) -> Result<Observation, Failure> {
        let mut text = String::with_capacity(4096);
        for answer in answers {
            text.push_str(&string(answer.map_err(Failure::Denied)?)?);
        }
        Observation::read(&text).map_err(Failure::Rubbish)
    }

    /// Everything that the programs decide on, in one round trip.
    ///
    /// # Errors
    /// Every [`Failure`].
    pub fn observe(&mut self, deadline: Deadline) -> Result<Observation, Failure> {
        let mut commands = Server::questions().to_vec();
        let infos = commands.len();
        commands.push(Term::question());
        commands.extend(self.term_key.as_ref().map(|key| cmd("GET").arg(key).clone()));
        let mut answers = self.batch(&commands, deadline)?;
        // No function, no such command, no right to it: no term.
        let terms = answers.split_off(infos).into_iter().flatten().filter_map(|answer| string(answer).ok());
        let term = terms.filter_map(|text| Term::read(&text)).max_by_key(|term| term.number);
        Ok(Observation { term, ..Server::observation(answers.into_iter())? })
    }

    /// Writes the term into a master of `version`; false where neither functions (before 7.0) nor a key are to be had.
    ///
    /// # Errors
    /// Every [`Failure`].
    pub fn write_term(&mut self, term: &Term, version: Version, deadline: Deadline) -> Result<bool, Failure> {
        let key = self.term_key.as_ref().map(|key| cmd("SET").arg(key).arg(term.to_string()).clone());
        match key {
            _ if version.has_functions() => self.call(&term.load(), deadline).map(|_| true),
            Some(set) => self.call(&set, deadline).map(|_| true),
            None => Ok(false),
        }
    }

    /// The replication section alone: for loops that wait for an offset.
    ///
    /// # Errors
    /// As [`Server::observe`].
    pub fn replication(&mut self, deadline: Deadline) -> Result<crate::info::Replication, Failure> {
        let text = string(self.call(cmd("INFO").arg("replication"), deadline)?)?;
        crate::info::Replication::read(&text).map_err(Failure::Rubbish)
    }

    /// One configuration parameter; `None` where this version does not know it.
    ///
    /// # Errors
    /// Every [`Failure`].
    pub fn setting(&mut self, name: &str, deadline: Deadline) -> Result<Option<String>, Failure> {
        match self.call(cmd("CONFIG").arg("GET").arg(name), deadline)? {
            Value::Array(pair) => pair.into_iter().nth(1).map(string).transpose(),
            other => Err(Failure::Rubbish(format!("CONFIG GET answered {}", short(&format!("{other:?}"))))),
        }
    }
}

impl Line {
    fn open(endpoint: &Endpoint, auth: &Auth, deadline: Deadline) -> Result<Line, Failure> {
        let stream = Stream::connect(endpoint, deadline).map_err(|error| match Failure::from(error) {
            Failure::TimedOut => Failure::NoConnection,
            failure => failure,
        })?;
        let greeting = auth.password.as_ref().map(|password| {
            let mut command = cmd("AUTH");
            if let Some(user) = &auth.username {
                command.arg(user);
            }
            command.arg(password.expose()).clone()
        });
        Ok(Line { stream, parser: Parser::new(), greeting, auth_denied: None })
    }

    fn exchange(&mut self, commands: &[Cmd], deadline: Deadline) -> Result<Vec<Result<Value, Denial>>, Failure> {
        self.stream.until(deadline);
        let greeting = self.greeting.take();
        let mut bytes = Vec::with_capacity(256);
        for command in greeting.iter().chain(commands) {
            command.write_packed_command(&mut bytes);
        }
        let sent = self.stream.write_all(&bytes);
        if greeting.is_some() {
            self.auth_denied = self.answer().map_err(|failure| first_cause(failure, &sent))?.err();
        }
        let mut answers = Vec::with_capacity(commands.len());
        for _ in commands {
            let answer = self.answer().map_err(|failure| first_cause(failure, &sent))?;
            answers.push(answer.map_err(|denial| match &self.auth_denied {
                // What went wrong is the password, not that there was none.
                Some(wrong) if denial.code == "NOAUTH" => wrong.clone(),
                _ => denial,
            }));
        }
        Ok(answers)
    }

    fn answer(&mut self) -> Result<Result<Value, Denial>, Failure> {
        match self.parser.parse_value(&mut self.stream) {
            Ok(Value::ServerError(error)) => {
                let text = short(error.details().unwrap_or_default());
                let denial = Denial { code: short(error.code()), text };
                // The one refusal that comes unasked, before the connection is closed (R17).
                if denial.text.starts_with("max number of clients") {
                    return Err(Failure::Denied(denial));
                }
                Ok(Err(denial))
            }
            Ok(value) => Ok(Ok(value)),
            Err(_) => Err(match self.stream.trouble() {
                Some(trouble) => Failure::from(trouble),
                // The parser's own words are of its grammar, over several lines.
                None => Failure::Rubbish("what came is not its protocol".to_string()),
            }),
        }
    }
}

/// A server that refuses a connection writes its reason and closes: our write may fail, the reason is still there.
fn first_cause(failure: Failure, sent: &io::Result<()>) -> Failure {
    match (failure, sent) {
        (Failure::Reset, Err(error)) => Failure::from(io::Error::new(error.kind(), error.to_string())),
        (failure, _) => failure,
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
        other => Err(Failure::Rubbish(format!("expected a text, got {}", short(&format!("{other:?}"))))),
    }
}
