//! The names of scenarios and protocols: their one home.

use std::fmt;
use std::str::FromStr;

/// Calls `$then!` with every protocol: type, slug, phase of the field report, the report's count of
/// computes, the steps in which it differs, which invariants it is written to violate in which scenarios, and what it does
/// differently.
macro_rules! for_each_protocol {
    ($then:ident) => {
        $then! {
            NoLock, "no-lock", "1", "100", [Lease],
                [Field: OneComputePerWindow, Overlap: OneInFlight, Overlap: OneLeasePerKey],
                "a lease that excludes nobody";
            LockOnly, "lock-only", "2", "about 20", [RecheckBefore, RecheckInside], [Field: NoWastedCompute],
                "neither re-check";
            BeforeOnly, "before-only", "3", "about 16", [RecheckInside], [Field: NoWastedCompute],
                "no re-check under the lease";
            DoubleRecheck, "double-recheck", "4", "1", [], [],
                "what ships";
            InsideOnly, "inside-only", "", "", [RecheckBefore], [Field: RefreshedInTimeTakesNoLease],
                "no re-check before the lease: as few computes, but it touches leases in vain";
            ReleaseBeforePublish, "release-before-publish", "", "", [Finish], [Field: OneComputePerWindow],
                "the lease is free before the value is in the map";
            AlwaysSkip, "always-skip", "", "0", [RecheckInside], [Field: RefreshMakesProgress],
                "the re-check under the lease always says that there is nothing to do";
            CapturedRecheck, "captured-recheck", "", "", [RecheckInside], [Field: NoWastedCompute],
                "the re-check under the lease judges the entry that the look captured";
            AlwaysLock, "always-lock", "", "", [Look], [Field: FreshTakesNoLease],
                "what is fresh takes the lease, too";
            ErrorOnStale, "error-on-stale", "", "", [Dispatch, Settle], [Fail: StaleNeverWaits],
                "a stale request that refreshes goes home with what its refresh has come to";
            WaitOnStale, "wait-on-stale", "", "", [Lease], [Field: StaleNeverWaits],
                "a stale request waits for the lease as a miss does";
            MissUnchecked, "miss-unchecked", "", "", [RecheckInside], [Miss: NoWastedCompute],
                "the re-check under the lease is for who saw an entry: a miss that has the lease computes";
            MissesComputeAlone, "misses-compute-alone", "", "", [LeaseForMiss], [Miss: MissSingleFlight],
                "every miss has a lease of its own";
            LeaseLeaksOnFailure, "lease-leaks-on-failure", "", "", [Finish],
                [MissFail: NoWaiterLeftBehind, Panic: NoWaiterLeftBehind, Fail: LeaseAlwaysReleased],
                "the lease of a compute that failed or panicked is forgotten";
            UnfencedPublish, "unfenced-publish", "", "", [Finish],
                [Invalidate: InvalidationWins, InvalidateAbsent: InvalidationWins,
                 InvalidateAll: InvalidationWins, Insert: VersionsNeverRegress],
                "what was computed is published, whatever came between";
            ServeExpired, "serve-expired", "", "", [Look], [Expire: NeverServeExpired],
                "the look takes no notice of the storage deadline";
            ServeAsLooked, "serve-as-looked", "", "", [Settle], [Expire: NeverServeExpired],
                "a stale request goes home with what its look saw, however long its own compute took";
            NoBackOff, "no-backoff", "", "", [Finish], [Fail: FailuresBackOff, MissFail: FailuresBackOff],
                "a failure is forgotten at once";
            ReleaseOnQueue, "release-on-queue", "", "", [Dispatch], [Pool: OneComputePerWindow, Pool: OneLeasePerKey],
                "the lease is released once the refresh is queued";
            LeaseLeaksOnRejection, "lease-leaks-on-rejection", "", "", [Dispatch], [Reject: LeaseAlwaysReleased],
                "a refresh that is refused is forgotten, and its lease with it";
            RedrawRecheck, "redraw-recheck", "", "", [RecheckInside], [Nominate: NominationAtMostOnce],
                "the re-check under the lease draws again";
            NoRecursionCheck, "no-recursion-check", "", "", [LeaseForMiss], [Cycle: NoDeadlock],
                "a compute that waits for another one does not ask whom that waits for";
            NeverRetire, "never-retire", "", "", [Retires], [Field: LockTableDrains],
                "a release leaves its slot to the sweeper";
            RetireByRefcount, "retire-by-refcount", "", "", [Retires], [Miss: LockTableDrains],
                "a release retires its slot only if nobody else refers to it";
            SweepByAge, "sweep-by-age", "", "", [Sweeps], [Sweep: OneInFlight, Sweep: OneLeasePerKey],
                "the sweeper takes slots away that were not taken for a minute, in use or not";
            SweepIdle, "sweep-idle", "", "", [Lease, Release, Sweep], [Cleanup: OneInFlight, Cleanup: OneLeasePerKey],
                "the sweeper takes locks away that nobody holds or has looked up for a minute; a lock is looked \
                 up in one step and taken in another";
            RetireAtRelease, "retire-at-release", "", "", [Lease, Release],
                [Retry: OneInFlight, Retry: OneLeasePerKey, Retry: FailuresBackOff],
                "the key's lock is removed once it is released, whichever lock that is by then; a lock is \
                 looked up in one step and taken in another";
            LockOnlyRemoved, "lock-only-removed", "", "", [RecheckBefore, Lease, RecheckInside, Release], [Field: NoWastedCompute],
                "lock-only and retire-at-release at once";
            LockOnlyKept, "lock-only-kept", "", "", [RecheckBefore, Lease, RecheckInside], [Field: NoWastedCompute],
                "lock-only, and a lock is looked up in one step and taken in another";
            BeforeOnlyRemoved, "before-only-removed", "", "", [Lease, RecheckInside, Release], [Field: NoWastedCompute],
                "before-only and retire-at-release at once";
            BeforeOnlyKept, "before-only-kept", "", "", [Lease, RecheckInside], [Field: NoWastedCompute],
                "before-only, and a lock is looked up in one step and taken in another";
            ReleaseWithoutNotify, "release-without-notify", "", "", [LeaseForMiss, Release], [Miss: NoWaiterLeftBehind],
                "who waits for a lock is not woken when it is free";
            SweepNothing, "sweep-nothing", "", "", [Sweep], [Field: BoundedMemory],
                "what has expired stays until somebody asks for it";
            EvictNothing, "evict-nothing", "", "", [Room], [Crowd: BoundedMemory],
                "a cache that is full takes new keys all the same";
            LeaseLeaksOnDrop, "lease-leaks-on-drop", "", "", [Dispatch], [Shutdown: ShutdownDrains],
                "the lease is released by the refresh, and not by what carries it";
            WaitForQueued, "wait-for-queued", "", "", [Takeover], [Nested: NoWaiterLeftBehind],
                "a miss waits for a refresh that waits for a thread";
            TakeOverAll, "take-over-all", "", "", [Takeover], [Overlap: OneInFlight, Miss: MissSingleFlight],
                "a miss takes over what is being computed, too";
            BeginUnasked, "begin-unasked", "", "", [Begins], [Queue: OneComputePerWindow],
                "a refresh that was taken over computes all the same";
            CountTwice, "count-twice", "", "", [RecheckBefore], [Counted: MetricsBalance],
                "the re-check before the lease is counted as if it were another request";
            AsBuilt, "as-built", "", "", [], [],
                "what ships, on the executor and the shards that it has unless told otherwise";
        }
    };
}

