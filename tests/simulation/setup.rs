//! What stays the same in one run.

use super::data::Millis;
use super::random::Random;
use super::server::Persistence;

/// What a Redis is when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boot {
    /// What redis.conf says, which is what was written there last.
    AsConfigured,
    /// A replica of the first other node (R8).
    ReplicaOfOther,
    /// A replica of an address where nobody listens.
    ReplicaOfNobody,
}

#[derive(Clone, Debug)]
pub struct Setup {
    pub nodes: usize,
    pub nopreempt: bool,
    pub boot: Boot,
    pub persistence: Persistence,
    /// Redis 7: the data carries a term.
    pub terms: bool,
    /// Bytes.
    pub backlog: i64,
    /// A full copy, its delay of 5 s (R4) not counted.
    pub copying: Millis,
    /// A rollback file.
    pub keeping: Millis,
    /// Client writes are this far apart.
    pub writing: Millis,
    /// From master to replica.
    pub lag: Millis,
    /// A program takes from one to this many steps a tick.
    pub pace: u64,
    /// A Redis that starts reads its data for so long; `None` is for anything up to 2 s.
    pub loading: [Option<Millis>; 3],
    /// How many of a hundred notifications meet the trouble that their node has.
    pub troubled: u64,
    /// A fresh pair: nobody has told one of them to follow.
    pub all_masters: bool,
}

impl Setup {
    pub fn random(random: &mut Random) -> Setup {
        Setup {
            nodes: if random.chance(70) { 2 } else { 3 },
            nopreempt: random.chance(35),
            boot: random.one_of(&[Boot::AsConfigured, Boot::ReplicaOfNobody]),
            persistence: random.one_of(&[
                Persistence::Aof,
                Persistence::Aof,
                Persistence::Aof,
                Persistence::Rdb,
                Persistence::Rdb,
                Persistence::Nothing,
            ]),
            terms: random.chance(85),
            backlog: random.one_of(&[1 << 20, 1 << 20, 2000]),
            copying: random.one_of(&[200, 1000, 8000]),
            keeping: random.one_of(&[100, 700, 4000]),
            writing: random.one_of(&[50, 100, 200]),
            lag: random.one_of(&[0, 50, 100]),
            pace: random.one_of(&[3, 12, 30]),
            loading: [None; 3],
            troubled: 50,
            all_masters: random.chance(10),
        }
    }
}
