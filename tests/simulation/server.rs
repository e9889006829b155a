//! One Redis as the programs and its peers see it: role, ids, offsets, and what a restart makes of
//! them.

use std::net::SocketAddr;

use super::data::{Change, Data, Histories, Id, Millis};
use crate::server::info::{
    Disk, Following, Lineage, Make, Observation, Replication, Role, Version,
};
use crate::server::term::Term;

/// Where the data is when Redis is not running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// Everything but the last second before a loss of power; a restart loses the ids (R7).
    Aof,
    /// What was saved last; a restart keeps the ids (R7).
    Rdb,
    /// Nothing.
    Nothing,
}

/// How a replica stands to its master.
#[derive(Clone, Debug)]
pub enum Link {
    /// Tries again at this time.
    Down(Millis),
    /// Waits for a full copy that begins at this time.
    Waiting {
        begins: Millis,
        run: u64,
        session: u64,
    },
    /// Receives it.
    Copying {
        ends: Millis,
        run: u64,
        session: u64,
        copy: Box<Saved>,
    },
    /// In the stream.
    Up {
        run: u64,
        session: u64,
        heard: Millis,
    },
}

/// A data set with its place in a history.
#[derive(Clone, Debug, Default)]
pub struct Saved {
    pub data: Data,
    pub replid: Id,
    pub offset: i64,
}

/// What a program tells a Redis to do.
#[derive(Clone, Debug)]
pub enum Command {
    Slaveof(Option<SocketAddr>),
    /// Until this time: the sender counts from before it sends.
    Pause(Millis),
    Unpause,
    Rewrite,
    Load(Term),
}

pub struct Redis {
    pub address: SocketAddr,
    pub running: bool,
    /// SIGSTOP.
    pub hung: bool,
    /// Answers with an error to everything until then.
    pub busy_until: Millis,
    pub loading_until: Millis,
    /// Changes at each start.
    pub run: u64,
    pub of: Option<SocketAddr>,
    pub link: Link,
    /// Grows when its replicas are disconnected.
    pub session: u64,
    pub replid: Id,
    pub second: Option<(Id, i64)>,
    pub offset: i64,
    pub backlog_from: i64,
    /// Without one nothing is counted: made when it first has a replica, or is one.
    pub backlog: bool,
    pub data: Data,
    pub paused_until: Millis,
    /// What stands in redis.conf.
    pub configured: Option<SocketAddr>,
    /// RDB: the last save. AOF: what is on the disk for sure.
    pub disk: Saved,
    pub pinged: Millis,
    /// Commands that came while it was hung.
    pub late: Vec<Command>,
    /// The master that its data was last copied or streamed from: a person's view of the story.
    pub source: Option<(usize, u64)>,
    /// It took what a restarted master had left, with no program at work.
    pub wiped: bool,
    pub master_since: Millis,
    /// redis-cli --rdb takes a copy until then; it counts as a replica.
    pub dumped_until: Millis,
    /// Terms are denied: no right to it, no memory, no disk.
    pub refuses_terms: bool,
}

impl Redis {
    pub fn new(address: SocketAddr, of: Option<SocketAddr>, histories: &mut Histories) -> Redis {
        Redis {
            address,
            running: true,
            hung: false,
            busy_until: 0,
            loading_until: 0,
            run: 1,
            of,
            link: Link::Down(0),
            session: 0,
            replid: histories.begin(None, 0),
            second: None,
            offset: 0,
            backlog_from: 0,
            backlog: false,
            data: Data::default(),
            paused_until: 0,
            configured: of,
            disk: Saved::default(),
            pinged: 0,
            late: Vec::new(),
            source: None,
            wiped: false,
            master_since: 0,
            dumped_until: 0,
            refuses_terms: false,
        }
    }

    pub fn is_master(&self) -> bool {
        self.of.is_none()
    }

    pub fn link_is_up(&self) -> bool {
        matches!(self.link, Link::Up { .. })
    }

    pub fn is_loading(&self, now: Millis) -> bool {
        now < self.loading_until
    }

    /// A write of a client is acknowledged.
    pub fn takes_writes(&self, now: Millis) -> bool {
        self.running
            && !self.hung
            && self.is_master()
            && !self.is_loading(now)
            && now >= self.paused_until
            && now >= self.busy_until
    }

