//! The kinds of faults.

use super::plan::Victim;

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `kill -9`; started again at the end.
    KillRedis,
    /// A clean stop; started again at the end.
    StopRedis,
    /// `kill -9`, and started again at once.
    RestartRedis,
    /// SIGSTOP; SIGCONT at the end.
    HangRedis,
    /// Killed, its files removed, started again at once.
    EmptyRedis,
    /// `kill -9` of parent and child; started again as the unit says.
    KillKeepalived,
    /// `kill -9` of the VRRP process; its parent starts another.
    KillVrrpChild,
    /// A clean stop; started again at the end.
    StopKeepalived,
    /// The power goes, and is back at the end.
    PowerLoss,
    /// The same, its network 3 s later than its keepalived.
    LateNetwork,
    /// The power of both goes; at the end one is back, and some seconds later the other.
    ColdStart,
    /// Every process of the host stops; all go on at the end.
    Freeze,
    /// The cable is pulled out; it is back at the end.
    CableOut,
    /// The two hosts don't reach each other; the client reaches both.
    Partition,
    /// A few megabits a second.
    SlowLink,
    /// A person: `SLAVEOF NO ONE` on the replica.
    HandNoOne,
    /// A person: replica of itself.
    HandSelf,
    /// A person: replica of the virtual IP.
    HandVip,
    /// A person: replica of an address where nobody is.
    HandDead,
    /// A person: two replicas of each other.
    HandMutual,
    /// Each program that is at work gets SIGKILL, a moment after it was seen.
    KillPrograms,
    /// A program that is at work gets SIGSTOP, and SIGCONT at the end.
    FreezeProgram,
    /// An edit breaks the configuration; repaired at the end.
    BreakConfig,
    /// A file of the memory gets random bytes.
    DamageMemory,
    /// The memory can't be written.
    ReadOnlyMemory,
    /// The memory's directory is away; at the end it is back, or not.
    RemoveMemory,
    /// `CONFIG REWRITE` fails.
    ReadOnlyRedisConf,
    /// `FUNCTION FLUSH`: the term is gone, and what the client had loaded.
    TermErased,
    /// No term can be written, nor read: the ACL forbids it.
    TermRefused,
    /// TCP between the hosts, and to the virtual IP, gets lost; VRRP gets through.
    TcpCut,
    /// Redis wants another password than it did, or offers another to its master.
    WrongPassword,
    /// Redis can write no snapshot, and finds out at once: writes are refused (MISCONF).
    NoDisk,
    /// A script that never ends (BUSY); killed at the end.
    EndlessScript,
    /// The replica has lost its data and copies slowly; at the end the master is killed, and some
    /// time later it is back.
    LostInCopy,
    /// Redis dies again and again soon after it was started.
    CrashLoop,
    /// A person: `SLAVEOF` on both, each of something.
    HandBoth,
    /// The client flushes all that there is, and does nothing more until the end.
    Emptied,
}

/// What may overlap what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A person's, who drops what he drops: only on a settled pair, and nothing moves beside it.
    Hand,
    /// Changes nothing by itself.
    Quiet,
    /// Everything else.
    Loud,
}

/// What a fault is done to: two faults of the same part would only undo each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The Redis process.
    Redis,
    /// keepalived's processes.
    Keepalived,
    /// The whole machine.
    Machine,
    /// What is between the machines.
    Network,
    /// Something that no other fault touches.
    Own(Kind),
}

use Kind::*;

impl Kind {
    /// All of them, each with how often it is taken.
    pub const ALL: [(Kind, u64); 27] = [
        (KillRedis, 5),
        (StopRedis, 4),
        (RestartRedis, 5),
        (HangRedis, 5),
        (EmptyRedis, 3),
        (KillKeepalived, 4),
        (KillVrrpChild, 4),
        (StopKeepalived, 4),
        (PowerLoss, 5),
        (LateNetwork, 4),
        (ColdStart, 3),
        (Freeze, 5),
        (CableOut, 3),
        (Partition, 6),
        (SlowLink, 3),
        (HandNoOne, 3),
        (HandSelf, 3),
        (HandVip, 3),
        (HandDead, 3),
        (HandMutual, 3),
        (KillPrograms, 6),
        (FreezeProgram, 5),
        (BreakConfig, 2),
        (DamageMemory, 3),
        (ReadOnlyMemory, 2),
        (RemoveMemory, 2),
        (ReadOnlyRedisConf, 2),
    ];

    /// All of them, and those that only a wide campaign has.
    pub fn wide() -> Vec<(Kind, u64)> {
        Kind::ALL.into_iter().chain(Kind::MORE).collect()
    }

