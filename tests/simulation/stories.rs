//! The stories: what a pair must live through, and which rule it is that lets it.

use super::data::Millis;
use super::faults::{ByHand, Fault, Timed};
use super::host::Delivery;
use super::scenario::{ANY, Limits, Scenario};
use super::server::Persistence;
use super::setup::{Boot, Setup};
use crate::decide::rule::Rule::*;

fn plain() -> Setup {
    Setup {
        nodes: 2,
        nopreempt: false,
        boot: Boot::ReplicaOfNobody,
        persistence: Persistence::Aof,
        terms: true,
        backlog: 1 << 20,
        copying: 1000,
        keeping: 700,
        writing: 100,
        lag: 50,
        pace: 12,
        loading: [Some(300); 3],
        troubled: 100,
        all_masters: false,
    }
}

fn configured() -> Setup {
    Setup {
        boot: Boot::AsConfigured,
        ..plain()
    }
}

fn at(seconds: f64, lasting: f64, fault: Fault) -> Timed {
    let ticks = |seconds: f64| (seconds * 20.0).round() as Millis * 50;
    Timed {
        at: ticks(seconds),
        until: ticks(seconds + lasting),
        fault,
    }
}

/// Of a sticky pair node 0 begins.
const FIRST: Timed = Timed {
    at: 50,
    until: 8000,
    fault: Fault::StopKeepalived(1),
};