    /// What INFO and FCALL_RO say.
    pub fn observation(&self, now: Millis, terms: bool, replicas: u32) -> Observation {
        let role = match self.of {
            None => Role::Master,
            Some(of) => Role::Replica(Following {
                host: of.ip().to_string(),
                port: of.port(),
                link_up: self.link_is_up(),
                syncing: matches!(self.link, Link::Copying { .. }),
                copied: None,
                received: Some(self.offset),
            }),
        };
        let id = |id: Id| format!("{id:040x}");
        let lineage = Lineage {
            replid: id(self.replid),
            replid2: self.second.map(|(second, _)| id(second)),
            second_offset: self.second.map_or(-1, |(_, offset)| offset),
            offset: self.offset,
        };
        Observation {
            run_id: format!(
                "{:038x}{}",
                self.run,
                self.address
                    .ip()
                    .to_string()
                    .rsplit_once('.')
                    .map_or("00", |(_, last)| last)
            ),
            version: Version(7, 0, 15),
            make: Make::Redis,
            loading: self.is_loading(now),
            keys: self.data.keys,
            changes: 0,
            disk: Disk::default(),
            replication: Replication {
                role,
                lineage,
                replicas,
                backlog: None,
            },
            term: self.data.term.clone().filter(|_| terms),
        }
    }

    /// A change that a master makes: a write, a PING to its replicas, a term.
    pub fn change(&mut self, histories: &mut Histories, now: Millis, bytes: i64, change: Change) {
        self.data.apply(&change);
        if !self.backlog {
            return;
        }
        self.offset += bytes;
        histories.write(self.replid, now, self.offset, change);
    }

    /// Carries a command out; the error is the code of a denial.
    pub fn obey(
        &mut self,
        histories: &mut Histories,
        now: Millis,
        command: Command,
    ) -> Result<(), &'static str> {
        if now < self.busy_until {
            return Err("BUSY");
        }
        match command {
            Command::Pause(until) => self.paused_until = self.paused_until.max(until),
            Command::Unpause => self.paused_until = 0,
            Command::Rewrite => self.configured = self.of,
            _ if self.is_loading(now) => return Err("LOADING"),
            Command::Load(_) if !self.is_master() => return Err("READONLY"),
            Command::Load(_) if self.refuses_terms => return Err("OOM"),
            Command::Load(term) => {
                let bytes = i64::try_from(term.written_bytes()).unwrap_or(0);
                self.change(histories, now, bytes, Change::Term(term));
            }
            Command::Slaveof(of) if of == self.of => {}
            Command::Slaveof(Some(of)) => {
                self.backlog |= self.is_master();
                self.of = Some(of);
                self.link = Link::Down(now);
                self.session += 1;
            }
            Command::Slaveof(None) => {
                self.of = None;
                self.master_since = now;
                self.second = Some((self.replid, self.offset + 1));
                self.replid = histories.begin(Some((self.replid, self.offset)), self.offset);
                self.session += 1;
            }
        }
        Ok(())
    }

    /// The first replica: a backlog begins, and with it a history of a new name.
    pub fn attach(&mut self, histories: &mut Histories) {
        if !std::mem::replace(&mut self.backlog, true) {
            self.replid = histories.begin(None, self.offset);
            self.second = None;
            self.backlog_from = self.offset;
        }
    }

    /// What is left when the process ends. With `power` the host went with it.
    pub fn end(&mut self, persistence: Persistence, clean: bool, power: bool) {
        let left = match persistence {
            Persistence::Nothing => Saved::default(),
            Persistence::Aof if power => Saved {
                data: self.disk.data.clone(),
                ..Saved::default()
            },
            Persistence::Aof => Saved {
                data: self.data.clone(),
                ..Saved::default()
            },
            Persistence::Rdb if clean => Saved {
                data: self.data.clone(),
                replid: self.replid,
                offset: self.offset,
            },
            Persistence::Rdb => self.disk.clone(),
        };
        self.data = left.data.clone();
        self.disk = left;
        self.running = false;
        self.hung = false;
        self.late.clear();
        self.paused_until = 0;
    }

    /// Starts on what is on the disk, as replica of `of` or as master.
    pub fn start(
        &mut self,
        histories: &mut Histories,
        now: Millis,
        of: Option<SocketAddr>,
        loading: Millis,
    ) {
        let saved = self.disk.clone();
        self.running = true;
        self.run += 1;
        self.session += 1;
        self.of = of;
        self.master_since = now;
        self.wiped = false;
        self.link = Link::Down(now);
        self.loading_until = now + loading;
        self.second = None;
        self.offset = saved.offset;
        self.backlog_from = saved.offset;
        self.backlog = saved.replid != 0;
        (self.replid, self.second) = match (saved.replid, of) {
            (0, _) => (histories.begin(None, 0), None),
            (replid, Some(_)) => (replid, None),
            (replid, None) => (
                histories.begin(Some((replid, saved.offset)), saved.offset),
                Some((replid, saved.offset + 1)),
            ),
        };
    }
}
