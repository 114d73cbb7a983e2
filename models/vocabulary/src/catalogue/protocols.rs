//! The shipped protocol and its broken twins: one entry each.

use super::{Invariant, Scenario};
use crate::slugs;

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
            DefaultConfig, "default-config", "", "", [], [],
                "what ships, on the executor and the shards that it has unless told otherwise";
        }
    };
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
