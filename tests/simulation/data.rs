//! What a Redis holds: the truth, which the programs can't see, and the histories, of which they
//! see ids and offsets.

use crate::server::term::Term;

/// Virtual time.
pub type Millis = u64;
/// The id of a history, a `replid`.
pub type Id = u64;

/// A set of client writes, by number.
#[derive(Clone, Debug, Default)]
pub struct Writes {
    words: Vec<u64>,
    count: u64,
}

impl Writes {
    pub fn add(&mut self, write: u32) {
        let word = write as usize / 64;
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let bit = 1 << (write % 64);
        self.count += u64::from(self.words[word] & bit == 0);
        self.words[word] |= bit;
    }

    pub fn add_all(&mut self, other: &Writes) {
        self.merge(other, |mine, theirs| mine | theirs);
    }

    pub fn remove_all(&mut self, other: &Writes) {
        self.merge(other, |mine, theirs| mine & !theirs);
    }

    /// What both have.
    pub fn keep_only(&mut self, other: &Writes) {
        let length = self.words.len();
        let mut other = other.clone();
        other.words.resize(length.max(other.words.len()), 0);
        self.merge(&other, |mine, theirs| mine & theirs);
    }

    fn merge(&mut self, other: &Writes, how: impl Fn(u64, u64) -> u64) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine = how(*mine, *theirs);
        }
        self.count = self
            .words
            .iter()
            .map(|word| u64::from(word.count_ones()))
            .sum();
    }

    pub fn len(&self) -> u64 {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn is_within(&self, other: &Writes) -> bool {
        self.count <= other.count
            && self
                .words
                .iter()
                .enumerate()
                .all(|(index, word)| word & !other.words.get(index).copied().unwrap_or(0) == 0)
    }

    /// The numbers, shortened for a person.
    pub fn named(&self) -> String {
        let bits = |word: u64| (0..64).filter(move |bit| word >> bit & 1 == 1);
        let numbers: Vec<usize> = self
            .words
            .iter()
            .enumerate()
            .flat_map(|(index, word)| bits(*word).map(move |b| index * 64 + b))
            .collect();
        match (numbers.first(), numbers.last()) {
            (Some(first), Some(last)) => format!("{} writes ({first} .. {last})", numbers.len()),
            _ => "no write".to_string(),
        }
    }
}

/// A data set: what clients have done to it, how many keys that has left, and the term inside.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// Deletions too: what was deleted must not come back.
    pub writes: Writes,
    pub keys: u64,
    pub term: Option<Term>,
}

#[derive(Clone, Debug)]
pub enum Change {
    Write(u32),
    /// A client deletes all keys.
    Clear(u32),
    Ping,
    Term(Term),
    /// A client's FUNCTION FLUSH.
    NoTerm,
}

impl Data {
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Write(write) => {
                self.writes.add(*write);
                self.keys += 1;
            }
            Change::Clear(write) => {
                self.writes.add(*write);
                self.keys = 0;
            }
            Change::Ping => {}
            Change::NoTerm => self.term = None,
            Change::Term(term) => self.term = Some(term.clone()),
        }
    }
}

/// One command of a stream.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The offset behind it.
    pub end: i64,
    pub at: Millis,
    pub change: Change,
}

struct History {
    /// The history that it goes on from, and where.
    out_of: Option<(Id, i64)>,
    start: i64,
    log: Vec<Entry>,
}

/// All histories. Each is made by one master, between becoming one and ceasing to be one.
#[derive(Default)]
pub struct Histories(Vec<History>);

impl Histories {
    pub fn begin(&mut self, out_of: Option<(Id, i64)>, start: i64) -> Id {
        self.0.push(History {
            out_of,
            start,
            log: Vec::new(),
        });
        self.0.len() as Id
    }

    pub fn write(&mut self, id: Id, at: Millis, end: i64, change: Change) {
        self.0[id as usize - 1].log.push(Entry { end, at, change });
    }

    /// The command after `offset`.
    pub fn after(&self, id: Id, offset: i64) -> Option<&Entry> {
        let history = &self.0[id as usize - 1];
        match history.out_of {
            Some((elder, _)) if offset < history.start => self.after(elder, offset),
            _ => history
                .log
                .get(history.log.partition_point(|entry| entry.end <= offset)),
        }
    }
}