/// A name was asked for that nothing has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// What was to be named: "protocol", "scenario", ...
    pub kind: &'static str,
    /// What was asked for.
    pub name: String,
    /// What there is.
    pub known: Vec<&'static str>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown {} {:?}; known: {}", self.kind, self.name, self.known.join(", "))
    }
}

impl std::error::Error for Unknown {}

/// An enum whose values have slugs, and their documentation as text.
macro_rules! slugs {
    ($(#[$doc:meta])* $Name:ident, $kind:literal,
     $($(#[doc = $about:expr])* $Value:ident = $slug:literal),* $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $Name { $($(#[doc = $about])* $Value),* }

        impl $Name {
            /// All of them, in the order of the tables.
            pub const ALL: &'static [Self] = &[$(Self::$Value),*];

            /// The name that people type and read.
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$Value => $slug),* }
            }

            /// What it means, in a sentence or two.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$Value => concat!($($about),*).trim_ascii()),* }
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.slug())
            }
        }

        impl FromStr for $Name {
            type Err = $crate::catalogue::Unknown;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                let known = || Self::ALL.iter().map(|value| value.slug());
                Self::ALL.iter().copied().find(|value| value.slug() == name)
                    .ok_or_else(|| $crate::catalogue::Unknown {
                    kind: $kind, name: name.into(), known: known().collect(),
                })
            }
        }
    };
}

