//! The steps that a notify program can take.

use std::net::SocketAddr;

/// Does whoever becomes master know that it has all that was acknowledged?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reign {
    /// It was in sync, or all that could have more were compared with.
    Sure,
    /// It was alone for long enough.
    Unsure,
}

/// The next step. `why` is a sentence for the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// What was wanted is so.
    Done(String),
    /// Nothing can be done now; look again.
    Wait(String),
    /// The same, while the local Redis must not take writes: it may be old, and clients already
    /// reach it.
    Hold(String),
    /// Make the local Redis master, or confirm that it is.
    Promote(Reign, String),
    /// Move the role from the serving peer to the local Redis, which is in sync with it.
    TakeOver(SocketAddr, String),
    /// Move the role from the local Redis to the peer that holds the VIP, because nobody else does.
    GiveUp(SocketAddr, String),
    /// Make the node a replica of nobody: what it follows is about to become master, and it would
    /// drop its own data for that by itself, before a program could keep it.
    Park(SocketAddr, String),
    /// Make the peer master: there is none, and its data is the better.
    Raise(SocketAddr, String),
    /// Make the local Redis a replica of the peer.
    Follow {
        peer: SocketAddr,
        /// The local data is provably contained in the peer's. Otherwise it is kept in a rollback
        /// file first.
        contained: bool,
        /// Bytes past the fork that only the local Redis has, where the ids tell.
        diverged: Option<u64>,
        why: String,
    },
    Refuse(String),
}
