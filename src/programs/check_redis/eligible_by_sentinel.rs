//! Sentinel mode: may this node hold the VIP? What the sentinels say, and what holds while they are
//! silent.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::config::{Sentinel, SilentSentinels};
use crate::decide::sentinel::{self, Named, Poll};
use crate::node::memory::{Kept, StateFile, Store};
use crate::server::info::Observation;

/// The run of the local Redis that Sentinel named as master when it last said anything. A restart
/// ends it: another node may have been promoted meanwhile (R22).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Elected {
    run_id: String,
}

impl Kept for Elected {
    const FILE: StateFile = StateFile::Elected;
}

/// May this node hold the VIP, and why, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entitlement {
    pub eligible: bool,
    /// Yes, but only because it was so before.
    pub held: bool,
    pub why: String,
}

/// May the node at `address`, whose Redis is `local`, hold the VIP? What Sentinel says is
/// remembered in `store`, for the time when it says nothing.
pub(crate) fn entitlement(
    sentinel: &Sentinel,
    store: &Store,
    address: SocketAddr,
    local: &Observation,
    poll: &Poll,
) -> Entitlement {
    let claim = sentinel::eligible(address, local, poll);
    let was = store.get::<Elected>();
    let same_run = was.as_ref().is_some_and(|was| was.run_id == local.run_id);
    match claim.eligible {
        Some(eligible) => {
            // Where it can't be written down, nothing holds while the sentinels are silent.
            match (eligible, was) {
                (true, _) if same_run => {}
                (true, _) => drop(store.set(&Elected {
                    run_id: local.run_id.clone(),
                })),
                (false, Some(_)) => drop(store.clear::<Elected>()),
                (false, None) => {}
            }
            Entitlement {
                eligible,
                held: false,
                why: claim.why,
            }
        }
        None if poll.named() == Named::Silent
            && sentinel.when_silent == SilentSentinels::Release =>
        {
            Entitlement {
                eligible: false,
                held: false,
                why: format!("{}; when_sentinels_silent is \"release\"", claim.why),
            }
        }
        None if same_run => Entitlement {
            eligible: true,
            held: true,
            why: format!("as before: {}{}", alarm(poll), claim.why),
        },
        None => Entitlement {
            eligible: false,
            held: false,
            why: format!("{}{}, and it was not named before", alarm(poll), claim.why),
        },
    }
}

/// That the sentinels do not agree is over in a moment; that they are silent is for a person to
/// mend.
fn alarm(poll: &Poll) -> &'static str {
    if poll.named() == Named::Silent {
        "ALARM: too few sentinels answer: "
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::sentinel::Word;
    use crate::server::access::Access;
    use crate::server::failure::Failure;
    use crate::server::info::Replication;
    use crate::server::info::{Disk, Lineage, Make, Role, Version};

    fn node(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 6379))
    }

    fn master(run: &str) -> Observation {
        let replication = Replication {
            role: Role::Master,
            lineage: Lineage::default(),
            replicas: 0,
            backlog: None,
        };
        let version = Version(7, 0, 15);
        Observation {
            run_id: run.to_string(),
            version,
            make: Make::Redis,
            loading: false,
            keys: 1,
            changes: 0,
            disk: Disk::default(),
            replication,
            term: None,
        }
    }

    fn poll(named: &[Option<u8>]) -> Poll {
        let word = |named: &Option<u8>| match named {
            Some(last) => Ok(Word {
                master: node(*last),
                failing_over: false,
                heard: None,
                down: false,
                down_after: std::time::Duration::from_secs(5),
            }),
            None => Err(Failure::Refused),
        };
        let words = named
            .iter()
            .zip(1..)
            .map(|(named, last)| (SocketAddr::from(([10, 0, 0, last], 26379)), word(named)));
        Poll {
            words: words.collect(),
            asked: named.len(),
            quorum: 2,
        }
    }

    #[test]
    fn silence_keeps_what_was_said_last_of_this_run_of_redis_unless_it_is_to_release() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::new(dir.path());
        let sentinel = |when_silent| Sentinel {
            master_name: "mymaster".to_string(),
            nodes: vec![],
            quorum: 2,
            when_silent,
            auth: Access::default(),
        };
        let (hold, release) = (
            sentinel(SilentSentinels::Hold),
            sentinel(SilentSentinels::Release),
        );
        let says = |sentinel: &Sentinel, run: &str, named: &[Option<u8>]| {
            entitlement(sentinel, &store, node(1), &master(run), &poll(named))
        };
        let silent = [Some(1), None, None];
        assert!(
            !says(&hold, "a", &silent).eligible,
            "nobody has ever named it"
        );
        assert!(says(&hold, "a", &[Some(1), Some(1), None]).eligible);
        let held = says(&hold, "a", &silent);
        assert!(
            held.eligible && held.held && held.why.contains("ALARM"),
            "{}",
            held.why
        );
        assert!(!says(&release, "a", &silent).eligible);
        assert!(
            says(&release, "a", &[Some(1), Some(2), None]).eligible,
            "they do not agree for a moment"
        );
        assert!(!says(&hold, "b", &silent).eligible, "restarted since");
        assert!(!says(&hold, "a", &[Some(2), Some(2), Some(1)]).eligible);
        assert!(
            !says(&hold, "a", &silent).eligible,
            "the last word was another node"
        );
    }
}