    /// Only in a wide campaign: other plans stay what they are for their seeds.
    const MORE: [(Kind, u64); 10] = [
        (TermErased, 5),
        (TermRefused, 5),
        (TcpCut, 6),
        (WrongPassword, 5),
        (NoDisk, 5),
        (EndlessScript, 5),
        (LostInCopy, 6),
        (CrashLoop, 5),
        (HandBoth, 4),
        (Emptied, 12),
    ];

    /// For the lines and the summary.
    pub fn name(self) -> &'static str {
        match self {
            KillRedis => "kill redis",
            StopRedis => "stop redis",
            RestartRedis => "restart redis",
            HangRedis => "hang redis",
            EmptyRedis => "restart redis empty",
            KillKeepalived => "kill keepalived",
            KillVrrpChild => "kill the VRRP child",
            StopKeepalived => "stop keepalived",
            PowerLoss => "power loss",
            LateNetwork => "power loss, late network",
            ColdStart => "cold start",
            Freeze => "freeze",
            CableOut => "cable out",
            Partition => "partition",
            SlowLink => "slow link",
            HandNoOne => "by hand: no one",
            HandSelf => "by hand: of itself",
            HandVip => "by hand: of the VIP",
            HandDead => "by hand: of the dead",
            HandMutual => "by hand: of each other",
            KillPrograms => "kill programs",
            FreezeProgram => "freeze a program",
            BreakConfig => "broken config",
            DamageMemory => "damaged memory",
            ReadOnlyMemory => "read-only memory",
            RemoveMemory => "memory away",
            ReadOnlyRedisConf => "read-only redis.conf",
            TermErased => "term erased",
            TermRefused => "term refused",
            TcpCut => "TCP cut, VRRP goes on",
            WrongPassword => "wrong password",
            NoDisk => "no disk",
            EndlessScript => "endless script",
            LostInCopy => "master lost in a copy",
            CrashLoop => "crash loop",
            HandBoth => "by hand: both of something",
            Emptied => "emptied by the client",
        }
    }

    /// Whether it has an end of its own.
    pub fn lasts(self) -> bool {
        !matches!(
            self,
            RestartRedis
                | EmptyRedis
                | KillVrrpChild
                | KillKeepalived
                | DamageMemory
                | TermErased
                | HandBoth
        ) && (self.class() != Class::Hand || matches!(self, LostInCopy | NoDisk))
    }

    /// What may overlap it.
    pub fn class(self) -> Class {
        match self {
            HandNoOne | HandSelf | HandVip | HandDead | HandMutual | EmptyRedis | HandBoth
            | LostInCopy | NoDisk => Class::Hand,
            TermErased | TermRefused | Emptied | KillPrograms | FreezeProgram | BreakConfig
            | DamageMemory | ReadOnlyMemory | RemoveMemory | ReadOnlyRedisConf | SlowLink => {
                Class::Quiet
            }
            _ => Class::Loud,
        }
    }

    /// What it is done to.
    pub fn part(self) -> Part {
        match self {
            KillRedis | StopRedis | RestartRedis | HangRedis | EmptyRedis | EndlessScript
            | LostInCopy | CrashLoop | WrongPassword | NoDisk => Part::Redis,
            KillKeepalived | KillVrrpChild | StopKeepalived => Part::Keepalived,
            PowerLoss | LateNetwork | ColdStart => Part::Machine,
            Partition | CableOut | TcpCut => Part::Network,
            other => Part::Own(other),
        }
    }

    /// Redis ends, and what only its memory has is gone.
    pub fn ends_redis(self) -> bool {
        matches!(self.part(), Part::Machine)
            || matches!(
                self,
                KillRedis | StopRedis | RestartRedis | EmptyRedis | LostInCopy | CrashLoop
            )
    }

    /// Whom it may befall, and how often.
    pub fn victims(self) -> &'static [(Victim, u64)] {
        use Victim::{Both, Other, Serving};
        match self {
            HandNoOne => &[(Other, 1)],
            HandMutual => &[(Serving, 1)],
            HandSelf | HandVip | HandDead | EmptyRedis => &[(Serving, 1), (Other, 1)],
            Partition | TcpCut => &[(Both, 1)],
            TermErased | LostInCopy | HandBoth | Emptied => &[(Serving, 1)],
            WrongPassword | NoDisk | EndlessScript | CrashLoop => &[(Serving, 1), (Other, 1)],
            // Of the two this one boots first.
            ColdStart => &[(Serving, 1), (Other, 1)],
            KillPrograms | BreakConfig | ReadOnlyRedisConf => {
                &[(Serving, 2), (Other, 2), (Both, 2)]
            }
            KillKeepalived | StopKeepalived => &[(Serving, 6), (Other, 3), (Both, 1)],
            _ => &[(Serving, 5), (Other, 3), (Both, 1)],
        }
    }
}