/// All of them.
pub fn all() -> Vec<Scenario> {
    let scenario = |name, shows, setup, faults: &[Timed], limits| Scenario {
        name,
        shows,
        setup,
        faults: faults.to_vec(),
        limits,
    };
    vec![
        scenario(
            "a returning node whose network comes up late does not serve old data",
            &[AloneForLongEnough],
            plain(),
            &[
                at(25.0, 10.0, Fault::Power(0)),
                at(34.0, 12.0, Fault::Isolate(0)),
            ],
            Limits {
                in_files: 15,
                ..ANY
            },
        ),
        scenario(
            "nor does it where its Redis starts as master",
            &[UnknownTakesNoWrites, AloneForLongEnough],
            configured(),
            &[
                at(25.0, 10.0, Fault::Power(0)),
                at(34.0, 12.0, Fault::Isolate(0)),
            ],
            Limits {
                in_files: 15,
                ..ANY
            },
        ),
        scenario(
            "a frozen holder of the VIP catches up from the one that served meanwhile",
            &[MorePastTheFork],
            Setup {
                nopreempt: true,
                terms: false,
                lag: 0,
                ..plain()
            },
            &[FIRST, at(25.1, 8.0, Fault::Freeze(0))],
            Limits { in_files: 5, ..ANY },
        ),
        scenario(
            "a holder of the VIP that was cut off from everybody gives it to the one that served",
            &[ContainedLoses],
            plain(),
            &[at(25.0, 8.0, Fault::Unplug(0))],
            Limits { in_files: 5, ..ANY },
        ),
        scenario(
            "it has the time to keep its few late writes first",
            &[GraceBeforeDropping],
            Setup {
                nopreempt: true,
                keeping: 4000,
                ..plain()
            },
            &[FIRST, at(25.0, 8.0, Fault::Freeze(0))],
            Limits { in_files: 5, ..ANY },
        ),
        scenario(
            "also when they are in a large data set",
            &[BetterWaitsLonger],
            Setup {
                nopreempt: true,
                keeping: 15_000,
                ..plain()
            },
            &[FIRST, at(25.0, 8.0, Fault::Freeze(0))],
            Limits { in_files: 5, ..ANY },
        ),
        scenario(
            "what is read at different moments is no news",
            &[MasterMakesTheHistory],
            Setup {
                pace: 1,
                writing: 50,
                lag: 0,
                ..plain()
            },
            &[at(25.0, 0.0, Fault::KillPrograms(1))],
            Limits {
                moves: 0,
                flips: 0,
                ..ANY
            },
        ),
        scenario(
            "of two cold nodes the empty one does not serve",
            &[LostDiskLoses],
            Setup {
                terms: false,
                ..plain()
            },
            &[
                at(25.0, 5.0, Fault::PowerOfAll),
                at(25.05, 1.0, Fault::EmptyRedis(0)),
                at(25.1, 5.0, Fault::PowerOfAll),
            ],
            Limits { in_files: 5, ..ANY },
        ),
        scenario(
            "of two cold nodes the one that served last serves",
            &[LaterTermWins, BetterIsRaised],
            plain(),
            &[
                at(25.0, 35.0, Fault::Power(0)),
                at(55.0, 5.0, Fault::Power(1)),
            ],
            Limits { in_files: 5, ..ANY },
        ),
        scenario(
            "also when it takes long to load",
            &[LaterTermWins, BetterIsRaised],
            Setup {
                loading: [Some(50), Some(8000), None],
                ..plain()
            },
            &[
                at(25.0, 35.0, Fault::Power(0)),
                at(55.0, 5.0, Fault::Power(1)),
            ],
            Limits { in_files: 5, ..ANY },
        ),
        scenario(
            "of two cold nodes of one reign the master has the last writes",
            &[MakerOfTheTermWins],
            Setup {
                nopreempt: true,
                ..plain()
            },
            &[
                at(20.0, 5.0, Fault::Power(0)),
                at(40.0, 20.0, Fault::SlowStream(0)),
                at(55.0, 5.0, Fault::PowerOfAll),
            ],
            Limits { in_files: 5, ..ANY },
        ),
        scenario(
            "without terms a node that comes back does not take the place of the master",
            &[UnknownLosesToMaster],
            Setup {
                terms: false,
                ..configured()
            },
            &[
                at(25.0, 15.0, Fault::KillRedis(0)),
                at(41.0, 14.0, Fault::StopKeepalived(1)),
            ],
            Limits { in_files: 5, ..ANY },
        ),
        scenario(
            "a replica in sync goes on at once",
            &[MemoryCounts],
            plain(),
            &[at(25.0, 20.0, Fault::KillRedis(0))],
            Limits {
                outage: 8000,
                ..ANY
            },
        ),
        scenario(
            "a node that is behind does not get the VIP back",
            &[BehindIsNotEligible],
            Setup {
                copying: 15_000,
                ..plain()
            },
            &[at(25.0, 5.0, Fault::KillRedis(0))],
            Limits {
                outage: 12_000,
                ..ANY
            },
        ),
        scenario(
            "a node that must take the VIP while it is behind waits for its copy",
            &[SyncedBeforeTakingOver],
            Setup {
                copying: 15_000,
                ..plain()
            },
            &[
                at(25.0, 5.0, Fault::KillRedis(0)),
                at(38.0, 3.0, Fault::StopKeepalived(1)),
            ],
            Limits { in_files: 0, ..ANY },
        ),
        scenario(
            "a redis_master that was never told to end does not take the role without the VIP",
            &[VipDecides],
            Setup {
                nopreempt: true,
                copying: 15_000,
                ..plain()
            },
            &[
                FIRST,
                at(25.0, 2.0, Fault::KillRedis(1)),
                at(31.0, 3.0, Fault::StopKeepalived(0)),
                at(34.0, 30.0, Fault::Notifications(1, Delivery::Lost)),
                at(35.0, 5.0, Fault::Freeze(1)),
            ],
            Limits { moves: 2, ..ANY },
        ),
        scenario(
            "a holder of the VIP whose redis_master was killed gets another one",
            &[HolderMustBeMaster],
            Setup {
                nopreempt: true,
                copying: 15_000,
                ..plain()
            },
            &[
                FIRST,
                at(25.0, 2.0, Fault::KillRedis(1)),
                at(31.0, 40.0, Fault::StopKeepalived(0)),
                at(34.0, 0.0, Fault::KillPrograms(1)),
            ],
            Limits {
                outage: 25_000,
                ..ANY
            },
        ),
        scenario(
            "a replica with more than its restarted master is not wiped by it",
            &[ParkedBeforePromoting, KeptBeforeDropping],
            Setup {
                writing: 50,
                lag: 0,
                ..plain()
            },
            &[
                at(22.0, 40.0, Fault::StopKeepalived(1)),
                at(25.9, 1.5, Fault::Power(0)),
            ],
            ANY,
        ),
        scenario(
            "two masters wait until one of them holds the VIP",
            &[HolderDecidesBetweenMasters],
            Setup {
                nopreempt: true,
                ..plain()
            },
            &[
                FIRST,
                at(25.0, 10.0, Fault::Isolate(1)),
                at(34.0, 14.0, Fault::OtherCheck(0)),
                at(34.0, 14.0, Fault::OtherCheck(1)),
            ],
            Limits { files: 1, ..ANY },
        ),
        scenario(
            "a fresh pair that starts at once does not swap its roles",
            &[SettledBeforeFollowing],
            Setup {
                all_masters: true,
                ..configured()
            },
            &[at(0.05, 0.5, Fault::StopKeepalived(0))],
            Limits { moves: 3, ..ANY },
        ),
        scenario(
            "the role goes to a holder of the VIP whose redis_master hangs",
            &[RoleIsGivenUp],
            plain(),
            &[
                at(20.0, 5.0, Fault::StopKeepalived(0)),
                at(20.0, 50.0, Fault::Notifications(0, Delivery::Hung)),
            ],
            Limits {
                outage: 8000,
                ..ANY
            },
        ),
        scenario(
            "of three cold nodes the one that is still loading is waited for",
            &[UndecidedIsWaitedFor],
            Setup {
                nodes: 3,
                loading: [Some(50), Some(8000), Some(50)],
                ..plain()
            },
            &[
                at(20.0, 40.0, Fault::Power(0)),
                at(25.0, 35.0, Fault::Power(2)),
                at(50.0, 10.0, Fault::Power(1)),
            ],
            Limits { in_files: 5, ..ANY },
        ),
        scenario(
            "of three cold nodes one that comes late is waited for",
            &[MissingMayHaveMore],
            Setup {
                nodes: 3,
                ..plain()
            },
            &[
                at(20.0, 40.0, Fault::Power(1)),
                at(20.0, 40.0, Fault::Power(2)),
                at(50.0, 17.0, Fault::Power(0)),
            ],
            Limits { in_files: 5, ..ANY },
        ),
        scenario(
            "the third node follows the second at once, and has all of it when that dies, too",
            &[OthersAreBroughtAlong],
            Setup {
                nodes: 3,
                lag: 0,
                ..plain()
            },
            &[
                at(25.0, 40.0, Fault::Power(0)),
                at(30.5, 30.0, Fault::KillRedis(1)),
            ],
            Limits {
                outage: 8000,
                in_files: 3,
                ..ANY
            },
        ),
        scenario(
            "a master that says BUSY for a moment is not passed over",
            &[UndecidedIsWaitedFor],
            plain(),
            &[
                at(20.0, 20.0, Fault::SlowStream(1)),
                at(30.0, 2.0, Fault::Busy(0)),
                at(30.0, 10.0, Fault::StopKeepalived(0)),
            ],
            Limits { in_files: 5, ..ANY },
        ),
        scenario(
            "a node that comes back with its ids knows what it lacks",
            &[],
            Setup {
                persistence: Persistence::Rdb,
                ..configured()
            },
            &[at(25.0, 20.0, Fault::KillRedis(0))],
            Limits {
                in_files: 5,
                outage: 8000,
                ..ANY
            },
        ),
        scenario(
            "a replica with the later data is asked",
            &[BetterReplicaIsPromoted],
            plain(),
            &[
                at(21.0, 20.0, Fault::Unplug(0)),
                at(35.0, 3.0, Fault::KillRedis(1)),
                at(36.0, 10.0, Fault::Busy(0)),
            ],
            Limits {
                in_files: 60,
                ..ANY
            },
        ),
        scenario(
            "a Redis that dies again and again does not draw the VIP to and fro",
            &[FlappingIsNotEligible],
            plain(),
            &[0, 1, 2, 3, 4].map(|n| at(20.0 + 11.0 * f64::from(n), 2.5, Fault::KillRedis(0))),
            Limits { moves: 6, ..ANY },
        ),
        scenario(
            "a lone master by hand follows again",
            &[LoneMasterIsWrong],
            plain(),
            &[at(25.0, 1.0, Fault::Hand(1, ByHand::NoOne))],
            Limits {
                outage: 1000,
                in_files: 0,
                ..ANY
            },
        ),
        scenario(
            "a restarted keepalived serves on where the other host is off",
            &[RenamedHistoryIsKnown],
            plain(),
            &[
                at(25.0, 40.0, Fault::Power(1)),
                at(30.0, 0.0, Fault::KillVrrpChild(0)),
            ],
            Limits {
                outage: 8000,
                ..ANY
            },
        ),
        scenario(
            "a replica of nobody follows again",
            &[ReplicaFollowsTheServing, ReplicaOfAnotherIsWrong],
            plain(),
            &[at(25.0, 1.0, Fault::Hand(1, ByHand::OfNobody))],
            Limits {
                outage: 1000,
                in_files: 0,
                ..ANY
            },
        ),
        scenario(
            "a master that went on alone stands beside one that woke later and served meanwhile",
            &[GoingOnBeginsAReign, UnsureKeepsTheNumber],
            plain(),
            &[
                at(22.0, 20.0, Fault::Power(1)),
                at(40.0, 26.0, Fault::Power(0)),
            ],
            Limits {
                in_files: 120,
                ..ANY
            },
        ),
        scenario(
            "of two reigns that began apart the one that knew that it had all stands",
            &[SureOverUnsure],
            plain(),
            &[
                at(22.0, 38.0, Fault::Partition(0, 1)),
                at(26.0, 3.0, Fault::Power(1)),
                at(55.0, 8.0, Fault::Power(0)),
            ],
            Limits {
                in_files: 250,
                ..ANY
            },
        ),
        scenario(
            "the survivor whose term is refused serves on when the old master is back",
            &[ServingStands],
            configured(),
            &[
                at(20.0, 55.0, Fault::RefuseTerms(1)),
                at(25.0, 15.0, Fault::KillRedis(0)),
            ],
            Limits { in_files: 5, ..ANY },
        ),
        scenario(
            "a term that was refused is there before the next cold start",
            &[RefusedTermIsTriedAgain],
            plain(),
            &[
                at(20.0, 30.0, Fault::RefuseTerms(1)),
                at(25.0, 36.0, Fault::Power(0)),
                at(25.0, 2.0, Fault::Power(1)),
                at(58.0, 4.0, Fault::Power(1)),
            ],
            Limits {
                in_files: 25,
                ..ANY
            },
        ),
        scenario(
            "a term that an application has erased is there before the next cold start",
            &[ErasedTermIsPutBack],
            plain(),
            &[
                at(22.0, 0.0, Fault::EraseTerm(0)),
                at(25.0, 37.0, Fault::Power(1)),
                at(55.0, 9.0, Fault::Power(0)),
            ],
            Limits {
                in_files: 15,
                ..ANY
            },
        ),
        scenario(
            "terms never go back",
            &[NumbersAreRemembered],
            plain(),
            &[
                at(15.0, 3.0, Fault::StopKeepalived(0)),
                at(30.0, 20.0, Fault::Power(0)),
                at(40.0, 0.0, Fault::EraseTerm(1)),
                at(40.0, 0.0, Fault::KillVrrpChild(1)),
            ],
            Limits { in_files: 5, ..ANY },
        ),
        scenario(
            "of two cold nodes the one that still has a term stands",
            &[TermOverNone],
            plain(),
            &[
                at(20.0, 55.0, Fault::RefuseTerms(0)),
                at(25.0, 0.0, Fault::EraseTerm(0)),
                at(27.5, 34.5, Fault::Power(0)),
                at(55.0, 9.0, Fault::Power(1)),
            ],
            Limits {
                in_files: 15,
                ..ANY
            },
        ),
        scenario(
            "what was deleted while the other node was away does not come back",
            &[],
            plain(),
            &[
                at(25.0, 15.0, Fault::KillRedis(0)),
                at(35.0, 0.0, Fault::Clear),
            ],
            Limits { in_files: 5, ..ANY },
        ),
        scenario(
            "a node that nobody could write to begins no reign that beats the one that served",
            &[OnlyWritesBeginAReign],
            plain(),
            &[
                at(25.0, 37.0, Fault::Unplug(0)),
                at(45.0, 19.0, Fault::Power(0)),
                at(57.0, 7.0, Fault::Power(1)),
            ],
            Limits {
                in_files: 15,
                ..ANY
            },
        ),
        scenario(
            "a node that was cut off for long does not serve its old data when the master is lost",
            &[OutdatedIsHeld],
            plain(),
            &[
                at(21.0, 119.0, Fault::TcpCut(0, 1)),
                at(110.0, 30.0, Fault::Power(0)),
            ],
            Limits { in_files: 5, ..ANY },
        ),
        scenario(
            "nor does one whose copy was broken off",
            &[OutdatedIsHeld],
            Setup {
                copying: 15_000,
                ..plain()
            },
            &[
                at(21.0, 5.0, Fault::Power(1)),
                at(35.0, 30.0, Fault::Power(0)),
            ],
            Limits { in_files: 5, ..ANY },
        ),
        scenario(
            "a new number does not lift old data above newer",
            &[OldDataBeginsNoReign],
            plain(),
            &[
                at(21.0, 33.0, Fault::Unplug(0)),
                at(50.0, 3.0, Fault::KillRedis(1)),
                at(51.0, 9.0, Fault::OtherCheck(1)),
            ],
            Limits {
                in_files: 180,
                ..ANY
            },
        ),
        scenario(
            "a node whose peer lives and only says no serves in the end",
            &[],
            plain(),
            &[
                at(24.0, 51.0, Fault::Busy(1)),
                at(25.0, 5.0, Fault::Power(0)),
            ],
            Limits {
                outage: 40_000,
                ..ANY
            },
        ),
        scenario(
            "a node in FAULT whose program was killed comes out",
            &[],
            plain(),
            &[
                at(25.0, 10.0, Fault::KillRedis(0)),
                at(30.0, 1.0, Fault::KillPrograms(0)),
            ],
            ANY,
        ),
    ]
}
