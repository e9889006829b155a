//! The rules that the decisions are made of, by name: a test takes out one after the other, and the
//! simulation must come to grief without it.

/// The list of all, for a test that takes out each, is made from the same lines.
macro_rules! rules {
    ($(#[$head:meta])* pub enum Rule { $($(#[$doc:meta])* $name:ident,)* }) => {
        $(#[$head])*
        pub(crate) enum Rule { $($(#[$doc])* $name,)* }

        #[cfg(test)]
        impl Rule {
            pub(crate) const ALL: &'static [Rule] = &[$(Rule::$name,)*];
        }
    };
}

rules! {
/// What each rule says stands in `docs/protocol.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Data that is contained in the other's loses.
    ContainedLoses,
    /// Of one history a master is never behind its replica: the two were only read one after the
    /// other.
    MasterMakesTheHistory,
    /// An empty data set never wins over one with keys.
    EmptyNeverWins,
    /// Where both have gone on past a fork, the one with more bytes stands.
    MorePastTheFork,
    /// Where the ids say nothing, the later term wins.
    LaterTermWins,
    /// Of one term the node that made it was master, and has at least what its replica has.
    MakerOfTheTermWins,
    /// Where ids and terms say nothing, a Redis of which nothing is known loses to a master.
    UnknownLosesToMaster,
    /// What this node remembers of the present run counts where nothing else does.
    MemoryCounts,
    /// A master that has renamed its history since it became one is still the one that it was.
    RenamedHistoryIsKnown,
    /// `redis_master` does nothing while the VIP is at another node.
    VipDecides,
    /// The role is taken from a living master only by a replica that is in sync.
    SyncedBeforeTakingOver,
    /// Before a promotion, and where a restarted Redis finds itself master, a node with better data
    /// is raised instead.
    BetterIsRaised,
    /// What would drop its data for the new master's by itself is made a replica of nobody first.
    ParkedBeforePromoting,
    /// A peer that may yet say more is waited for.
    UndecidedIsWaitedFor,
    /// Nobody answers and nothing is known: not before `alone_after`.
    AloneForLongEnough,
    /// Of three nodes one that does not answer may have more than both others: it is waited for as
    /// if nobody answered.
    MissingMayHaveMore,
    /// Meanwhile a master of unknown worth takes no writes.
    UnknownTakesNoWrites,
    /// Of two masters the one without the VIP waits until one of them holds it.
    HolderDecidesBetweenMasters,
    /// A VIP that has just moved may move back: not followed in the first second.
    SettledBeforeFollowing,
    /// Data that is not contained in the other's is dropped only after the grace: the other may
    /// want to follow us.
    GraceBeforeDropping,
    /// A master whose data is the better one leaves the holder of the VIP more time to follow it,
    /// while a copy is taken there.
    BetterWaitsLonger,
    /// After the grace a master hands its role to the holder of the VIP, whose own program does not
    /// take it.
    RoleIsGivenUp,
    /// With the VIP, a replica that is better than a master which it does not follow is promoted
    /// beside it.
    BetterReplicaIsPromoted,
    /// A replica follows the master that serves, whomever it followed before.
    ReplicaFollowsTheServing,
    /// Whoever moves the role brings a third node along, whose data is contained in the new
    /// master's.
    OthersAreBroughtAlong,
    /// A node that is behind is not eligible.
    BehindIsNotEligible,
    /// A node whose Redis dies again and again is not eligible while another one is well.
    FlappingIsNotEligible,
    /// The holder of the VIP with a replica and no program at work is in FAULT.
    HolderMustBeMaster,
    /// A lone master beside the node that serves is in FAULT.
    LoneMasterIsWrong,
    /// A replica of anything else than the node that serves is in FAULT.
    ReplicaOfAnotherIsWrong,
    /// Data that is not contained in the other's is kept in a file before it is dropped.
    KeptBeforeDropping,
}
}

#[cfg(not(test))]
pub(crate) const fn holds(_rule: Rule) -> bool {
    true
}

#[cfg(test)]
pub(crate) use taken_out::{holds, without};

#[cfg(test)]
mod taken_out {
    use super::Rule;
    use std::cell::Cell;

    thread_local!(static OUT: Cell<Option<Rule>> = const { Cell::new(None) });

    /// Every rule does, but the one that a test has taken out on this thread.
    pub(crate) fn holds(rule: Rule) -> bool {
        OUT.get() != Some(rule)
    }

    /// Does `work` as if there were no such rule.
    pub(crate) fn without<T>(rule: Rule, work: impl FnOnce() -> T) -> T {
        OUT.set(Some(rule));
        let result = work();
        OUT.set(None);
        result
    }
}
