//! TLS to a real redis-server on a port of its own, and to peers that are none: what is spoken,
//! what each failure says and counts as, and that no deadline is passed.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use keepalived_redis::deadline::Deadline;
use keepalived_redis::server::Server;
use keepalived_redis::server::access::Access;
use keepalived_redis::server::endpoint::Endpoint;
use keepalived_redis::server::failure::Failure;
use keepalived_redis::server::probe::{Liveness, probe};
use keepalived_redis::server::tls::{Files, Texts, Tls};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use redis::cmd;
use tempfile::TempDir;

/// For what works: a machine may be busy.
const LONG: Duration = Duration::from_secs(5);
/// For what does not.
const BUDGET: Duration = Duration::from_millis(400);
/// What may come on top of a budget on a busy machine.
const SLACK: Duration = Duration::from_millis(500);

/// Who signs.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        Authority::named("the authority")
    }

    fn named(name: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Authority(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// A certificate for that name or address, and its key.
    fn signs(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        (
            params
                .signed_by(&key, &self.0)
                .expect("a certificate")
                .pem(),
            key.serialize_pem(),
        )
    }

    /// As our configuration has it: who signs, and who we are.
    fn auth(&self, client: Option<(String, String)>, server_name: Option<&str>) -> Access {
        let files = Files {
            server_name: server_name.map(str::to_owned),
            ..Files::default()
        };
        let client = client.map(|(cert, key)| (cert.into_bytes(), key.into_bytes()));
        let tls = Tls::new(
            files,
            Texts {
                ca: self.0.pem().into_bytes(),
                client,
            },
        )
        .expect("good files");
        Access {
            tls: Some(Arc::new(tls)),
            ..Access::default()
        }
    }

    fn client(&self) -> Option<(String, String)> {
        Some(self.signs("a-client", |_| {}))
    }
}

/// A redis-server; it ends with the test.
struct Redis {
    child: Child,
    address: SocketAddr,
    dir: TempDir,
}

impl Redis {
    /// Its only port speaks TLS, with that certificate, and asks for clients' certificates.
    fn with(authority: &Authority, (cert, key): (String, String), more: &[&str]) -> Redis {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, text) in [("ca", authority.0.pem()), ("cert", cert), ("key", key)] {
            fs::write(dir.path().join(name), text).expect("written");
        }
        let tls = [
            "--tls-ca-cert-file",
            "ca",
            "--tls-cert-file",
            "cert",
            "--tls-key-file",
            "key",
            "--port",
            "0",
        ];
        let all: Vec<&str> = tls.iter().chain(more).copied().collect();
        Redis::start(dir, "--tls-port", &all)
    }

    fn well(authority: &Authority) -> Redis {
        Redis::with(authority, authority.signs("127.0.0.1", |_| {}), &[])
    }

    fn start(dir: TempDir, port_option: &str, more: &[&str]) -> Redis {
        // Nobody else gets a port that was free a moment ago, hardly ever; then it is tried again.
        for _ in 0..5 {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
            let address = listener.local_addr().expect("an address");
            drop(listener);
            let port = address.port().to_string();
            let mut child = Command::new("redis-server")
                .args([
                    port_option,
                    &port,
                    "--bind",
                    "127.0.0.1",
                    "--save",
                    "",
                    "--unixsocket",
                    "socket",
                ])
                .args(more)
                .current_dir(dir.path())
                .stdout(Stdio::null())
                .spawn()
                .expect("redis-server starts");
            let end = Instant::now() + LONG;
            while Instant::now() < end && child.try_wait().expect("a child").is_none() {
                if TcpStream::connect(address).is_ok() {
                    return Redis {
                        child,
                        address,
                        dir,
                    };
                }
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("redis-server does not listen: is it built with TLS?");
    }

    fn observed(&self, auth: &Access) -> Result<bool, Failure> {
        observed(self.address, auth, LONG)
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill runs").success());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Is it a master?
fn observed(address: SocketAddr, auth: &Access, budget: Duration) -> Result<bool, Failure> {
    let deadline = Deadline::after(budget);
    let clock = Instant::now();
    let seen = Server::connect(&Endpoint::Tcp(address), auth, deadline)
        .and_then(|mut server| server.observe(deadline))
        .map(|seen| seen.is_master());
    assert!(
        clock.elapsed() < budget + SLACK,
        "{:?}: {seen:?}",
        clock.elapsed()
    );
    seen
}

fn tls(text: &str) -> Result<bool, Failure> {
    Err(Failure::Tls(text.to_owned()))
}

#[test]
fn a_redis_is_observed_over_tls_of_either_version() {
    let authority = Authority::new();
    let auth = authority.auth(authority.client(), None);
    for version in ["TLSv1.2", "TLSv1.3"] {
        let redis = Redis::with(
            &authority,
            authority.signs("127.0.0.1", |_| {}),
            &["--tls-protocols", version],
        );
        assert_eq!(redis.observed(&auth), Ok(true), "{version}");
    }
}

#[test]
fn a_name_in_the_configuration_stands_for_the_address() {
    let authority = Authority::new();
    let redis = Redis::with(
        &authority,
        authority.signs("redis.example.org", |_| {}),
        &[],
    );
    assert_eq!(
        redis.observed(&authority.auth(authority.client(), Some("redis.example.org"))),
        Ok(true)
    );
    let other = authority.auth(authority.client(), Some("redis.example.com"));
    let sentence = "the certificate is not valid for redis.example.com, but for redis.example.org";
    assert_eq!(redis.observed(&other), tls(sentence));
    let none = authority.auth(authority.client(), None);
    let sentence = "the certificate is not valid for 127.0.0.1, but for redis.example.org";
    assert_eq!(redis.observed(&none), tls(sentence));
    // A certificate for that address will do, wherever the server is met.
    let Some(files) = &none.tls else {
        panic!("no TLS")
    };
    let there = Access {
        tls: Some(Arc::new(files.as_of(Ipv4Addr::new(192, 0, 2, 1).into()))),
        ..Access::default()
    };
    let sentence = "the certificate is not valid for 192.0.2.1, but for redis.example.org";
    assert_eq!(redis.observed(&there), tls(sentence));
}

#[test]
fn what_is_wrong_with_a_certificate_is_one_sentence() {
    let authority = Authority::new();
    let auth = authority.auth(authority.client(), None);
    let year = |from, to| {
        move |params: &mut CertificateParams| {
            (params.not_before, params.not_after) =
                (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        }
    };
    let expired = Redis::with(
        &authority,
        authority.signs("127.0.0.1", year(2000, 2001)),
        &[],
    );
    assert_eq!(expired.observed(&auth), tls("the certificate has expired"));
    let early = Redis::with(
        &authority,
        authority.signs("127.0.0.1", year(3000, 3001)),
        &[],
    );
    assert_eq!(
        early.observed(&auth),
        tls("the certificate is not valid yet; or this machine's clock is wrong")
    );
    for stranger in [Authority::named("a stranger"), Authority::new()] {
        let redis = Redis::with(&authority, stranger.signs("127.0.0.1", |_| {}), &[]);
        assert_eq!(
            redis.observed(&auth),
            tls("the certificate is signed by nobody in ca")
        );
    }
}

#[test]
fn a_server_that_does_not_take_our_certificate_says_so() {
    let authority = Authority::new();
    for version in ["TLSv1.2", "TLSv1.3"] {
        let redis = Redis::with(
            &authority,
            authority.signs("127.0.0.1", |_| {}),
            &["--tls-protocols", version],
        );
        let none = redis.observed(&authority.auth(None, None));
        let asked = tls("it asks for a client certificate: set cert and key");
        // TLS 1.2 has no word of its own for it.
        assert!(
            none == asked || none == tls("it breaks off with the alert HandshakeFailure"),
            "{version}: {none:?}"
        );
        for (stranger, why) in [
            ("a stranger", "UnknownCA"),
            ("the authority", "DecryptError"),
        ] {
            let auth = authority.auth(Authority::named(stranger).client(), None);
            let sentence = format!("it does not accept our certificate: {why}");
            assert_eq!(redis.observed(&auth), tls(&sentence), "{version}");
        }
    }
}

#[test]
fn plain_text_where_tls_is_expected_and_the_other_way_round_is_told_and_is_alive() {
    let authority = Authority::new();
    let auth = authority.auth(authority.client(), None);
    let plain = Redis::start(tempfile::tempdir().expect("a directory"), "--port", &[]);
    assert_eq!(
        observed(plain.address, &auth, BUDGET),
        tls("it answers without TLS")
    );
    let secured = Redis::well(&authority);
    let sentence = "it speaks TLS, and the configuration does not say so";
    assert_eq!(
        observed(secured.address, &Access::default(), BUDGET),
        tls(sentence)
    );
    let found = probe(
        &Endpoint::Tcp(secured.address),
        &Access::default(),
        Deadline::after(BUDGET),
    )
    .liveness;
    assert_eq!(found, Liveness(Err(Failure::Tls(sentence.to_owned()))));
    assert!(found.is_alive());
    assert_eq!(found.to_string(), format!("alive, but TLS: {sentence}"));
}

#[test]
fn a_hung_server_is_silent_and_a_dead_one_refuses() {
    let authority = Authority::new();
    let auth = authority.auth(authority.client(), None);
    let mut redis = Redis::well(&authority);
    redis.signal("-STOP");
    assert_eq!(
        observed(redis.address, &auth, BUDGET),
        Err(Failure::TimedOut)
    );
    redis.signal("-CONT");
    assert_eq!(redis.observed(&auth), Ok(true));
    redis.child.kill().expect("killed");
    redis.child.wait().expect("gone");
    assert_eq!(
        observed(redis.address, &auth, BUDGET),
        Err(Failure::Refused)
    );
}

#[test]
fn a_unix_socket_is_never_tls() {
    let authority = Authority::new();
    let redis = Redis::well(&authority);
    let socket = Endpoint::Unix(redis.dir.path().join("socket"));
    let found = probe(
        &socket,
        &authority.auth(authority.client(), None),
        Deadline::after(LONG),
    );
    assert_eq!(found.liveness, Liveness(Ok(())));
}

#[test]
fn answers_larger_than_a_record_and_many_at_once_arrive_whole() {
    let authority = Authority::new();
    let redis = Redis::well(&authority);
    let auth = authority.auth(authority.client(), None);
    let mut server =
        Server::connect(&redis.address.into(), &auth, Deadline::after(LONG)).expect("connected");
    let value = "x".repeat(300_000);
    server
        .call(cmd("SET").arg("large").arg(&value), Deadline::after(LONG))
        .expect("written");
    let get = cmd("GET").arg("large").clone();
    for answer in server
        .batch(&vec![get; 5], Deadline::after(LONG))
        .expect("answers")
    {
        assert_eq!(
            answer.map(keepalived_redis::server::string),
            Ok(Ok(value.clone()))
        );
    }
}

#[test]
fn what_a_subscriber_is_told_is_news_and_what_tls_says_to_itself_is_none() {
    let authority = Authority::new();
    let redis = Redis::well(&authority);
    let auth = authority.auth(authority.client(), None);
    let connect =
        || Server::connect(&redis.address.into(), &auth, Deadline::after(LONG)).expect("connected");
    let (mut listener, mut speaker) = (connect(), connect());
    listener
        .subscribe(Deadline::after(LONG))
        .expect("subscribed");
    assert_eq!(listener.message(Deadline::after(BUDGET)), Ok(false));
    // Both in one record: the second is decrypted already when the first is read.
    let told = cmd("PUBLISH").arg("channel").arg("word").clone();
    speaker
        .batch(&[told.clone(), told], Deadline::after(LONG))
        .expect("told");
    for _ in 0..2 {
        assert_eq!(listener.message(Deadline::after(LONG)), Ok(true));
    }
    assert_eq!(listener.message(Deadline::after(BUDGET)), Ok(false));
    // Right after the handshake the server sends tickets.
    let mut idle = connect();
    idle.call(&cmd("PING"), Deadline::after(LONG))
        .expect("an answer");
    assert!(
        !idle.ends_before(None, Deadline::after(BUDGET)),
        "it has not ended"
    );
    let kill = cmd("CLIENT")
        .arg("KILL")
        .arg("TYPE")
        .arg("normal")
        .arg("SKIPME")
        .arg("yes")
        .clone();
    speaker.call(&kill, Deadline::after(LONG)).expect("killed");
    assert!(
        idle.ends_before(None, Deadline::after(LONG)),
        "it has ended"
    );
}

#[test]
fn while_a_server_is_waited_for_its_handshake_is_no_longer_wait_than_asked_for() {
    let authority = Authority::new();
    let redis = Redis::well(&authority);
    let auth = authority.auth(authority.client(), None);
    redis.signal("-STOP");
    let mut server = Server::connect(&redis.address.into(), &auth, Deadline::after(LONG))
        .expect("the kernel's word");
    let (clock, mut asked) = (Instant::now(), 0);
    let tick = Duration::from_millis(20);
    let answer = server.call_while(&cmd("PING"), Deadline::after(LONG), tick, &mut || {
        asked += 1;
        asked < 5
    });
    redis.signal("-CONT");
    assert_eq!(answer, Err(Failure::TimedOut));
    assert!(
        clock.elapsed() < Duration::from_secs(1),
        "{:?}",
        clock.elapsed()
    );
    let mut server =
        Server::connect(&redis.address.into(), &auth, Deadline::after(LONG)).expect("connected");
    assert!(
        server
            .call_while(&cmd("PING"), Deadline::after(LONG), tick, &mut || true)
            .is_ok()
    );
}

/// A peer that reads the greeting and does this.
fn peer(
    talk: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let talk = Arc::new(talk);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let talk = talk.clone();
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 512]).and_then(|_| talk(&mut stream));
            });
        }
    });
    address
}

