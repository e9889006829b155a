//! check_redis in front of servers that are ill, and of peers that are none: verdict, exit code,
//! one line, in time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lab::host::Host;
use lab::netns::NetNs;
use lab::redis_server::{self, PORT};
use lab::wait;
use nix::sys::signal::Signal;

use crate::pair::{Pair, SOON, Version, ask, within};
use crate::runs::{run, run_within};

mod at_work;

/// The own deadline, the start of nsenter(1) and timeout(1), and the journal.
const LIMIT: Duration = Duration::from_millis(500);
/// The same for one of 100 ms.
const SHORT: Duration = Duration::from_millis(200);

#[track_caller]
fn checks(host: &Host, alive: bool, sentence: &str) {
    let ran = run_within(LIMIT, host, "check_redis", &["-v"]);
    assert_eq!(ran.code, Some(if alive { 0 } else { 1 }), "{}", ran.said);
    assert!(
        ran.said.contains(sentence),
        "expected {sentence:?}: {}",
        ran.said
    );
    assert_eq!(ran.said.lines().count(), 1, "{}", ran.said);
    run_within(SHORT, host, "check_redis", &["--timeout", "100ms"]);
    let ran = run_within(LIMIT, host, "check_redis", &["--eligible"]);
    assert!(ran.said.lines().count() <= 1, "{}", ran.said);
}

/// A Redis that says BUSY to all but a few.
pub struct Busy<'a> {
    host: &'a Host,
    script: JoinHandle<()>,
}

/// Runs a script without an end.
pub fn busy(host: &Host) -> Busy<'_> {
    ask(host, &["CONFIG", "SET", "busy-reply-threshold", "10"]);
    let net = host.net().expect("on");
    let address = SocketAddr::new(host.address, PORT);
    let script = std::thread::spawn(move || {
        let _ = net.within(|| {
            let open = lab::redis_client::Connection::open(
                address,
                redis_server::PASSWORD,
                Duration::from_secs(20),
            );
            Ok(open?.call(&["EVAL", "while true do end", "0"])?)
        });
    });
    wait::until("BUSY", SOON, || {
        ask(host, &["PING"]).text().starts_with("BUSY")
    })
    .expect("the script runs");
    Busy { host, script }
}

impl Busy<'_> {
    pub fn end(self) {
        ask(self.host, &["SCRIPT", "KILL"]);
        let _ = self.script.join();
    }
}

/// Every error that only a living server gives, from a real one.
#[test]
fn errors_of_a_living_server_are_alive() {
    let pair = Pair::new(Version::Own);
    let a = pair.a();
    checks(a, true, "alive, master");
    ask(a, &["ACL", "SETUSER", "default", "-ping"]);
    checks(a, true, "NOPERM");
    ask(a, &["ACL", "SETUSER", "default", "+@all"]);
    // A disk that fails: stop-writes-on-bgsave-error.
    ask(a, &["CONFIG", "SET", "save", "3600 1"]);
    a.sh("cd /var/lib/redis && rm -rf dump.rdb && mkdir -p dump.rdb/in-its-way")
        .expect("a shell");
    ask(a, &["BGSAVE"]);
    let ill = || ask(a, &["PING"]).text().starts_with("MISCONF");
    wait::until("MISCONF", SOON, ill).expect("the save fails");
    checks(a, true, "MISCONF");
    ask(a, &["CONFIG", "SET", "save", ""]);
    ask(a, &["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"]);
    let busy = busy(a);
    checks(a, true, "BUSY");
    busy.end();
    // No room for one more client.
    within(a, SOON, |redis| {
        redis
            .call(&["CONFIG", "SET", "maxclients", "1"])
            .expect("set");
        checks(a, true, "max number of clients");
        redis
            .call(&["CONFIG", "SET", "maxclients", "1000"])
            .expect("set");
    });
    checks(a, true, "alive, master");
}

#[test]
fn a_refusing_a_frozen_and_a_loading_redis_are_not_alive_enough() {
    let pair = Pair::new(Version::Own);
    let a = pair.a();
    a.signal("redis-server", Signal::SIGSTOP);
    checks(a, false, "no answer in time");
    a.signal("redis-server", Signal::SIGCONT);
    for chunk in 0..20 {
        let script = format!("for i=1,5000 do redis.call('set','k{chunk}:'..i,'x') end");
        ask(a, &["EVAL", &script, "0"]);
    }
    ask(a, &["SAVE"]);
    redis_server::kill(a).expect("killed");
    checks(a, false, "connection refused");
    // From an RDB file, for only there it can be told how often to answer while it loads.
    for line in [
        "appendonly no",
        "key-load-delay 100",
        "loading-process-events-interval-bytes 1024",
    ] {
        redis_server::add_line(a, line).expect("slow to load");
    }
    pair.boot_redis(a);
    let loading =
        || redis_server::call(a, &["PING"]).is_ok_and(|reply| reply.text().starts_with("LOADING"));
    wait::until("it loads", SOON, loading).expect("it loads");
    checks(a, false, "loading its data");
}

type Peer = fn(TcpStream, &AtomicBool);

fn silent(_: TcpStream, over: &AtomicBool) {
    rest(over);
}

fn rest(over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn closing(_: TcpStream, _: &AtomicBool) {}

fn says(mut stream: TcpStream, over: &AtomicBool, text: &[u8]) {
    let _ = stream.write_all(text);
    rest(over);
}

fn drips(mut stream: TcpStream, over: &AtomicBool) {
    for byte in b"+OK\r\n+PONG\r\n$1000000\r\n"
        .iter()
        .chain(std::iter::repeat(&b'a'))
    {
        if over.load(Ordering::Relaxed) || stream.write_all(&[*byte]).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(15));
    }
}

