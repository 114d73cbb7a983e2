//! The scenarios as data, one record each: the entries at the start, what each caller does, what goes
//! wrong, and the witnesses. All other facts about a scenario are derived from its record.

use super::Protocol;
use super::Witness::{self, *};
use crate::slugs;
use std::time::Duration;

/// The field report's payload TTL.
pub const PAYLOAD: Duration = Duration::from_secs(5);
/// The field report's storage TTL.
pub const STORAGE: Duration = Duration::from_secs(120);
/// How long a lock of the field report is idle before it is cleaned up.
pub const MINUTE: Duration = Duration::from_secs(60);

/// One thing that a caller does.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// Asks for the key.
    Request,
    /// Asks for the first key; its compute asks for the second.
    Nested(u64, u64),
    /// Invalidates the key.
    Invalidate,
    /// Invalidates all keys.
    InvalidateAll,
    /// Inserts a value of the key.
    Insert,
    /// Inserts a value of a third key.
    Push,
    /// Asks for the key next to the one that the others ask for.
    Other,
    /// Sweeps.
    Sweep,
    /// Shuts the pool down and drops the queued refreshes.
    ShutDown,
    /// Lets this much time pass.
    Tick(Duration),
}

/// The entries at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Absent,
    /// A stale value.
    Stale,
    /// A stale value, and one of the key next to it.
    BothStale,
    /// A value that has expired. Its drop asks for its key.
    Expired,
    /// A fresh value that was inserted just now.
    New,
    /// A fresh value whose compute took a tenth of the payload TTL. With a draw of nearly 0 every
    /// request nominates it.
    Fresh,
}

/// What the origin does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Returns a value.
    Healthy,
    /// Returns an error.
    Fails,
    /// Panics.
    Panics,
    /// Returns an error the first time only.
    FailsOnce,
}

/// Where refreshes run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// On the caller's thread.
    Caller,
    /// On a pool, which is shut down when all callers have returned.
    Pool {
        /// Its threads under `sections`: tasks that are spawned before the callers. Two threads are the
        /// fewest that can overlap. Where two make too many executions, there is one.
        workers: usize,
    },
    /// Nowhere: every job is refused.
    Nothing,
}

/// What each caller does, one act after the other.
#[derive(Clone, Copy, Debug)]
pub enum Roles {
    /// All do the same.
    All(&'static [Act]),
    /// The first caller does one thing, the others another.
    First(&'static [Act], &'static [Act]),
    /// The first two callers have roles of their own.
    FirstTwo(&'static [Act], &'static [Act], &'static [Act]),
    /// Two roles in turn.
    InTurn(&'static [Act], &'static [Act]),
}

impl Roles {
    /// What the caller with this number does, counted from 0.
    pub const fn of(self, caller: usize) -> &'static [Act] {
        match (self, caller) {
            (Self::All(acts) | Self::First(acts, _) | Self::FirstTwo(acts, ..), 0) => acts,
            (Self::FirstTwo(_, acts, _), 1) => acts,
            (Self::All(acts) | Self::First(_, acts) | Self::FirstTwo(_, _, acts), _) => acts,
            (Self::InTurn(even, odd), _) => {
                if caller.is_multiple_of(2) {
                    even
                } else {
                    odd
                }
            }
        }
    }

    /// The role of the caller with this number. Callers of one role do the same.
    pub const fn class(self, caller: usize) -> u32 {
        match (self, caller) {
            (Self::All(_), _) | (_, 0) => 0,
            (Self::InTurn(..), _) => (caller % 2) as u32,
            (Self::First(..), _) | (Self::FirstTwo(..), 1) => 1,
            (Self::FirstTwo(..), _) => 2,
        }
    }

    /// All acts of all roles.
    fn acts(self) -> impl Iterator<Item = Act> {
        (0..3).flat_map(move |caller| self.of(caller).iter().copied())
    }
}

const ASKS: &[Act] = &[Act::Request];

/// The record of one scenario.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// The entries at the start.
    pub before: Before,
    /// What the origin does.
    pub origin: Origin,
    /// Where refreshes run.
    pub runs_on: On,
    /// What each caller does.
    pub roles: Roles,
    /// Whether the wait of a miss may time out, at any moment.
    pub impatient: bool,
    /// Whether the beginning and the end of each compute are sections.
    pub overlaps: bool,
    /// The most keys.
    pub capacity: usize,
    /// Whether the cache has counters. Each count is one more section.
    pub counted: bool,
    /// The storage TTL.
    pub storage: Duration,
    /// How far the coarse time is behind.
    pub lag: Duration,
    /// The shards of the store. One, so that all keys share their locks.
    pub shards: usize,
    /// The threads of the pool in the default configuration, if the scenario has no pool of its own.
    pub default_workers: usize,
    /// The callers up to which the default budget covers every interleaving of the shipped protocol. If
    /// the clock moves or a pool runs, four callers have millions of executions; the deep budget covers
    /// those.
    pub complete_at: usize,
    /// The witnesses that two callers of the shipped protocol have to reach.
    pub witnesses: &'static [Witness],
}