#[test]
fn strangers_hold_nobody_longer_than_the_deadline() {
    let auth = Authority::new().auth(None, None);
    let drip = |bytes: &'static [u8]| {
        peer(move |stream| {
            for byte in bytes.iter().cycle() {
                stream.write_all(&[*byte])?;
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        })
    };
    // A record of 4096 bytes that never ends.
    let mut endless = vec![0x16, 3, 3, 0x10, 0];
    endless.resize(4096, 1);
    assert_eq!(
        observed(drip(endless.leak()), &auth, BUDGET),
        Err(Failure::TimedOut)
    );
    assert_eq!(
        observed(
            peer(|stream| stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
            &auth,
            BUDGET
        ),
        { Err(Failure::Rubbish("what came is not TLS".to_owned())) }
    );
    assert_eq!(
        observed(peer(|_| Ok(())), &auth, BUDGET),
        Err(Failure::Reset)
    );
    let silent = peer(|stream| stream.read(&mut [0; 512]).map(drop));
    assert_eq!(observed(silent, &auth, BUDGET), Err(Failure::TimedOut));
    // And without TLS, one that closes without a word, and is silent when it is asked whether it
    // speaks TLS.
    assert_eq!(
        observed(peer(|_| Ok(())), &Access::default(), BUDGET),
        Err(Failure::Reset)
    );
}

#[test]
fn files_that_do_not_fit_are_told_by_name() {
    use keepalived_redis::server::tls::Part;
    let authority = Authority::new();
    let (cert, key) = authority.signs("a-client", |_| {});
    let made = |ca: &str, client: Option<(&str, &str)>| {
        let client = client.map(|(cert, key)| (cert.as_bytes().to_vec(), key.as_bytes().to_vec()));
        Tls::new(
            Files::default(),
            Texts {
                ca: ca.as_bytes().to_vec(),
                client,
            },
        )
        .map(drop)
    };
    let ca = authority.0.pem();
    let other = authority.signs("a-client", |_| {}).1;
    assert_eq!(made(&ca, Some((&cert, &key))), Ok(()));
    assert_eq!(
        made(&ca, Some((&cert, &other))),
        Err((Part::Key, "not the key of the certificate".to_owned()))
    );
    assert_eq!(
        made(&ca, Some((&key, &key))),
        Err((Part::Cert, "holds no certificate (PEM)".to_owned()))
    );
    let passphrase = "holds no private key (PEM, without a passphrase)".to_owned();
    assert_eq!(
        made(&ca, Some((&cert, &cert))),
        Err((Part::Key, passphrase))
    );
    assert_eq!(
        made("nonsense", None),
        Err((Part::Ca, "holds no certificate (PEM)".to_owned()))
    );
    // What is of no use is left out of a configuration that was good before.
    let texts = Texts {
        ca: b"nonsense".to_vec(),
        client: Some((cert.into_bytes(), other.into_bytes())),
    };
    let auth = Access {
        tls: Tls::of_what_is_good(Files::default(), texts).map(Arc::new),
        ..Access::default()
    };
    let redis = Redis::with(
        &authority,
        authority.signs("127.0.0.1", |_| {}),
        &["--tls-auth-clients", "no"],
    );
    assert_eq!(
        redis.observed(&auth),
        tls("the certificate is signed by nobody in ca")
    );
}
