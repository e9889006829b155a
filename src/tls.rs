//! TLS: whom to trust and who we are, and what one connection of it goes through. The socket is [`crate::stream`]'s.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, ClientConnection, RootCertStore};

/// What is wrong between the two sides of TLS, for a person. Somebody answers, so it is no silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble(pub String);

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Trouble {}

impl From<Trouble> for io::Error {
    fn from(trouble: Trouble) -> Self {
        io::Error::other(trouble)
    }
}

/// Where the certificates lie, as the configuration names them; for redis-cli, too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// The certificates of those who sign the servers' certificates.
    pub ca: PathBuf,
    /// Our certificate and its key, where servers ask for one.
    pub client: Option<(PathBuf, PathBuf)>,
    /// What every server's certificate must be valid for; `None`: its own address.
    pub server_name: Option<String>,
}

impl Files {
    /// Each of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Path> {
        let client = self.client.iter().flat_map(|(cert, key)| [cert, key]);
        std::iter::once(&self.ca).chain(client).map(PathBuf::as_path)
    }
}

/// The certificates themselves, as text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Texts {
    /// Of [`Files::ca`].
    pub ca: Vec<u8>,
    /// Of [`Files::client`].
    pub client: Option<(Vec<u8>, Vec<u8>)>,
}

/// Which of the files is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The authorities.
    Ca,
    /// Our certificate.
    Cert,
    /// Its key.
    Key,
}

/// How to speak TLS to a server.
#[derive(Clone)]
pub struct Tls {
    /// Where all of it comes from.
    pub files: Files,
    texts: Texts,
    config: Arc<ClientConfig>,
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.files == other.files && self.texts == other.texts
    }
}

impl Eq for Tls {}

/// Without the key.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.fmt(f)
    }
}

impl Tls {
    /// Puts together what the files hold.
    ///
    /// # Errors
    /// Which of them is of no use, and why.
    pub fn new(files: Files, texts: Texts) -> Result<Tls, (Part, String)> {
        let roots = authorities(&texts.ca).map_err(|reason| (Part::Ca, reason))?;
        let provider = Arc::new(ring::default_provider());
        let client = match &texts.client {
            Some((cert, key)) => Some(identity(&provider, cert, key)?),
            None => None,
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| (Part::Ca, error.to_string()))?
            .with_root_certificates(roots);
        let mut config = match client {
            Some((chain, key)) => {
                builder.with_client_auth_cert(chain, key).map_err(|error| (Part::Key, error.to_string()))?
            }
            None => builder.with_no_client_auth(),
        };
        // One run of a program makes a connection or two to a server.
        config.resumption = Resumption::disabled();
        Ok(Tls { files, texts, config: Arc::new(config) })
    }

    /// The same, without the files that are of no use: the servers' certificates are then not accepted, or ours is
    /// missed, which both sides say.
    pub fn of_what_is_good(files: Files, mut texts: Texts) -> Option<Tls> {
        loop {
            match Tls::new(files.clone(), texts.clone()) {
                Ok(tls) => return Some(tls),
                Err((Part::Ca, _)) if !texts.ca.is_empty() => texts.ca.clear(),
                Err((Part::Cert | Part::Key, _)) if texts.client.is_some() => texts.client = None,
                Err(_) => return None,
            }
        }
    }

    /// The same, for a server whose certificate is that of `address`, wherever it is met.
    pub fn as_of(&self, address: IpAddr) -> Tls {
        let mut tls = self.clone();
        tls.files.server_name.get_or_insert_with(|| address.to_string());
        tls
    }
}

/// Can a certificate be valid for this?
pub(crate) fn is_name(name: &str) -> bool {
    ServerName::try_from(name).is_ok()
}

fn authorities(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    // Nothing at all is what a file that can't be read holds, see `of_what_is_good`.
    if !pem.is_empty() {
        for certificate in certificates(pem)? {
            roots.add(certificate).map_err(|error| format!("holds a certificate that can't be used: {error}"))?;
        }
    }
    Ok(roots)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err("holds no certificate (PEM)".to_owned()),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("not a file of certificates (PEM): {error}")),
    }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity(provider: &CryptoProvider, cert: &[u8], key: &[u8]) -> Result<Identity, (Part, String)> {
    let chain = certificates(cert).map_err(|reason| (Part::Cert, reason))?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| (Part::Key, "holds no private key (PEM, without a passphrase)".to_owned()))?;
    let usable = provider
        .key_provider
        .load_private_key(key.clone_key())
        .map_err(|error| (Part::Key, format!("holds a private key that can't be used: {error}")))?;
    match rustls::sign::CertifiedKey::new(chain.clone(), usable).keys_match() {
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            Err((Part::Key, "not the key of the certificate".to_owned()))
        }
        Err(rustls::Error::InvalidCertificate(error)) => {
            Err((Part::Cert, format!("holds a certificate that can't be used: {error}")))
        }
        _ => Ok((chain, key)),
    }
}

/// One connection's.
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
        let name = tls.files.server_name.clone().unwrap_or_else(|| address.to_string());
        let server = ServerName::try_from(name.clone()).map_err(io::Error::other)?;
        let mut connection = ClientConnection::new(tls.config.clone(), server).map_err(io::Error::other)?;
        // Until the handshake is done, what is written waits here: a few commands.
        connection.set_buffer_limit(None);
        Ok(Session { connection, name, heard: false, over: None, is_over: false })
    }

    /// Nothing has come yet, not even a word of the handshake.
    pub(crate) fn is_unheard(&self) -> bool {
        !self.heard && !self.is_over
    }

    /// There is something to [`Session::take`].
    pub(crate) fn has_news(&mut self) -> bool {
        let plain = self.connection.process_new_packets().map(|state| state.plaintext_bytes_to_read());
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
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
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
    Trouble(sentence).into()
}

fn certificate(error: &CertificateError, name: &str) -> String {
    match error {
        CertificateError::NotValidForName => format!("the certificate is not valid for {name}"),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<String> = presented.iter().map(|name| plain(name)).collect();
            let names = if names.is_empty() { "no name or address".to_owned() } else { names.join(", ") };
            format!("the certificate is not valid for {name}, but for {names}")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the certificate has expired".to_owned(),
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

/// `IpAddress(192.168.158.12)` and `DnsName("redis-a")` without their wrapping; what a stranger sent, so not endlessly.
fn plain(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    inner.trim_matches('"').chars().filter(|c| !c.is_control()).take(80).collect()
}

/// The greeting of TLS 1.2, to find out whether somebody speaks TLS at all: one cipher and no extension.
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