slugs! {
    /// What must stay true. The register is `docs/INVARIANTS.md`.
    Invariant, "invariant",
    /// At most one compute is started per staleness window, and one more for each that failed.
    OneComputePerWindow = "one-compute-per-window",
    /// Every compute started saw an entry that still needed it.
    NoWastedCompute = "no-wasted-compute",
    /// No two computes of a key run at the same time.
    OneInFlight = "one-in-flight",
    /// A request that finds a stale value goes home with it and waits for nobody.
    StaleNeverWaits = "stale-never-waits",
    /// A request that finds a fresh value touches no lease.
    FreshTakesNoLease = "fresh-takes-no-lease",
    /// A request whose key was refreshed between its look and its lease takes no lease.
    RefreshedInTimeTakesNoLease = "refreshed-in-time-takes-no-lease",
    /// No request that looks after an invalidation or an insert gets what was computed from before.
    InvalidationWins = "invalidation-wins",
    /// Versions of a key grow, and what replaces a value was begun after it.
    VersionsNeverRegress = "versions-never-regress",
    /// Nothing is served past its storage deadline.
    NeverServeExpired = "never-serve-expired",
    /// No two leases of a key are held at the same time.
    OneLeasePerKey = "one-lease-per-key",
    /// At rest no lease is held.
    LeaseAlwaysReleased = "lease-always-released",
    /// At rest one more request on a stale or absent key starts exactly one compute and leaves it
    /// fresh.
    RefreshMakesProgress = "refresh-makes-progress",
    /// Of the requests that find a key absent, one computes and the others get what it computed.
    MissSingleFlight = "miss-single-flight",
    /// Nobody waits for a lease that nobody will release.
    NoWaiterLeftBehind = "no-waiter-left-behind",
    /// A key whose compute has failed is not computed before its back-off has ended.
    FailuresBackOff = "failures-back-off",
    /// A request nominates at most one version, and draws no second time.
    NominationAtMostOnce = "nomination-at-most-once",
    /// Computes that need each other's keys end, with an error.
    NoDeadlock = "no-deadlock",
    /// At rest the lease table has a slot for each key whose last compute failed, and no other.
    LockTableDrains = "lock-table-drains",
    /// There are never more keys than the capacity, and once everything is past its time a sweep leaves
    /// nothing.
    BoundedMemory = "bounded-memory",
    /// A pool that was shut down runs nothing any more, and no lease is left with it.
    ShutdownDrains = "shutdown-drains",
    /// At rest the counters say what has happened, and balance.
    MetricsBalance = "metrics-balance",
    /// No panic of the cache's own.
    NoPanic = "no-panic",
}

