//! Why a step did not come about.

use std::fmt;
use std::net::SocketAddr;

use crate::decide::view::View;
use crate::node::turn::Ended;
use crate::server::info::Observation;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A Redis did not do it: what was being done, to whom, and why not.
    Failed {
        doing: String,
        node: String,
        cause: String,
    },
    Ended(Ended),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Failed { doing, node, cause } => write!(f, "{doing} {node}: {cause}"),
            Trouble::Ended(ended) => write!(f, "{ended}"),
        }
    }
}

impl std::error::Error for Trouble {}

impl From<Ended> for Trouble {
    fn from(ended: Ended) -> Self {
        Trouble::Ended(ended)
    }
}

pub(crate) fn failed(doing: &str, node: impl fmt::Display, cause: impl fmt::Display) -> Trouble {
    Trouble::Failed {
        doing: doing.to_string(),
        node: node.to_string(),
        cause: cause.to_string(),
    }
}

/// What a node said in the look that a step rests on.
///
/// # Errors
/// [`Trouble`]: it said nothing usable.
pub(crate) fn observed(view: &View, node: SocketAddr) -> Result<&Observation, Trouble> {
    match view.seen(node) {
        Some(Ok(seen)) => Ok(seen),
        Some(Err(failure)) => Err(failed("looking at", node, failure)),
        None => Err(failed("looking at", node, "it is not one of the nodes")),
    }
}
