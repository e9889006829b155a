//! What one connection of TLS goes through, and how its end reads.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::IpAddr;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConnection};

use super::Tls;
use crate::terminal::plain;

/// What is wrong between the two sides of TLS, for a person. Somebody answers, so it is no silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Disagreement(pub String);

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Disagreement {}

impl From<Disagreement> for io::Error {
    fn from(disagreement: Disagreement) -> Self {
        io::Error::other(disagreement)
    }
}

#[derive(Debug)]
pub(crate) struct Session {
    connection: ClientConnection,
    name: String,
    heard: bool,
    /// It is over; why, is told once, and after that it is merely closed.
    over: Option<io::Error>,
    is_over: bool,
}

impl Session {
    pub(crate) fn new(tls: &Tls, address: IpAddr) -> io::Result<Session> {
        let name = tls
            .files
            .server_name
            .clone()
            .unwrap_or_else(|| address.to_string());
        let server = ServerName::try_from(name.clone()).map_err(io::Error::other)?;
        let mut connection =
            ClientConnection::new(tls.config.clone(), server).map_err(io::Error::other)?;
        // Until the handshake is done, what is written waits here: a few commands.
        connection.set_buffer_limit(None);
        Ok(Session {
            connection,
            name,
            heard: false,
            over: None,
            is_over: false,
        })
    }

    /// Nothing has come yet, not even a word of the handshake.
    pub(crate) fn is_unheard(&self) -> bool {
        !self.heard && !self.is_over
    }

    /// There is something to [`Session::take`].
    pub(crate) fn has_news(&mut self) -> bool {
        let plain = self
            .connection
            .process_new_packets()
            .map(|state| state.plaintext_bytes_to_read());
        self.is_over || plain.unwrap_or(0) > 0
    }

    /// What has come and is decrypted; 0 at the end.
    pub(crate) fn take(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.connection.reader().read(buffer) {
            Ok(read) if read > 0 => Ok(read),
            _ => self.over.take().map_or(Ok(0), Err),
        }
    }

    /// Puts `bytes` on the way, behind the handshake.
    pub(crate) fn write(&mut self, bytes: &[u8], socket: &mut impl Write) -> io::Result<()> {
        self.connection.writer().write_all(bytes)?;
        self.flush(socket)
    }

    fn flush(&mut self, socket: &mut impl Write) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(socket)?;
        }
        Ok(())
    }

    /// Takes in what the socket has, and says what is to be said to it.
    pub(crate) fn hear(&mut self, socket: &mut (impl Read + Write)) -> io::Result<()> {
        match self.connection.read_tls(socket) {
            Ok(0) => self.end(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => self.heard = true,
            Err(error) => return Err(error),
        }
        if let Err(error) = self.connection.process_new_packets() {
            // The reason, as far as it can be told.
            let _ = self.flush(socket);
            self.end(refusal(&error, &self.name));
        }
        // Its end says why, not our failure to speak to it.
        match self.flush(socket) {
            Err(_) if self.is_over => Ok(()),
            Err(error) if is_about_the_other_side(&error) => Ok(()),
            flushed => flushed,
        }
    }

    pub(crate) fn end(&mut self, why: io::Error) {
        if !self.is_over {
            self.over = Some(why);
        }
        self.is_over = true;
    }
}

/// It has closed; what it said before that is still to be read.
fn is_about_the_other_side(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

fn refusal(error: &rustls::Error, name: &str) -> io::Error {
    let sentence = match error {
        rustls::Error::InvalidCertificate(error) => certificate(error, name),
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "it asks for a client certificate: set cert and key".to_owned()
        }
        rustls::Error::AlertReceived(
            alert @ (AlertDescription::UnknownCA
            | AlertDescription::DecryptError
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied),
        ) => format!("it does not accept our certificate: {alert:?}"),
        rustls::Error::AlertReceived(alert) => format!("it breaks off with the alert {alert:?}"),
        rustls::Error::PeerIncompatible(why) => format!("no version and cipher in common: {why:?}"),
        // No proof that it is a server of TLS.
        rustls::Error::InvalidMessage(_) => {
            return io::Error::new(io::ErrorKind::InvalidData, "what came is not TLS");
        }
        error => error.to_string(),
    };
    Disagreement(sentence).into()
}

fn certificate(error: &CertificateError, name: &str) -> String {
    match error {
        CertificateError::NotValidForName => format!("the certificate is not valid for {name}"),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<String> = presented.iter().map(|name| unwrapped(name)).collect();
            let names = if names.is_empty() {
                "no name or address".to_owned()
            } else {
                names.join(", ")
            };
            format!("the certificate is not valid for {name}, but for {names}")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet; or this machine's clock is wrong".to_owned()
        }
        // The second where somebody in it has the issuer's name, but another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the certificate is signed by nobody in ca".to_owned()
        }
        CertificateError::Revoked => "the certificate is revoked".to_owned(),
        error => format!("the certificate is not accepted: {error}"),
    }
}

/// `IpAddress(192.168.158.12)` and `DnsName("redis-a")` without their wrapping; what a stranger
/// sent, so not endlessly.
fn unwrapped(name: &str) -> String {
    let inner = name
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'))
        .unwrap_or(name);
    plain(inner.trim_matches('"')).chars().take(80).collect()
}

/// The greeting of TLS 1.2, to find out whether somebody speaks TLS at all: one cipher and no
/// extension.
pub(crate) const GREETING: [u8; 50] = {
    let mut bytes = [0x5a; 50];
    let head = [0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3];
    let tail = [0, 0, 2, 0xc0, 0x2f, 1, 0];
    let mut at = 0;
    while at < head.len() {
        bytes[at] = head[at];
        at += 1;
    }
    at = 0;
    while at < tail.len() {
        bytes[bytes.len() - tail.len() + at] = tail[at];
        at += 1;
    }
    bytes
};

/// The first bytes of an answer in TLS: an alert, or a greeting.
pub(crate) fn is_tls(answer: &[u8]) -> bool {
    matches!(answer, [0x15 | 0x16, 3, ..])
}
