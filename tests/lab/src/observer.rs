//! The observer: looks at every host from inside, all the time, and tells the story what changes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::ifaddrs::getifaddrs;
use redis::{ErrorKind, RedisResult};

use crate::host::Host;
use crate::netns::NetNs;
use crate::redis_client::{Connection, Reply};
use crate::redis_server::{PASSWORD, PORT};

/// How often a host is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// A Redis that takes longer than this is called silent.
const SILENT: Duration = Duration::from_millis(250);

/// What a Redis says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Takes writes.
    Master,
    /// Follows the address; `connected`, `sync`, `connecting`, `connect` as in ROLE.
    Replica {
        /// Whom it follows.
        of: String,
        /// The state of its link.
        link: String,
    },
    /// Reads its data set.
    Loading,
    /// Connects, and says nothing.
    Silent,
    /// Nobody listens.
    Down,
}

/// What was seen of a host at the last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The power is on.
    pub on: bool,
    /// Its Redis.
    pub role: Role,
    /// It has the virtual IP.
    pub vip: bool,
}

impl Seen {
    const OFF: Seen = Seen {
        on: false,
        role: Role::Down,
        vip: false,
    };

    /// In one short line.
    pub fn line(&self) -> String {
        if !self.on {
            return "off".to_owned();
        }
        let role = match &self.role {
            Role::Master => "master".to_owned(),
            Role::Replica { of, link } => format!("replica of {of} ({link})"),
            other => format!("redis {}", format!("{other:?}").to_lowercase()),
        };
        if self.vip {
            format!("{role}, VIP")
        } else {
            role
        }
    }
}

/// Threads that look; they end with this value.
pub struct Observer {
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Observer {
    /// Starts looking.
    pub fn new(hosts: &[Arc<Host>], home: &NetNs, vip: IpAddr) -> Observer {
        let seen = Arc::new(Mutex::new(vec![Seen::OFF; hosts.len()]));
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for (index, host) in hosts.iter().cloned().enumerate() {
            let (seen, stop, home) = (seen.clone(), stop.clone(), home.clone());
            threads.push(std::thread::spawn(move || {
                let mut eye = Eye {
                    host,
                    home,
                    vip,
                    net: None,
                    redis: None,
                };
                while !stop.load(Ordering::Relaxed) {
                    let now = eye.look();
                    let mut all = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    if all[index] != now {
                        eye.host.story.add(&eye.host.name, "is", now.line());
                        all[index] = now;
                    }
                    drop(all);
                    std::thread::sleep(LOOK);
                }
            }));
        }
        Observer {
            seen,
            stop,
            threads,
        }
    }

    /// All hosts at the last look.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

struct Eye {
    host: Arc<Host>,
    /// Where the thread goes while the host is off: it must not keep a dead host's network.
    home: NetNs,
    vip: IpAddr,
    net: Option<NetNs>,
    redis: Option<Connection>,
}

impl Eye {
    fn look(&mut self) -> Seen {
        let net = self.host.net();
        let same = match (&net, &self.net) {
            (Some(new), Some(old)) => new.is(old),
            (None, None) => true,
            _ => false,
        };
        if !same {
            self.redis = None;
            let _ = net.as_ref().unwrap_or(&self.home).enter();
            self.net = net;
        }
        if self.net.is_none() {
            return Seen::OFF;
        }
        Seen {
            on: true,
            role: self.role(),
            vip: has(self.vip),
        }
    }

    fn role(&mut self) -> Role {
        // An old connection may have been closed by a living server: then a new one tells.
        if let Some(Ok(role)) = self.redis.as_mut().map(ask) {
            return role;
        }
        self.redis = None;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        let asked = Connection::open(address, PASSWORD, SILENT).and_then(|mut redis| {
            let role = ask(&mut redis)?;
            self.redis = Some(redis);
            Ok(role)
        });
        match asked {
            Ok(role) => role,
            Err(e) if e.is_timeout() => Role::Silent,
            Err(_) => Role::Down,
        }
    }
}

/// PING as well: ROLE is answered while the data set is still being read.
fn ask(redis: &mut Connection) -> RedisResult<Role> {
    let mut replies = redis.pipeline(&[["PING"], ["ROLE"]])?;
    let fields = replies.pop().and_then(Reply::texts);
    let no_role = || (ErrorKind::UnexpectedReturnType, "no role");
    let fields = fields.ok_or_else(no_role)?;
    if replies
        .iter()
        .any(|ping| ping.text().starts_with("LOADING"))
    {
        return Ok(Role::Loading);
    }
    Ok(match fields.as_slice() {
        [role, of, _, link, ..] if role == "slave" => Role::Replica {
            of: of.clone(),
            link: link.clone(),
        },
        _ => Role::Master,
    })
}

fn has(vip: IpAddr) -> bool {
    let Ok(addresses) = getifaddrs() else {
        return false;
    };
    addresses
        .filter_map(|interface| interface.address)
        .any(|address| {
            address
                .as_sockaddr_in()
                .is_some_and(|a| IpAddr::from(a.ip()) == vip)
                || address
                    .as_sockaddr_in6()
                    .is_some_and(|a| IpAddr::from(a.ip()) == vip)
        })
}