slugs! {
    /// What happens to the cache.
    Scenario, "scenario",
    /// The field report's: all callers at once on one stale key.
    Field = "field",
    /// The same; refreshes run on a pool of workers, which a task shuts down when all are home.
    Pool = "pool",
    /// The same; the computes panic on their workers.
    PoolFail = "pool-fail",
    /// The same; every refresh is refused.
    Reject = "reject",
    /// The same as the first, where the beginnings and ends of computes are sections.
    Overlap = "overlap",
    /// All callers at once on an absent key.
    Miss = "miss",
    /// The same, where the beginnings and ends of computes are sections.
    MissOverlap = "miss-overlap",
    /// All callers on an absent key; the patience of who waits may end at any moment.
    Impatient = "impatient",
    /// All callers on a stale key whose computes fail.
    Fail = "fail",
    /// All callers on an absent key whose first compute fails.
    MissFail = "miss-fail",
    /// All callers on an absent key whose computes panic.
    Panic = "panic",
    /// All callers on a stale key; the first one invalidates it before it asks.
    Invalidate = "invalidate",
    /// All callers on an absent key; the first one invalidates it before it asks.
    InvalidateAbsent = "invalidate-absent",
    /// All callers on an absent key; the first one invalidates all keys before it asks.
    InvalidateAll = "invalidate-all",
    /// All callers on a stale key; the first one inserts a value before it asks.
    Insert = "insert",
    /// All callers on a stale key; the first one asks, lets the value grow stale, and asks again,
    /// while any other may be descheduled across all of it.
    Straggler = "straggler",
    /// All callers on a stale key; the first one lets it expire before it asks.
    Expire = "expire",
    /// All callers on a fresh key that each of them nominates for an early refresh.
    Nominate = "nominate",
    /// Two absent keys whose computes need each other.
    Cycle = "cycle",
    /// All callers on a stale key whose first compute fails; the first caller lets everything expire and
    /// sweeps before it asks.
    Sweep = "sweep",
    /// All callers on a stale key; the first one lets a minute pass and sweeps before it asks.
    Cleanup = "cleanup",
    /// All callers on a stale key whose first compute fails; the first caller asks, lets the back-off pass,
    /// and asks again.
    Retry = "retry",
    /// A cache with room for one key: every other caller asks for a second one.
    Crowd = "crowd",
    /// Refreshes run on a pool that the first caller shuts down after its request, dropping what waits.
    Shutdown = "shutdown",
    /// Refreshes run on a pool of one thread. The first caller asks for the stale key and invalidates it,
    /// while its refresh may still wait for the thread; the others ask.
    Queue = "queue",
    /// Refreshes run on a pool of one thread. The first caller's compute asks for the key that the second
    /// one asks for and invalidates, while its refresh waits for the very thread.
    Nested = "nested",
    /// The field report's, with counters.
    Counted = "counted",
}

slugs! {
    /// Something that a model has to have reached, or it has not looked.
    Witness, "witness",
    /// A compute was started.
    Computed = "computed",
    /// A stale request found the lease taken.
    FoundBusy = "found-busy",
    /// A re-check before the lease found the key refreshed.
    SkippedBefore = "skipped-before",
    /// A re-check under the lease found the key refreshed.
    SkippedInside = "skipped-inside",
    /// A miss waited for another request's compute.
    Waited = "waited",
    /// The patience of a miss ended.
    TimedOut = "timed-out",
    /// A compute failed.
    Failed = "failed",
    /// A request met a back-off.
    MetBackOff = "met-back-off",
    /// A value that was overtaken was discarded.
    Discarded = "discarded",
    /// A request went home with an error.
    Refused = "refused",
    /// A request found nothing.
    Missed = "missed",
    /// A request nominated a version.
    Nominated = "nominated",
    /// A request would have closed a cycle.
    MetCycle = "met-cycle",
    /// A refresh was refused.
    WasRejected = "was-rejected",
    /// An entry made room for another key.
    Evicted = "evicted",
    /// An expired entry was swept.
    Swept = "swept",
    /// The failures of a key were forgotten.
    Forgotten = "forgotten",
    /// A refresh was dropped before it ran.
    Dropped = "dropped",
    /// A refresh came too late: a miss had taken its lease over.
    TakenOver = "taken-over",
}

