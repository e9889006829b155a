//! Which rollback files stay: by what they may be worth, and never by what the clock says alone.
//!
//! A file goes where a newer one has all that is in it, where it lies between two of a Redis that
//! died again and again beside the same master, or where it is one too many. What may be nowhere
//! else and nobody has looked at is not one too many before its time.

use std::time::Duration;

use super::lineage::compare;
use crate::server::info::Lineage;

/// A rollback file of one instance and node, as far as its stay depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filed {
    /// It has the size that its text names.
    pub whole: bool,
    /// The ids proved that all of it was in what took its place.
    pub contained: bool,
    /// A person has looked at it.
    pub looked_at: bool,
    /// By its name; `None` where that has no time, or one that is still to come.
    pub age: Option<Duration>,
    /// What its text says of the data in it.
    pub data: Option<Data>,
}

/// The data in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Data {
    /// The history when it was decided to keep it: the file has at least this.
    pub before: Lineage,
    /// The history after the copy: the file has no more than this. A first copy may begin a new
    /// history.
    pub after: Option<Lineage>,
    /// The run of the master in whose favour a Redis gave way that had come up with data of which
    /// nothing is known, and that had not served since: the same for each turn of a crash loop.
    pub came_up_beside: Option<String>,
}

/// What becomes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Stays(Stay),
    Goes(Go),
}

/// Why a file stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stay {
    /// The newest never goes.
    Newest,
    /// It is one of the `rollback.keep` that are worth most.
    AmongKept,
    /// It may hold what nobody else has, nobody has looked at it, and so much is left of
    /// `rollback.days`; `None` where its age is not known.
    NotLookedAt(Option<Duration>),
    /// The same, but its time is over; one of those goes at a time.
    Due,
}

/// Why a file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Go {
    /// That file has all that is in it.
    Replaced(usize),
    /// The first and the last file of this crash loop stay.
    Between(usize, usize),
    /// What is left is contained or was looked at, and there are `rollback.keep` others.
    OneTooMany,
    /// Nobody has looked at it for `rollback.days`.
    Aged,
}

impl Filed {
    /// It may hold what nobody else has.
    fn may_be_alone(&self) -> bool {
        !self.contained
    }

    /// What is kept first where not all can be.
    fn rank(&self) -> u8 {
        match (self.may_be_alone(), self.looked_at) {
            (true, false) => 0,
            (true, true) => 1,
            (false, _) => 2,
        }
    }

    /// By the ids, all that `older` has; both are whole.
    fn has_all_of(&self, older: &Filed) -> bool {
        let (Some(newer), Some(older)) = (&self.data, &older.data) else {
            return false;
        };
        let after = older.after.as_ref();
        after.is_some_and(|after| compare(after, &newer.before).may_follow())
    }

    fn is_of_the_loop_of(&self, other: &Filed) -> bool {
        let of = |file: &Filed| file.data.as_ref()?.came_up_beside.clone();
        of(self).is_some_and(|run| of(other) == Some(run))
    }
}

/// What becomes of each of `files`, which stand in the order in which they were taken. The last is
/// the one just taken.
pub(crate) fn sort_out(files: &[Filed], keep: usize, days: Duration) -> Vec<Verdict> {
    let mut verdicts: Vec<Option<Verdict>> = vec![None; files.len()];
    let whole = |at: &usize| files.get(*at).is_some_and(|file| file.whole);
    for (at, file) in files.iter().enumerate() {
        let by = (at + 1..files.len()).filter(whole).rfind(|newer| {
            files
                .get(*newer)
                .is_some_and(|newer| newer.has_all_of(file))
        });
        if let (Some(by), Some(verdict)) = (by, verdicts.get_mut(at)) {
            *verdict = Some(Verdict::Goes(Go::Replaced(by)));
        }
    }
    let mut open: Vec<(usize, &Filed)> = files.iter().enumerate().collect();
    open.retain(|(at, _)| verdicts.get(*at).is_some_and(Option::is_none));
    let in_between: Vec<(usize, usize, usize)> = open
        .iter()
        .filter_map(|(at, file)| {
            let mut others = open
                .iter()
                .filter(|(_, other)| other.whole && other.is_of_the_loop_of(file))
                .map(|(other, _)| *other);
            let first = others.clone().find(|other| other < at)?;
            Some((*at, first, others.rfind(|other| other > at)?))
        })
        .collect();
    for (at, first, last) in in_between {
        if let Some(verdict) = verdicts.get_mut(at) {
            *verdict = Some(Verdict::Goes(Go::Between(first, last)));
        }
    }
    open.retain(|(at, _)| verdicts.get(*at).is_some_and(Option::is_none));
    let newest = files.len().saturating_sub(1);
    // Worth most first; among equals the newest.
    open.sort_by_key(|(at, file)| (*at != newest, file.rank(), usize::MAX - at));
    let mut due = false;
    let mut settled: Vec<(usize, Verdict)> = Vec::new();
    for (rank, (at, file)) in open.iter().enumerate().rev() {
        let verdict = match file.age {
            _ if *at == newest => Verdict::Stays(Stay::Newest),
            _ if rank < keep => Verdict::Stays(Stay::AmongKept),
            _ if file.rank() > 0 => Verdict::Goes(Go::OneTooMany),
            // A clock that has jumped ahead costs one file, and not all.
            Some(age) if age >= days && due => Verdict::Stays(Stay::Due),
            Some(age) if age >= days => {
                due = true;
                Verdict::Goes(Go::Aged)
            }
            age => Verdict::Stays(Stay::NotLookedAt(age.map(|age| days.saturating_sub(age)))),
        };
        settled.push((*at, verdict));
    }
    for (at, verdict) in settled {
        if let Some(open) = verdicts.get_mut(at) {
            *open = Some(verdict);
        }
    }
    let stays = Verdict::Stays(Stay::AmongKept);
    verdicts
        .into_iter()
        .map(|verdict| verdict.unwrap_or(stays))
        .collect()
}

#[cfg(test)]
mod tests;
