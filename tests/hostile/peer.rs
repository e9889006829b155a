//! A peer on a port of its own that says what a test wants it to say.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use keepalived_redis::deadline::Deadline;
use keepalived_redis::server::Server;
use keepalived_redis::server::access::{Access, Secret};
use keepalived_redis::server::endpoint::Endpoint;
use keepalived_redis::server::failure::Failure;
use keepalived_redis::server::info::Observation;

/// What a conversation is.
#[derive(Clone, Debug)]
pub enum Talk {
    /// Says this at once, and then nothing.
    Says(Vec<u8>),
    /// Says this and closes.
    Closes(Vec<u8>),
    /// Reads the question, says this, and closes; read or not, the rest of the question resets the
    /// connection.
    Resets(Vec<u8>),
    /// A byte at a time, so far apart; and then nothing.
    Drips(Vec<u8>, Duration),
    /// This, and then that without an end.
    Endless(Vec<u8>, Vec<u8>),
    /// Pieces, with pauses between them.
    Pieces(Vec<(Vec<u8>, Duration)>),
}

/// Ends with the test.
pub struct Peer {
    pub address: SocketAddr,
    over: Arc<AtomicBool>,
}

impl Peer {
    pub fn new(talk: Talk) -> Peer {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let over = Arc::new(AtomicBool::new(false));
        let ended = over.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (talk, ended) = (talk.clone(), ended.clone());
                std::thread::spawn(move || drop(converse(stream, &talk, &ended)));
            }
        });
        Peer { address, over }
    }

    /// Looks at it as the programs do, within `budget`; and how long that took.
    pub fn observed(&self, budget: Duration) -> (Result<Observation, Failure>, Duration) {
        let auth = Access {
            password: Some(Secret::new("secret".to_string())),
            ..Access::default()
        };
        let deadline = Deadline::after(budget);
        let clock = Instant::now();
        let server = Server::connect(&Endpoint::Tcp(self.address), &auth, deadline);
        let seen = server.and_then(|mut server| server.observe(deadline));
        (seen, clock.elapsed())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn converse(mut stream: TcpStream, talk: &Talk, over: &AtomicBool) -> std::io::Result<()> {
    let rest = || {
        while !over.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    stream.set_nodelay(true)?;
    match talk {
        Talk::Says(text) => {
            stream.write_all(text)?;
            rest();
        }
        Talk::Closes(text) => {
            stream.write_all(text)?;
            stream.shutdown(std::net::Shutdown::Write)?;
            // Until the other side has closed too: a reset would take away what it has not read.
            while stream.read(&mut [0; 512])? > 0 {}
        }
        Talk::Resets(text) => {
            stream.read_exact(&mut [0; 4])?;
            stream.write_all(text)?;
        }
        Talk::Drips(text, pause) => {
            for byte in text {
                stream.write_all(&[*byte])?;
                std::thread::sleep(*pause);
            }
            rest();
        }
        Talk::Endless(first, again) => {
            stream.write_all(first)?;
            let chunk = again.repeat(4096 / again.len().max(1) + 1);
            while !over.load(Ordering::Relaxed) {
                stream.write_all(&chunk)?;
            }
        }
        Talk::Pieces(pieces) => {
            for (text, pause) in pieces {
                stream.write_all(text)?;
                std::thread::sleep(*pause);
            }
            rest();
        }
    }
    Ok(())
}

/// A bulk string, as INFO is answered.
pub fn bulk(text: &str) -> Vec<u8> {
    format!("${}\r\n{text}\r\n", text.len()).into_bytes()
}

/// The answers of a Redis whose INFO is `text`, to AUTH and all questions of a look.
pub fn redis_that_says(text: &str) -> Vec<u8> {
    let mut said = b"+OK\r\n".to_vec();
    said.extend(bulk(text));
    for _ in 0..3 {
        said.extend(bulk(""));
    }
    said.extend(b"-ERR Function not found\r\n");
    said
}

/// A master as it describes itself.
pub const MASTER: &str = "# Server\r\nredis_version:7.0.15\r\nrun_id:0123456789abcdef0123456789abcdef01234567\r\n\
    # Replication\r\nrole:master\r\nconnected_slaves:1\r\n\
    slave0:ip=192.168.158.11,port=6379,state=online,offset=113,lag=0\r\n\
    master_replid:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\
    master_replid2:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\nmaster_repl_offset:113\r\nsecond_repl_offset:57\r\n\
    # Persistence\r\nloading:0\r\nasync_loading:0\r\n# \
    Keyspace\r\ndb0:keys=300,expires=0,avg_ttl=0\r\n";
