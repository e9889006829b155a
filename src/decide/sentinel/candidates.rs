//! The replicas as a sentinel knows them: which one it would promote, and whether that loses
//! anything. Pure.

use std::net::SocketAddr;
use std::time::Duration;

/// A replica that lags keeps a planned move waiting for so long; then Sentinel's own view has to
/// say that it would not choose that one.
const LAGGARD: Duration = Duration::from_secs(5);
/// What a sentinel knows of the offsets is ten seconds old at most, and one second once it holds
/// the master for down.
const STALE: Duration = Duration::from_secs(11);

/// What a sentinel knows of a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub address: SocketAddr,
    /// Connected, and not held for down.
    pub reachable: bool,
    /// How long ago it answered.
    pub heard: Option<Duration>,
    /// How old is what is known of its priority and offset.
    pub looked_at: Option<Duration>,
    /// For how long its link to the master has been down.
    pub link_down: Duration,
    /// The sentinel's `down-after-milliseconds`.
    pub down_after: Duration,
    /// `replica-priority`; 0 is never promoted, less comes first.
    pub priority: u32,
    /// Bytes of the stream that it had at that time.
    pub offset: i64,
    /// Decides where all else is equal.
    pub run_id: String,
}

/// Which replica a sentinel that knows these would promote: the rule of its own
/// `sentinelSelectSlave` (R30). `down`: it holds the master for down.
pub(crate) fn choice(candidates: &[Candidate], down: bool) -> Option<&Candidate> {
    const UNHEARD: Duration = Duration::from_secs(5);
    let looked_at = if down {
        UNHEARD
    } else {
        Duration::from_secs(30)
    };
    let fits = |candidate: &&Candidate| {
        candidate.reachable
            && candidate.priority != 0
            && candidate.heard.is_some_and(|heard| heard <= UNHEARD)
            && candidate.looked_at.is_some_and(|age| age <= looked_at)
            && (down || candidate.link_down <= candidate.down_after.saturating_mul(10))
    };
    candidates.iter().filter(fits).min_by_key(|candidate| {
        (
            candidate.priority,
            std::cmp::Reverse(candidate.offset),
            candidate.run_id.as_str(),
        )
    })
}

/// The master is dead, and a sentinel would promote `chosen`: is it the one with most data?
/// `replicas` are those that follow the dead master, each with its offset, and `waited` is for how
/// long that has been so. A sentinel that is asked at once may not know of the last offsets; what
/// the others have more would be dropped silently.
///
/// # Errors
/// Why not, for a person.
pub(crate) fn is_best(
    chosen: SocketAddr,
    replicas: &[(SocketAddr, i64)],
    waited: Duration,
) -> Result<(), String> {
    let Some((_, has)) = replicas.iter().find(|(node, _)| *node == chosen) else {
        // An ex-master that is not yet its replica is one, too, in Sentinel's view (R33).
        return Err(format!(
            "Sentinel would promote {chosen}, which is no replica of it"
        ));
    };
    match replicas.iter().max_by_key(|(_, offset)| offset) {
        Some((best, most)) if most > has && waited < STALE => {
            let less = most.saturating_sub(*has);
            Err(format!(
                "Sentinel would promote {chosen}, which has {less} bytes less than {best}, until \
                 it looks again"
            ))
        }
        _ => Ok(()),
    }
}

/// Is nothing lost if a sentinel that would promote `chosen` moves the role now? `reached` are the
/// replicas that have all that the master has, `lagging` those that answer and have not; the writes
/// have been waiting to stop for `waited`.
///
/// # Errors
/// Why not, for a person.
pub(crate) fn is_safe(
    chosen: SocketAddr,
    reached: &[SocketAddr],
    lagging: &[SocketAddr],
    waited: Duration,
) -> Result<(), String> {
    if !reached.contains(&chosen) {
        return Err(format!(
            "Sentinel would promote {chosen}, which does not have all data yet"
        ));
    }
    match lagging {
        // What a sentinel knows of offsets may be seconds old, so it may change its mind.
        [first, ..] if waited < LAGGARD => Err(format!(
            "{first} does not have all data yet, and Sentinel may choose it"
        )),
        _ => Ok(()),
    }
}
