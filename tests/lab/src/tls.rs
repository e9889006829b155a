//! TLS between all and everybody: switched on for the whole process, before its first lab. Redis
//! and the sentinels then have no port in plain text and ask for client certificates, and every
//! connection of the lab goes over TLS.

use std::net::TcpStream;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::host::Host;

const CA: &str = "/etc/redis/tls/ca.crt";
const CERT: &str = "/etc/redis/tls/redis.crt";
const KEY: &str = "/etc/redis/tls/redis.key";
/// In every certificate beside the host's own address: the lab asks from within.
const LOOPBACK: &str = "127.0.0.1";

static AUTHORITY: OnceLock<Authority> = OnceLock::new();

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    client: Arc<ClientConfig>,
}

/// From now on.
pub fn everywhere() {
    AUTHORITY.get_or_init(|| {
        authority().unwrap_or_else(|error| panic!("making certificates: {error:#}"))
    });
}

/// Is it switched on?
pub fn is_on() -> bool {
    AUTHORITY.get().is_some()
}

fn authority() -> Result<Authority> {
    let mut params = CertificateParams::new(Vec::new())?;
    // Of the same name as those that it signs, each would be its own issuer to OpenSSL.
    params
        .distinguished_name
        .push(DnType::CommonName, "the authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(issuer.pem().as_bytes())?)?;
    let (cert, key) = signed(&issuer, &["the-lab"])?;
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![CertificateDer::from_pem_slice(cert.as_bytes())?],
            PrivateKeyDer::from_pem_slice(key.as_bytes())?,
        )?;
    Ok(Authority {
        issuer,
        client: Arc::new(client),
    })
}

/// A certificate that is valid for these, and its key.
fn signed(issuer: &CertifiedIssuer<'static, KeyPair>, names: &[&str]) -> Result<(String, String)> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let key = KeyPair::generate()?;
    let cert = CertificateParams::new(names)?.signed_by(&key, issuer)?;
    Ok((cert.pem(), key.serialize_pem()))
}

/// Gives the host a certificate for its own address, not for the VIP.
pub fn certify(host: &Host) -> Result<()> {
    let Some(authority) = AUTHORITY.get() else {
        return Ok(());
    };
    let (cert, key) = signed(&authority.issuer, &[&host.address.to_string(), LOOPBACK])?;
    host.sh("mkdir -p /etc/redis/tls")?;
    host.write(CA, &authority.issuer.pem(), 0o644)?;
    host.write(CERT, &cert, 0o644)?;
    host.write(KEY, &key, 0o600)
}

/// The line with the port of a Redis or a sentinel, and what belongs to it.
pub fn port_lines(port: u16) -> String {
    if !is_on() {
        return format!("port {port}\n");
    }
    format!(
        "port 0\ntls-port {port}\ntls-replication yes\ntls-auth-clients yes\n\
         tls-cert-file {CERT}\ntls-key-file {KEY}\ntls-ca-cert-file {CA}\n"
    )
}

/// What our own configuration file needs for it.
pub fn section(name: &str) -> String {
    if is_on() {
        format!("\n[{name}]\nca = \"{CA}\"\ncert = \"{CERT}\"\nkey = \"{KEY}\"\n")
    } else {
        String::new()
    }
}

/// A conversation over TLS.
pub type Secured = StreamOwned<ClientConnection, TcpStream>;

/// Puts TLS on a connection, if it is switched on. The handshake comes with the first bytes.
pub fn on(socket: TcpStream) -> Result<Secured, TcpStream> {
    let Some(authority) = AUTHORITY.get() else {
        return Err(socket);
    };
    let name = ServerName::try_from(LOOPBACK).context("a name");
    match name.and_then(|name| Ok(ClientConnection::new(authority.client.clone(), name)?)) {
        Ok(session) => Ok(StreamOwned::new(session, socket)),
        Err(_) => Err(socket),
    }
}
