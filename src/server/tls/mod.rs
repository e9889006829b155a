//! TLS: whom to trust and who we are. The socket is [`crate::server::socket`]'s.

pub(crate) mod session;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

pub(crate) use self::session::{Disagreement, GREETING, Session, is_tls};

/// Where the certificates lie, as the configuration names them.
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
    pub(crate) fn all(&self) -> impl Iterator<Item = &Path> {
        let client = self.client.iter().flat_map(|(cert, key)| [cert, key]);
        std::iter::once(&self.ca)
            .chain(client)
            .map(PathBuf::as_path)
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
    Ca,
    Cert,
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
            Some((chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| (Part::Key, error.to_string()))?,
            None => builder.with_no_client_auth(),
        };
        // One run of a program makes a connection or two to a server.
        config.resumption = Resumption::disabled();
        Ok(Tls {
            files,
            texts,
            config: Arc::new(config),
        })
    }

    /// The same, without the files that are of no use: the servers' certificates are then not
    /// accepted, or ours is missed, which both sides say.
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
        tls.files
            .server_name
            .get_or_insert_with(|| address.to_string());
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
            roots
                .add(certificate)
                .map_err(|error| format!("holds a certificate that can't be used: {error}"))?;
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

fn identity(
    provider: &CryptoProvider,
    cert: &[u8],
    key: &[u8],
) -> Result<Identity, (Part, String)> {
    let chain = certificates(cert).map_err(|reason| (Part::Cert, reason))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
        (
            Part::Key,
            "holds no private key (PEM, without a passphrase)".to_owned(),
        )
    })?;
    let usable = provider
        .key_provider
        .load_private_key(key.clone_key())
        .map_err(|error| {
            (
                Part::Key,
                format!("holds a private key that can't be used: {error}"),
            )
        })?;
    match rustls::sign::CertifiedKey::new(chain.clone(), usable).keys_match() {
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            Err((Part::Key, "not the key of the certificate".to_owned()))
        }
        Err(rustls::Error::InvalidCertificate(error)) => Err((
            Part::Cert,
            format!("holds a certificate that can't be used: {error}"),
        )),
        _ => Ok((chain, key)),
    }
}
