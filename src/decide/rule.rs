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
    /// Where the ids prove nothing, the later term wins.
    LaterTermWins,
    /// Of two reigns that began apart, the one whose maker knew that it had all wins.
    SureOverUnsure,
    /// Where both have gone on past a known fork and the terms say nothing, the one with more bytes
    /// stands.
    MorePastTheFork,
    /// Whoever serves is not overridden by a newcomer on anything weaker than the ids or a term.
    ServingStands,
    /// Data with a term wins over data without one.
    TermOverNone,
    /// A Redis without keys and without a term has lost its disk, and loses to one with keys.
    LostDiskLoses,
    /// Of one term the node that made it was master, and has at least what its replica has.
    MakerOfTheTermWins,
    /// Where ids and terms say nothing, a Redis of which nothing is known loses to a master.
    UnknownLosesToMaster,
    /// A reign that is begun without knowing whether the data is the newest keeps its number, and
    /// counts beside it.
    UnsureKeepsTheNumber,
    /// A sure reign is above all numbers that this node remembers, too.
    NumbersAreRemembered,
    /// A master that goes on without a node that had shared its data begins a new reign.
    GoingOnBeginsAReign,
    /// It does so only when clients have written since: one that nobody reaches begins nothing.
    OnlyWritesBeginAReign,
    /// It does so only where no node is known to have later data.
    OldDataBeginsNoReign,
    /// A term that Redis has refused is written as soon as it can be.
    RefusedTermIsTriedAgain,
    /// A term that was erased is put back.
    ErasedTermIsPutBack,
    /// A node that knows whose data is newer does not serve by itself while that one is away.
    OutdatedIsHeld,
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