impl Scenario {
    /// What has to be reached with two callers of what ships.
    pub const fn witnesses(self) -> &'static [Witness] {
        use Witness::*;
        match self {
            Self::Field | Self::Overlap | Self::Straggler => {
                &[Computed, FoundBusy, SkippedBefore, SkippedInside]
            }
            Self::Pool => &[Computed, FoundBusy, SkippedBefore],
            Self::PoolFail => &[Failed, FoundBusy, MetBackOff],
            Self::Reject => &[FoundBusy, WasRejected],
            Self::Miss | Self::MissOverlap => &[Computed, Missed, Waited],
            Self::Impatient => &[Computed, Missed, Waited, TimedOut, Refused],
            Self::Fail => &[Failed, FoundBusy, MetBackOff],
            Self::MissFail | Self::Panic => &[Failed, Waited, MetBackOff, Refused],
            Self::Invalidate | Self::InvalidateAbsent | Self::InvalidateAll => {
                &[Computed, Missed, Waited, Discarded]
            }
            Self::Insert => &[Computed, Discarded, SkippedBefore, SkippedInside],
            Self::Expire => &[Computed, Missed, Waited],
            Self::Nominate => &[Nominated, Computed, FoundBusy, SkippedBefore, SkippedInside],
            Self::Cycle => &[MetCycle, Waited, Refused],
            Self::Sweep => &[Swept, Forgotten, Failed, Computed, Missed, Waited],
            Self::Cleanup => &[Computed, FoundBusy, SkippedBefore, SkippedInside],
            Self::Retry => &[Failed, Computed, FoundBusy, MetBackOff],
            Self::Crowd => &[Evicted, Computed, Missed],
            Self::Shutdown => &[Computed, WasRejected, Dropped],
            Self::Queue | Self::Nested => &[TakenOver, Computed, Missed],
            Self::Counted => &[Computed, FoundBusy, SkippedBefore, SkippedInside],
        }
    }

    /// The preemptions up to which loom looks with two callers. Where the clock moves meanwhile each
    /// look at it is a section more, and a pool is two threads more: without a bound a million
    /// executions are not all of them.
    pub const fn loom_preemptions(self) -> Option<usize> {
        match self {
            Self::Straggler
            | Self::Expire
            | Self::Nominate
            | Self::Sweep
            | Self::Cleanup
            | Self::Retry => Some(3),
            Self::Pool | Self::PoolFail | Self::Shutdown | Self::Queue | Self::Nested => Some(2),
            _ => None,
        }
    }

    /// The callers up to which the default budget covers every interleaving of what ships. Where the clock
    /// moves or a pool works, four have millions; a night covers those.
    pub const fn complete_at(self) -> usize {
        match self {
            Self::Field => 5,
            Self::Reject
            | Self::Overlap
            | Self::Miss
            | Self::MissOverlap
            | Self::Impatient
            | Self::Fail
            | Self::MissFail
            | Self::Panic
            | Self::Invalidate
            | Self::Insert
            | Self::Cycle
            | Self::Crowd => 4,
            _ => 3,
        }
    }

    /// Whether loom can reach what the scenario is about: its waits never time out.
    pub const fn on_loom(self) -> bool {
        !matches!(self, Self::Impatient)
    }

    /// The workers of its pool, under `sections`: tasks that are spawned before the callers. Two are the
    /// fewest that can do two things at once; where that makes more executions than anybody waits for, there
    /// is one.
    pub const fn workers(self, protocol: Protocol) -> usize {
        match (self, protocol) {
            (Self::Shutdown | Self::Queue | Self::Nested, _)
            | (Self::Straggler | Self::Cleanup | Self::Retry, Protocol::AsBuilt) => 1,
            (Self::Pool | Self::PoolFail, _) => 2,
            (Self::Reject, _) => 0,
            (_, Protocol::AsBuilt) => 2,
            _ => 0,
        }
    }

    /// Whether somebody but the holder of a lease writes, or moves the clock.
    pub const fn has_other_writers(self) -> bool {
        matches!(
            self,
            Self::Invalidate
                | Self::InvalidateAbsent
                | Self::InvalidateAll
                | Self::Insert
                | Self::Straggler
                | Self::Expire
                | Self::Nominate
                | Self::Sweep
                | Self::Cleanup
                | Self::Retry
                | Self::Crowd
                | Self::Queue
                | Self::Nested
        )
    }
}

slugs! {
    /// How interleavings are chosen.
    Engine, "engine",
    /// All of them at the granularity of synchronising operations, sequentially consistent.
    Sections = "sections",
    /// All of them in the C11 memory model, two to four callers.
    Loom = "loom",
    /// Uniformly random choices.
    Random = "random",
    /// Probabilistic concurrency testing, at several depths.
    Pct = "pct",
    /// Uniform random walk: every interleaving as likely as every other, as far as a trial run can tell.
    Urw = "urw",
    /// Real threads of this machine.
    Threads = "threads",
}

