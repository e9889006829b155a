//! What a node remembers of reigns: which it has seen, which it owes its data, and that it is
//! outdated.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{Kept, StateFile};
use crate::server::term::Term;

/// The terms that this node has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reigns {
    /// The last one in its own data.
    pub own: Option<Term>,
    /// The highest sure number in a peer's data, where the own data was of a lower one.
    pub elsewhere: Option<Elsewhere>,
    /// Who had data of the term that this node has.
    pub shared: Option<Shared>,
}

/// A peer had later data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elsewhere {
    pub sure: u64,
    pub node: SocketAddr,
    /// When it was seen, in local time; for people.
    pub at: String,
}

/// The nodes that were in sync while the data was of the term `id`, not counting this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    pub id: String,
    pub nodes: BTreeSet<SocketAddr>,
    /// Where the local history was when one of them was first seen to be gone.
    pub left_at: Option<Place>,
}

/// A place in a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub replid: String,
    pub offset: i64,
}

/// A term that is to stand in the data of the local Redis: written down before it is tried, and
/// forgotten when it was seen there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    pub term: Term,
    /// The run of Redis whose data it belongs to.
    pub run_id: String,
}

impl Kept for Reigns {
    const FILE: StateFile = StateFile::Reigns;
}
impl Kept for Pending {
    const FILE: StateFile = StateFile::PendingTerm;
}

/// This node knows that another one has newer data: it does not serve by itself while that one is
/// away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outdated {
    /// Whose data is newer.
    pub node: SocketAddr,
    pub why: Lacking,
    /// When that was first seen, in local time; for people.
    pub at: String,
}

/// How a node came to know that it lacks something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lacking {
    /// A full copy had begun.
    Copy,
    /// The other one's data was seen to be newer.
    Seen,
    /// The link was down for longer than VRRP would have been quiet, had the master been gone.
    Link,
}

impl std::fmt::Display for Outdated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Outdated { node, why, at } = self;
        match why {
            Lacking::Copy => write!(f, "a full copy from {node} had begun ({at})"),
            Lacking::Seen => write!(f, "{node} has newer data ({at})"),
            Lacking::Link => write!(
                f,
                "the link to {node} was down while that one served on ({at})"
            ),
        }
    }
}

impl Kept for Outdated {
    const FILE: StateFile = StateFile::Outdated;
}
