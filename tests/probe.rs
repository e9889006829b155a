//! One question, one value, before one deadline, whatever the other side does. The peers here are
//! Unix sockets in a directory of their own: no test can meet another one's server.

use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use keepalived_redis::deadline::Deadline;
use keepalived_redis::server::Server;
use keepalived_redis::server::access::Access;
use keepalived_redis::server::endpoint::Endpoint;
use keepalived_redis::server::failure::Failure;
use keepalived_redis::server::fence;
use keepalived_redis::server::new_role;
use keepalived_redis::server::probe::{Liveness, probe};
use redis::cmd;

const BUDGET: Duration = Duration::from_millis(200);
/// What may come on top of a budget on a busy machine.
const SLACK: Duration = Duration::from_millis(500);

fn peer(dir: &Path, talk: impl Fn(UnixStream) + Send + 'static) -> Endpoint {
    let path = dir.join("peer");
    let listener = UnixListener::bind(&path).expect("a socket");
    std::thread::spawn(move || listener.incoming().flatten().for_each(&talk));
    Endpoint::Unix(path)
}

#[track_caller]
fn probed(endpoint: &Endpoint) -> Liveness {
    let clock = Instant::now();
    let found = probe(endpoint, &Access::default(), Deadline::after(BUDGET));
    assert!(
        clock.elapsed() < BUDGET + SLACK,
        "{:?}: {}",
        clock.elapsed(),
        found.liveness
    );
    found.liveness
}

#[test]
fn nobody_there_is_refused_and_a_missing_socket_is_unreachable() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("peer");
    assert!(matches!(
        probed(&Endpoint::Unix(path.clone())),
        Liveness(Err(Failure::Network(_)))
    ));
    drop(UnixListener::bind(&path).expect("a socket"));
    assert_eq!(
        probed(&Endpoint::Unix(path)),
        Liveness(Err(Failure::Refused))
    );
}

#[test]
fn a_server_that_no_longer_accepts_times_out() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("peer");
    let _listener = UnixListener::bind(&path).expect("a socket");
    // Its queue gets full (128, or somaxconn).
    let mut waiting = Vec::new();
    for _ in 0..200 {
        let endpoint = Endpoint::Unix(path.clone());
        match Server::connect(
            &endpoint,
            &Access::default(),
            Deadline::after(Duration::from_millis(50)),
        ) {
            Ok(server) => waiting.push(server),
            Err(_) => break,
        }
    }
    assert_eq!(
        probed(&Endpoint::Unix(path)),
        Liveness(Err(Failure::TimedOut))
    );
}

#[test]
fn silence_and_slowness_time_out_and_a_closed_conversation_is_reset() {
    let dir = tempfile::tempdir().expect("a directory");
    let keep = std::sync::Mutex::new(Vec::new());
    let endpoint = peer(dir.path(), move |stream| {
        keep.lock().expect("nobody panics").push(stream)
    });
    assert_eq!(probed(&endpoint), Liveness(Err(Failure::TimedOut)));

    let dir = tempfile::tempdir().expect("a directory");
    let endpoint = peer(dir.path(), |mut stream| {
        for byte in b"+PONG\r\n$100000\r\n"
            .iter()
            .chain(std::iter::repeat(&b'a'))
        {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    assert_eq!(probed(&endpoint), Liveness(Err(Failure::TimedOut)));

    let dir = tempfile::tempdir().expect("a directory");
    assert_eq!(
        probed(&peer(dir.path(), drop)),
        Liveness(Err(Failure::Reset))
    );
}

#[test]
fn what_is_no_redis_is_rubbish_said_in_one_line() {
    for text in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        &[0xff, 0, 13, 10],
        b"+HELLO\r\n+a\r\n+b\r\n+c\r\n+d\r\n",
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        let endpoint = peer(dir.path(), move |mut stream| {
            let _ = stream.write_all(text);
            std::thread::sleep(BUDGET);
        });
        let found = probed(&endpoint);
        assert!(
            matches!(found, Liveness(Err(Failure::Rubbish(_)))),
            "{found}"
        );
        assert!(!found.to_string().contains('\n'), "{:?}", found.to_string());
    }
}

/// A real Redis on a Unix socket, without a port.
struct Redis {
    child: Child,
    endpoint: Endpoint,
    _dir: tempfile::TempDir,
}

impl Redis {
    fn start() -> Redis {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("redis.sock");
        let mut command = Command::new("redis-server");
        command
            .args([
                "--port",
                "0",
                "--save",
                "",
                "--enable-debug-command",
                "yes",
                "--unixsocket",
            ])
            .arg(&path);
        command
            .arg("--dir")
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let redis = Redis {
            child: command.spawn().expect("redis-server"),
            endpoint: Endpoint::Unix(path),
            _dir: dir,
        };
        let limit = Deadline::after(Duration::from_secs(10));
        while probe(&redis.endpoint, &Access::default(), Deadline::after(BUDGET)).liveness
            != Liveness(Ok(()))
        {
            assert!(
                limit.pause(Duration::from_millis(20)),
                "Redis does not come up"
            );
        }
        redis
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_late_answer_is_never_taken_for_the_answer_to_the_next_question() {
    let redis = Redis::start();
    let soon = || Deadline::after(Duration::from_secs(5));
    let mut server =
        Server::connect(&redis.endpoint, &Access::default(), soon()).expect("connected");
    for key in ["a", "b", "c"] {
        server
            .call(cmd("SET").arg(key).arg("1"), soon())
            .expect("written");
    }
    let slow = server.call(
        cmd("DEBUG").arg("SLEEP").arg("0.4"),
        Deadline::after(Duration::from_millis(100)),
    );
    assert_eq!(slow, Err(Failure::TimedOut));
    for _ in 0..3 {
        assert_eq!(server.observe(soon()).expect("it is back").keys, 3);
    }
}

/// As whoever takes the role over does to all that are connected to the old master.
#[test]
fn a_setting_survives_that_all_connections_are_ended() {
    let redis = Redis::start();
    let soon = || Deadline::after(Duration::from_secs(5));
    let connect =
        || Server::connect(&redis.endpoint, &Access::default(), soon()).expect("connected");
    let mut server = connect();
    let end_all =
        || new_role::disconnect_clients(&mut connect(), Duration::from_secs(5)).expect("ended");
    server.call(&cmd("PING"), soon()).expect("an answer");
    end_all();
    assert_eq!(
        server.call(&cmd("PING"), soon()),
        Err(Failure::Reset),
        "or nothing was ended"
    );
    server.call(&cmd("PING"), soon()).expect("an answer");
    end_all();
    fence::release_writes(&mut server, Duration::from_secs(5)).expect("asked again");
    end_all();
    assert_eq!(server.setting("port", soon()), Ok(Some("0".to_owned())));
    end_all();
    // This Redis runs without a file: an answer all the same.
    let rewritten = new_role::rewrite_config(&mut server, Duration::from_secs(5));
    assert!(
        matches!(rewritten, Err(Failure::Denied(_))),
        "{rewritten:?}"
    );
}