slugs! {
    /// A step of the protocol that a twin can replace: a method of the core's `Protocol`.
    Step, "step",
    /// What the map has, fresh, stale or absent.
    Look = "look",
    /// The map again, just before the lease.
    RecheckBefore = "recheck_before",
    /// The lease of a stale request.
    Lease = "lease",
    /// Which leases a miss takes over.
    Takeover = "takeover",
    /// The lease of a miss.
    LeaseForMiss = "lease_for_miss",
    /// A refresh is sent to the executor.
    Dispatch = "dispatch",
    /// A refresh that was sent has got a thread.
    Begins = "begins",
    /// The map again, under the lease.
    RecheckInside = "recheck_inside",
    /// The publication, and the release after it.
    Finish = "finish",
    /// The release of a lease.
    Release = "release",
    /// What a stale request returns.
    Settle = "settle",
    /// How many keys a shard of the store may have.
    Room = "room",
    /// Whether a release takes the slot out of the table.
    Retires = "retires",
    /// The sweep.
    Sweep = "sweep",
    /// Whether the sweeper may take a slot away.
    Sweeps = "sweeps",
}

macro_rules! protocol_enum {
    ($($Type:ident, $slug:literal, $phase:literal, $reported:literal, [$($step:ident),*],
       [$($scenario:ident: $invariant:ident),*], $what:literal;)*) => {
        slugs! {
            /// What ships, and its broken twins.
            Protocol, "protocol",
            $(#[doc = $what] $Type = $slug),*
        }

        impl Protocol {
            /// The field report's phase, or nothing.
            pub const fn phase(self) -> &'static str {
                match self { $(Self::$Type => $phase),* }
            }

            /// The field report's count of computes with 100 callers, or nothing.
            pub const fn reported(self) -> &'static str {
                match self { $(Self::$Type => $reported),* }
            }

            /// The steps in which it differs from what ships, and no other does.
            pub const fn steps(self) -> &'static [Step] {
                match self { $(Self::$Type => &[$(Step::$step),*]),* }
            }

            /// The invariants that it is written to violate, and where; none if it is to keep them
            /// all.
            pub const fn breaks(self) -> &'static [(Scenario, Invariant)] {
                match self {
                    $(Self::$Type => &[$((Scenario::$scenario, Invariant::$invariant)),*]),*
                }
            }

            /// The first of them in this scenario.
            pub fn breaks_in(self, scenario: Scenario) -> Option<Invariant> {
                let mut breaks = self.breaks().iter();
                breaks.find(|(other, _)| *other == scenario).map(|(_, invariant)| *invariant)
            }

            /// Whether it violates one thing at most in this scenario.
            pub fn breaks_only_one_in(self, scenario: Scenario) -> bool {
                self.breaks().iter().filter(|(other, _)| *other == scenario).count() <= 1
            }

            /// Whether it is what ships, as the models have it: small, and on the caller's thread.
            pub const fn ships(self) -> bool {
                matches!(self, Self::DoubleRecheck)
            }

            /// Whether it is to keep every invariant.
            pub const fn keeps_all(self) -> bool {
                self.breaks().is_empty()
            }
        }
    };
}

for_each_protocol!(protocol_enum);

impl Protocol {
    /// Those of the report's phases, and what else is told apart by counting computes.
    pub const PHASES: [Self; 7] = [
        Self::NoLock,
        Self::LockOnly,
        Self::BeforeOnly,
        Self::DoubleRecheck,
        Self::InsideOnly,
        Self::ReleaseBeforePublish,
        Self::AlwaysSkip,
    ];
}

impl Engine {
    /// The fewest and the most callers that it can take, and why not more.
    pub const fn callers(self) -> (usize, usize, &'static str) {
        match self {
            Self::Loom => (1, 4, "loom has five threads, and one of them only joins"),
            Self::Sections => (1, 16, "the number of interleavings explodes"),
            Self::Random | Self::Urw => (1, 1_000, "a step costs time with every task that waits"),
            Self::Pct => (2, 1_000, "one caller leaves no choice, and a step costs time with each"),
            Self::Threads => (1, 1_000, "real threads of this machine"),
        }
    }
}