fn endless(mut stream: TcpStream, over: &AtomicBool, piece: &[u8]) {
    let chunk = piece.repeat(65536 / piece.len());
    while !over.load(Ordering::Relaxed) && stream.write_all(&chunk).is_ok() {}
}

fn echoes(mut stream: TcpStream, over: &AtomicBool) {
    let mut buffer = [0; 4096];
    while !over.load(Ordering::Relaxed) {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 && stream.write_all(&buffer[..count]).is_ok() => {}
            _ => return,
        }
    }
}

/// The dead Redis before it may take a moment to leave the port.
fn bound(net: &NetNs, address: SocketAddr) -> TcpListener {
    let mut listener = None;
    wait::until("the port is free", SOON, || {
        listener = net.within(|| Ok(TcpListener::bind(address)?)).ok();
        listener.is_some()
    })
    .expect("it can be bound");
    listener.expect("it is bound")
}

/// Something else in the place of the Redis of a host, until it is dropped.
struct Impostor {
    net: NetNs,
    address: SocketAddr,
    over: Arc<AtomicBool>,
    serve: Option<JoinHandle<()>>,
}

impl Impostor {
    fn start(host: &Host, peer: Peer) -> Impostor {
        let over = Arc::new(AtomicBool::new(false));
        let net = host.net().expect("on");
        let address = SocketAddr::new(host.address, PORT);
        let listener = bound(&net, address);
        let ended = over.clone();
        let serve = std::thread::spawn(move || {
            let mut conversations = Vec::new();
            for stream in listener.incoming().flatten() {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                let ended = ended.clone();
                conversations.push(std::thread::spawn(move || peer(stream, &ended)));
            }
            conversations
                .into_iter()
                .for_each(|thread| drop(thread.join()));
        });
        Impostor {
            net,
            address,
            over,
            serve: Some(serve),
        }
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let address = self.address;
        drop(self.net.within(|| {
            Ok(TcpStream::connect_timeout(
                &address,
                Duration::from_secs(1),
            )?)
        }));
        self.serve.take().map(JoinHandle::join);
    }
}

#[test]
fn peers_that_are_no_redis_are_dead_in_time_whatever_they_say() {
    let pair = Pair::new(Version::Own);
    let a = pair.a();
    redis_server::kill(a).expect("killed");
    let peers: &[(&str, Peer)] = &[
        ("silent", silent),
        ("closing", closing),
        ("drips", drips),
        ("echoes", echoes),
        ("rubbish", |s, o| {
            says(s, o, b"HTTP/1.1 400 Bad Request\r\n\r\n")
        }),
        ("binary", |s, o| {
            says(s, o, &[0xff, 0, 13, 10, 7, 0xfe, 36, 45, 50, 13, 10])
        }),
        ("a huge bulk", |s, o| {
            says(s, o, b"+OK\r\n$9223372036854775807\r\n")
        }),
        ("a negative bulk", |s, o| {
            says(s, o, b"+OK\r\n$-9223372036854775808\r\n")
        }),
        ("a huge list", |s, o| says(s, o, b"+OK\r\n*2147483647\r\n")),
        ("a list of lists", |s, o| {
            says(
                s,
                o,
                &[&b"+OK\r\n"[..], &b"*1\r\n".repeat(100_000)].concat(),
            )
        }),
        ("an error without an end", |s, o| endless(s, o, b"-ERR x")),
        ("answers without an end", |s, o| endless(s, o, b"+OK\r\n")),
        ("zeroes without an end", |s, o| endless(s, o, &[0])),
        ("lists without an end", |s, o| endless(s, o, b"*1\r\n")),
        ("a hostile error", |s, o| {
            says(s, o, b"-WRONGPASS \x1b[2J\x07 a\rb\r\n-ERR\r\n")
        }),
        ("a wrong INFO", |s, o| {
            says(
                s,
                o,
                b"+OK\r\n+PONG\r\n$3\r\nabc\r\n$0\r\n\r\n$-1\r\n$0\r\n\r\n",
            )
        }),
    ];
    let mut wrong = Vec::new();
    for (what, peer) in peers {
        let _impostor = Impostor::start(a, *peer);
        for (args, limit) in [
            (&["-v"][..], LIMIT),
            (&["--timeout", "100ms"], SHORT),
            (&["--eligible"], LIMIT),
        ] {
            let ran = run_within(limit, a, "check_redis", args);
            let tame = ran.said.lines().count() <= 1
                && !ran.said.contains(['\x1b', '\x07', '\r'])
                && ran.said.len() < 600;
            let alive =
                ran.code == Some(0) && *what != "a hostile error" && *what != "a wrong INFO";
            if alive || !matches!(ran.code, Some(0 | 1)) || !tame {
                wrong.push(format!(
                    "{what} {args:?}: {:?} {:?} {:?}",
                    ran.code,
                    ran.took,
                    &ran.said.get(..300).unwrap_or(&ran.said)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_hostile_node_delays_no_decision_about_the_other() {
    // b's place is taken by something that accepts and stays silent: a's programs go on.
    let pair = Pair::new(Version::Own);
    redis_server::kill(pair.b()).expect("killed");
    let net = pair.b().net().expect("on");
    let address = SocketAddr::new(pair.b().address, PORT);
    let _listener = bound(&net, address);
    run(pair.a(), "redis_master", &[]);
    checks(pair.a(), true, "alive, master");
    let clock = Instant::now();
    assert_eq!(run(pair.a(), "redis_master", &[]).code, Some(0));
    assert!(
        clock.elapsed() < Duration::from_secs(2),
        "{:?}",
        clock.elapsed()
    );
}
