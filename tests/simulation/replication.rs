//! How data moves between two Redis: the stream, partial and full copies, and the refusals.

use super::data::Millis;
use super::ledger::By;
use super::server::{Link, Saved};
use super::setup::Boot;
use super::world::{Contact, World, address};

/// A master that has said nothing for this long is given up (R3).
const REPL_TIMEOUT: Millis = 60_000;
/// The wait for more replicas before a full copy (R4).
const COPY_DELAY: Millis = 5000;

impl World {
    pub(super) fn replicate(&mut self, node: usize) {
        let now = self.now;
        let redis = &self.nodes[node].redis;
        let Some(of) = redis.of.filter(|_| !redis.is_loading(now)) else {
            return;
        };
        let source = self.resolve(node, of);
        let contact = source.map_or(Contact::Silent, |source| self.contact(node, source));
        let contact = if source == Some(node) {
            Contact::Refuses
        } else {
            contact
        };
        let (run, session) = source.map_or((0, 0), |source| {
            (
                self.nodes[source].redis.run,
                self.nodes[source].redis.session,
            )
        });
        let link = self.nodes[node].redis.link.clone();
        let again = now + self.random.below(1000);
        let next = match (link, source, contact) {
            (Link::Down(at), ..) if now < at => return,
            (Link::Down(_), Some(source), Contact::Answers) => {
                self.connect(node, source).unwrap_or(Link::Down(again))
            }
            (Link::Down(_), ..) => Link::Down(again),
            (Link::Up { heard, .. }, _, Contact::Silent | Contact::Hangs)
                if now < heard + REPL_TIMEOUT =>
            {
                return;
            }
            (
                Link::Up {
                    run: r, session: s, ..
                },
                Some(source),
                Contact::Answers,
            ) if (r, s) == (run, session) => {
                self.stream(node, source);
                Link::Up {
                    run,
                    session,
                    heard: now,
                }
            }
            (
                Link::Waiting {
                    begins,
                    run: r,
                    session: s,
                },
                Some(source),
                Contact::Answers,
            ) if (r, s) == (run, session) => {
                if now < begins {
                    return;
                }
                let giver = &self.nodes[source].redis;
                let copy = Saved {
                    data: giver.data.clone(),
                    replid: giver.replid,
                    offset: giver.offset,
                };
                self.tell(|| format!("node {node}: a full copy of node {source} begins"));
                Link::Copying {
                    ends: now + self.setup.copying,
                    run,
                    session,
                    copy: Box::new(copy),
                }
            }
            (
                Link::Copying {
                    ends,
                    run: r,
                    session: s,
                    copy,
                },
                Some(source),
                Contact::Answers,
            ) if (r, s) == (run, session) => {
                if now < ends {
                    return;
                }
                self.copied(node, source, *copy);
                Link::Up {
                    run,
                    session,
                    heard: now,
                }
            }
            _ => Link::Down(again),
        };
        self.nodes[node].redis.link = next;
    }

    /// PSYNC; `None` where it is refused.
    fn connect(&mut self, node: usize, source: usize) -> Option<Link> {
        let now = self.now;
        let theirs = &self.nodes[source].redis;
        if theirs.is_master() && !theirs.is_loading(now) && now >= theirs.busy_until {
            self.nodes[source].redis.attach(&mut self.histories);
        }
        let (mine, theirs) = (&self.nodes[node].redis, &self.nodes[source].redis);
        if theirs.is_loading(now) || now < theirs.busy_until {
            return None;
        }
        let up = Link::Up {
            run: theirs.run,
            session: theirs.session,
            heard: now,
        };
        // Two replicas of each other: both links may come up, and nothing moves (R3).
        if theirs.of == Some(address(node)) {
            return (mine.replid == theirs.replid && self.random.chance(30)).then_some(up);
        }
        if !theirs.is_master() && !theirs.link_is_up() {
            return None;
        }
        let oldest = theirs.backlog_from.max(theirs.offset - self.setup.backlog);
        let shared = mine.replid == theirs.replid && mine.offset <= theirs.offset
            || theirs
                .second
                .is_some_and(|(id, end)| id == mine.replid && mine.offset < end);
        if shared && mine.offset >= oldest {
            let (replid, run) = (theirs.replid, theirs.run);
            let mine = &mut self.nodes[node].redis;
            if mine.replid != replid {
                mine.second = Some((mine.replid, mine.offset + 1));
                mine.replid = replid;
                mine.session += 1;
            }
            mine.source = Some((source, run));
            mine.backlog = true;
            return Some(up);
        }
        let begins = now + self.random.below(COPY_DELAY);
        Some(Link::Waiting {
            begins,
            run: theirs.run,
            session: theirs.session,
        })
    }

    fn stream(&mut self, node: usize, source: usize) {
        let end = self.nodes[source].redis.offset;
        if self.nodes[source].redis.of == Some(address(node))
            || self.wires[node][source].is_cut_for_redis()
        {
            return;
        }
        let lag = self.setup.lag.max(self.nodes[node].slow_stream);
        let redis = &mut self.nodes[node].redis;
        while let Some(entry) = self.histories.after(redis.replid, redis.offset) {
            if entry.end > end || entry.at + lag > self.now {
                break;
            }
            redis.data.apply(&entry.change);
            redis.offset = entry.end;
        }
    }

    fn copied(&mut self, node: usize, source: usize, copy: Saved) {
        let loading = self.now + self.random.below(500);
        let (run, wiped) = (self.nodes[source].redis.run, self.nodes[source].redis.wiped);
        let configured = self.setup.boot == Boot::AsConfigured;
        let redis = &mut self.nodes[node].redis;
        // It came back by itself with less, and its attached replica takes that (R8), and a replica
        // of that one.
        let restarted = redis
            .source
            .is_some_and(|(from, then)| from == source && (then != run || wiped));
        // As configured it also takes what it finds when somebody comes to an address where nobody
        // was.
        let restarted = restarted || configured && redis.source.is_none();
        redis.wiped = restarted && configured;
        let before = std::mem::take(&mut redis.data.writes);
        (redis.data, redis.replid, redis.offset) = (copy.data.clone(), copy.replid, copy.offset);
        redis.second = None;
        redis.backlog = true;
        redis.backlog_from = copy.offset;
        redis.session += 1;
        redis.loading_until = loading;
        redis.source = Some((source, run));
        if self.setup.persistence == super::server::Persistence::Rdb {
            redis.disk = copy;
        } else {
            redis.disk.data = copy.data;
        }
        let writes = self.nodes[node].redis.data.writes.len();
        self.tell(|| {
            format!("node {node}: a full copy of node {source} is loaded: {writes} writes")
        });
        // It lost what was not on its disk, and was promoted while this node could not be asked:
        // nobody could keep it.
        let since = self.nodes[source].redis.master_since;
        let out_of_reach = restarted && self.ledger.apart[source][node] + 1000 >= since;
        let by = if restarted && configured || out_of_reach {
            By::RedisItself
        } else {
            By::AProgram
        };
        self.dropped(node, before, by);
    }
}