/// The default record: all callers ask at once for one stale key, and the leader refreshes on its own
/// thread.
const ALL_ASK: Setup = Setup {
    before: Before::Stale,
    origin: Origin::Healthy,
    runs_on: On::Caller,
    roles: Roles::All(ASKS),
    impatient: false,
    overlaps: false,
    capacity: usize::MAX,
    counted: false,
    storage: STORAGE,
    lag: Duration::ZERO,
    shards: 1,
    default_workers: 2,
    complete_at: 3,
    witnesses: &[],
};

impl Setup {
    /// The record as it is played. In the default configuration a cache has the executor and the shards that
    /// it has by default.
    pub fn played(scenario: Scenario, protocol: Protocol) -> Self {
        let setup = scenario.setup();
        match setup.runs_on {
            _ if protocol != Protocol::DefaultConfig => setup,
            On::Caller => {
                let runs_on = On::Pool { workers: setup.default_workers };
                Self { runs_on, shards: 16, ..setup }
            }
            On::Pool { .. } | On::Nothing => Self { shards: 16, ..setup },
        }
    }

    /// The threads of its pool.
    pub const fn workers(&self) -> usize {
        match self.runs_on {
            On::Pool { workers } => workers,
            On::Caller | On::Nothing => 0,
        }
    }

    /// Whether a caller, or a compute that takes time, moves the clock while others run.
    pub fn ticks(&self) -> bool {
        self.before == Before::Fresh || self.roles.acts().any(|act| matches!(act, Act::Tick(_)))
    }
}

