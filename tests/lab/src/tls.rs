//! TLS between all and everybody: switched on for the whole process, before its first lab. Redis
//! and the sentinels then have no port in plain text and ask for client certificates, and every
//! connection of the lab goes over TLS.

use std::net::SocketAddr;
use std::sync::OnceLock;

use anyhow::{Result, anyhow};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use redis::{ClientTlsConfig, ConnectionAddr, TlsCertificates};
use rustls::crypto::ring;

use crate::host::Host;

const CA: &str = "/etc/redis/tls/ca.crt";
const CERT: &str = "/etc/redis/tls/redis.crt";
const KEY: &str = "/etc/redis/tls/redis.key";
/// In every certificate beside the host's own address: the lab asks from within.
const LOOPBACK: &str = "127.0.0.1";

static AUTHORITY: OnceLock<Authority> = OnceLock::new();

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// With the client's certificate, to a host that is yet to be named.
    way: ConnectionAddr,
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
    let (cert, key) = signed(&issuer, &["the-lab"])?;
    let certificates = TlsCertificates {
        client_tls: Some(ClientTlsConfig {
            client_cert: cert.into_bytes(),
            client_key: key.into_bytes(),
        }),
        root_cert: Some(issuer.pem().into_bytes()),
    };
    let unnamed = ConnectionAddr::TcpTls {
        host: String::new(),
        port: 0,
        insecure: false,
        tls_params: None,
    };
    ring::default_provider()
        .install_default()
        .map_err(|_| anyhow!("TLS has another provider already"))?;
    let client = redis::Client::build_with_tls(unnamed, certificates)?;
    let mut way = client.get_connection_info().addr().clone();
    // The VIP is in no certificate. Who signed it is looked at all the same.
    way.set_danger_accept_invalid_hostnames(true);
    Ok(Authority { issuer, way })
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

/// How a client gets to that address: over TLS, if it is switched on. The handshake comes with the
/// first bytes.
pub fn way_to(address: SocketAddr) -> ConnectionAddr {
    let name = address.ip().to_string();
    let Some(authority) = AUTHORITY.get() else {
        return ConnectionAddr::Tcp(name, address.port());
    };
    let mut way = authority.way.clone();
    if let ConnectionAddr::TcpTls { host, port, .. } = &mut way {
        (*host, *port) = (name, address.port());
    }
    way
}