/// The table of the scenarios.
macro_rules! scenarios {
    ($($Name:ident, $slug:literal, $about:literal, { $($field:ident: $value:expr),* $(,)? };)*) => {
        slugs! {
            /// What happens to the cache.
            Scenario, "scenario",
            $(#[doc = $about] $Name = $slug),*
        }

        impl Scenario {
            /// Its record.
            pub const fn setup(self) -> Setup {
                match self { $(Self::$Name => Setup { $($field: $value,)* ..ALL_ASK }),* }
            }
        }
    };
}

scenarios! {
    Field, "field",
        "All callers ask at once for one stale key, as in the field report.", {
            complete_at: 5,
            witnesses: &[Computed, FoundBusy, SkippedBefore, SkippedInside],
        };
    Pool, "pool",
        "As `field`, with refreshes on a pool of workers; a task shuts the pool down when all callers have returned.", {
            complete_at: 3,
            witnesses: &[Computed, FoundBusy, SkippedBefore],
            runs_on: On::Pool { workers: 2 },
        };
    PoolFail, "pool-fail",
        "As `pool`, and each compute panics on its worker.", {
            complete_at: 3,
            witnesses: &[Failed, FoundBusy, MetBackOff],
            runs_on: On::Pool { workers: 2 },
            origin: Origin::Panics,
        };
    Reject, "reject",
        "As `field`, and the executor refuses every refresh.", {
            complete_at: 4,
            witnesses: &[FoundBusy, WasRejected],
            runs_on: On::Nothing,
        };
    Overlap, "overlap",
        "As `field`, and the start and the end of each compute are sections.", {
            complete_at: 4,
            witnesses: &[Computed, FoundBusy, SkippedBefore, SkippedInside],
            overlaps: true,
        };
    Miss, "miss",
        "All callers ask at once for an absent key.", {
            complete_at: 4,
            witnesses: &[Computed, Missed, Waited],
            before: Before::Absent,
        };
    MissOverlap, "miss-overlap",
        "As `miss`, and the start and the end of each compute are sections.", {
            complete_at: 4,
            witnesses: &[Computed, Missed, Waited],
            before: Before::Absent,
            overlaps: true,
        };
    Impatient, "impatient",
        "As `miss`, and the patience of a waiter may end at any moment.", {
            complete_at: 4,
            witnesses: &[Computed, Missed, Waited, TimedOut, Refused],
            before: Before::Absent,
            impatient: true,
        };
    Fail, "fail",
        "All callers ask for a stale key, and each compute fails.", {
            complete_at: 4,
            witnesses: &[Failed, FoundBusy, MetBackOff],
            origin: Origin::Fails,
        };
    MissFail, "miss-fail",
        "All callers ask for an absent key, and the first compute fails.", {
            complete_at: 4,
            witnesses: &[Failed, Waited, MetBackOff, Refused],
            before: Before::Absent,
            origin: Origin::FailsOnce,
        };
    Panic, "panic",
        "All callers ask for an absent key, and each compute panics.", {
            complete_at: 4,
            witnesses: &[Failed, Waited, MetBackOff, Refused],
            before: Before::Absent,
            origin: Origin::Panics,
        };
    Invalidate, "invalidate",
        "All callers ask for a stale key; the first caller invalidates it before it asks.", {
            complete_at: 4,
            witnesses: &[Computed, Missed, Waited, Discarded],
            roles: Roles::First(&[Act::Invalidate, Act::Request], ASKS),
            overlaps: true,
        };
    InvalidateAbsent, "invalidate-absent",
        "All callers ask for an absent key; the first caller invalidates it before it asks.", {
            complete_at: 3,
            witnesses: &[Computed, Missed, Waited, Discarded],
            before: Before::Absent,
            roles: Roles::First(&[Act::Invalidate, Act::Request], ASKS),
            overlaps: true,
        };
    InvalidateAll, "invalidate-all",
        "All callers ask for an absent key; the first caller invalidates every key before it asks.", {
            complete_at: 3,
            witnesses: &[Computed, Missed, Waited, Discarded],
            before: Before::Absent,
            roles: Roles::First(&[Act::InvalidateAll, Act::Request], ASKS),
            overlaps: true,
        };
    Insert, "insert",
        "All callers ask for a stale key; the first caller inserts a value before it asks.", {
            complete_at: 4,
            witnesses: &[Computed, Discarded, SkippedBefore, SkippedInside],
            roles: Roles::First(&[Act::Insert, Act::Request], ASKS),
            overlaps: true,
        };
    Revoke, "revoke",
        "All callers ask for an absent key; all but the first invalidate it before they ask.", {
            complete_at: 3,
            witnesses: &[Computed, Missed, Waited, Discarded, Revoked],
            before: Before::Absent,
            roles: Roles::First(ASKS, &[Act::Invalidate, Act::Request]),
            overlaps: true,
        };
    RevokeFail, "revoke-fail",
        "All callers ask for an absent key, and the first compute fails; all but the first invalidate the key before they ask.", {
            complete_at: 3,
            witnesses: &[Computed, Missed, Waited, Failed, Revoked],
            before: Before::Absent,
            origin: Origin::FailsOnce,
            roles: Roles::First(ASKS, &[Act::Invalidate, Act::Request]),
            overlaps: true,
        };
    Straggler, "straggler",
        "All callers ask for a stale key; the first caller asks, lets the value grow stale, and asks again, while the others may be descheduled all that time.", {
            complete_at: 3,
            witnesses: &[Computed, FoundBusy, SkippedBefore, SkippedInside],
            roles: Roles::First(&[Act::Request, Act::Tick(PAYLOAD), Act::Request], ASKS),
            default_workers: 1,
        };
    Expire, "expire",
        "All callers ask for a stale key; the first caller lets it expire before it asks.", {
            complete_at: 3,
            witnesses: &[Computed, Missed, Waited],
            roles: Roles::First(&[Act::Tick(STORAGE), Act::Request], ASKS),
        };
    Lag, "lag",
        "The coarse time is a second behind, and no value is stale before it expires. All callers ask for a fresh key; the first caller lets it expire before it asks.", {
            complete_at: 3,
            witnesses: &[HitFresh, Computed, Missed, Waited],
            before: Before::New,
            storage: PAYLOAD,
            lag: Duration::from_secs(1),
            roles: Roles::First(&[Act::Tick(PAYLOAD), Act::Request], ASKS),
        };
    Nominate, "nominate",
        "All callers ask for a fresh key, and each of them nominates it for an early refresh.", {
            complete_at: 3,
            witnesses: &[Nominated, Computed, FoundBusy, SkippedBefore, SkippedInside],
            before: Before::Fresh,
        };
    Cycle, "cycle",
        "Two keys are absent, and the compute of each asks for the other.", {
            complete_at: 4,
            witnesses: &[MetCycle, Waited, Refused],
            before: Before::Absent,
            roles: Roles::FirstTwo(&[Act::Nested(7, 8)], &[Act::Nested(8, 7)], ASKS),
        };
    Sweep, "sweep",
        "All callers ask for a stale key whose first compute fails; the first caller lets everything expire and sweeps before it asks.", {
            complete_at: 3,
            witnesses: &[Swept, Forgotten, Failed, Computed, Missed, Waited],
            origin: Origin::FailsOnce,
            roles: Roles::First(&[Act::Tick(STORAGE), Act::Sweep, Act::Request], ASKS),
            overlaps: true,
        };
    Cleanup, "cleanup",
        "All callers ask for a stale key; the first caller lets a minute pass and sweeps before it asks.", {
            complete_at: 3,
            witnesses: &[Computed, FoundBusy, SkippedBefore, SkippedInside],
            roles: Roles::First(&[Act::Tick(MINUTE), Act::Sweep, Act::Request], ASKS),
            overlaps: true,
            default_workers: 1,
        };
    Retry, "retry",
        "All callers ask for a stale key whose first compute fails; the first caller asks, lets the back-off pass, and asks again.", {
            complete_at: 3,
            witnesses: &[Failed, Computed, FoundBusy, MetBackOff],
            origin: Origin::FailsOnce,
            roles: Roles::First(&[Act::Request, Act::Tick(PAYLOAD), Act::Request], ASKS),
            overlaps: true,
            default_workers: 1,
        };
    Crowd, "crowd",
        "The cache has room for one key, and every other caller asks for a second key.", {
            complete_at: 4,
            witnesses: &[Evicted, Computed, Missed],
            capacity: 1,
            roles: Roles::InTurn(ASKS, &[Act::Other]),
        };
    Shutdown, "shutdown",
        "Refreshes run on a pool; the first caller asks, then shuts the pool down and drops the refreshes that wait.", {
            complete_at: 3,
            witnesses: &[Computed, WasRejected, Dropped],
            runs_on: On::Pool { workers: 1 },
            roles: Roles::First(&[Act::Request, Act::ShutDown], ASKS),
        };
    Queue, "queue",
        "Refreshes run on a pool of one thread; the first caller asks for the stale key and then invalidates it, while its refresh may still wait for the thread; the others ask.", {
            complete_at: 3,
            witnesses: &[TakenOver, Computed, Missed],
            runs_on: On::Pool { workers: 1 },
            roles: Roles::First(&[Act::Request, Act::Invalidate], ASKS),
        };
    Nested, "nested",
        "Refreshes run on a pool of one thread; the first caller's compute asks for a second key, which another caller asks for and drives out of the full cache while its refresh waits for that thread.", {
            complete_at: 3,
            witnesses: &[TakenOver, Computed, Missed],
            before: Before::BothStale,
            capacity: 2,
            runs_on: On::Pool { workers: 1 },
            roles: Roles::FirstTwo(&[Act::Nested(8, 7)], &[Act::Request, Act::Push], &[Act::Other]),
        };
    Drops, "drops",
        "All callers ask for a key whose expired value asks for it again when it is dropped; the second caller drives the new value out of the full cache.", {
            complete_at: 3,
            witnesses: &[Computed, Missed, Evicted],
            before: Before::Expired,
            capacity: 1,
            roles: Roles::FirstTwo(ASKS, &[Act::Push], ASKS),
        };
    Counted, "counted",
        "As `field`, with counters.", {
            complete_at: 3,
            witnesses: &[Computed, FoundBusy, SkippedBefore, SkippedInside],
            counted: true,
        };
}

impl Scenario {
    /// The witnesses that two callers of the shipped protocol have to reach.
    pub const fn witnesses(self) -> &'static [Witness] {
        self.setup().witnesses
    }

    /// The callers up to which the default budget covers every interleaving of the shipped protocol.
    pub const fn complete_at(self) -> usize {
        self.setup().complete_at
    }

    /// Whether a search of four callers with symmetry ends in seconds, though one without it does not.
    pub const fn four_by_symmetry(self) -> bool {
        matches!(
            self,
            Self::PoolFail
                | Self::InvalidateAll
                | Self::Lag
                | Self::Nominate
                | Self::Retry
                | Self::Shutdown
                | Self::Counted
                | Self::Drops
        )
    }

    /// The workers of its pool, under `sections`.
    pub fn workers(self, protocol: Protocol) -> usize {
        Setup::played(self, protocol).workers()
    }

    /// The most preemptions of loom's search with two callers, if it needs a bound. If the clock moves,
    /// each look at it is one more section. A pool is two more threads. Without a bound a million
    /// executions would not be all of them.
    pub fn loom_preemptions(self) -> Option<usize> {
        let setup = self.setup();
        match setup.runs_on {
            _ if setup.ticks() => Some(3),
            On::Pool { .. } => Some(2),
            On::Caller | On::Nothing => None,
        }
    }

    /// Whether loom can reach the scenario's witnesses: its waits never time out.
    pub const fn on_loom(self) -> bool {
        !self.setup().impatient
    }

    /// Whether a caller writes the key, which revokes its lease.
    pub fn revokes(self) -> bool {
        let writes = |act| matches!(act, Act::Invalidate | Act::InvalidateAll | Act::Insert);
        self.setup().roles.acts().any(writes)
    }

    /// Whether another task than the holder of a lease writes or moves the clock.
    pub fn has_other_writers(self) -> bool {
        let setup = self.setup();
        let writes = |act| {
            matches!(
                act,
                Act::Invalidate | Act::InvalidateAll | Act::Insert | Act::Push | Act::Sweep
            )
        };
        setup.ticks() || setup.capacity != usize::MAX || setup.roles.acts().any(writes)
    }
}
