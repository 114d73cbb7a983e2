//! The shipped protocol and its broken twins: one entry each.

use super::{Invariant, Scenario};
use crate::slugs;

/// Calls `$then!` with every protocol. The fields of an entry are its type, its slug, its phase in the
/// field report, the report's count of computes, the steps in which it differs from the shipped
/// protocol, the invariants that it is written to violate and in which scenarios, and one sentence on
/// the difference.
macro_rules! for_each_protocol {
    ($then:ident) => {
        $then! {
            NoLock, "no-lock", "1", "100", [Lease],
                [Field: OneComputePerWindow, Overlap: OneInFlight, Overlap: OneLeasePerKey],
                "The lease excludes no request: each stale request gets a lease of its own.";
            LockOnly, "lock-only", "2", "about 20", [RecheckBefore, RecheckInside], [Field: NoWastedCompute],
                "There is no re-check, neither before the lease nor under it.";
            BeforeOnly, "before-only", "3", "about 16", [RecheckInside], [Field: NoWastedCompute],
                "There is no re-check under the lease.";
            DoubleRecheck, "double-recheck", "4", "1", [], [],
                "The shipped protocol, on one shard and on the caller's thread.";
            InsideOnly, "inside-only", "", "", [RecheckBefore], [Field: RefreshedInTimeTakesNoLease],
                "There is no re-check before the lease: as few computes, but requests take leases in vain.";
            ReleaseBeforePublish, "release-before-publish", "", "", [Finish], [Field: OneComputePerWindow],
                "The lease is released before the value is in the map.";
            AlwaysSkip, "always-skip", "", "0", [RecheckInside], [Field: RefreshMakesProgress],
                "The re-check under the lease takes any entry for a fresh one, so a stale value is never refreshed.";
            CapturedRecheck, "captured-recheck", "", "", [RecheckInside], [Field: NoWastedCompute],
                "The re-check under the lease checks the entry that the look captured, not the one in the map.";
            AlwaysLock, "always-lock", "", "", [Hit, Look], [Field: FreshTakesNoLease],
                "A request that finds a fresh value takes the lease too.";
            ErrorOnStale, "error-on-stale", "", "", [Dispatch, Settle], [Fail: StaleNeverWaits],
                "A stale request returns what its refresh returns, also an error.";
            WaitOnStale, "wait-on-stale", "", "", [Lease], [Field: StaleNeverWaits],
                "A stale request waits for the lease, as a miss does.";
            MissUnchecked, "miss-unchecked", "", "", [RecheckInside], [Miss: NoWastedCompute],
                "A miss that gets the lease computes without a re-check.";
            MissesComputeAlone, "misses-compute-alone", "", "", [LeaseForMiss], [Miss: MissSingleFlight],
                "Each miss gets a lease of its own.";
            LeaseLeaksOnFailure, "lease-leaks-on-failure", "", "", [Finish],
                [MissFail: NoWaiterLeftBehind, Panic: NoWaiterLeftBehind, Fail: LeaseAlwaysReleased],
                "The lease is not released if the compute failed or panicked.";
            UnfencedPublish, "unfenced-publish", "", "", [Finish],
                [Invalidate: InvalidationWins, InvalidateAbsent: InvalidationWins,
                 InvalidateAll: InvalidationWins, Insert: VersionsNeverRegress],
                "A computed value is published even if an insert or an invalidation came between.";
            ServeExpired, "serve-expired", "", "", [Hit, Look], [Expire: NeverServeExpired],
                "The look ignores the storage deadline.";
            ServeAsLooked, "serve-as-looked", "", "", [Settle], [Expire: NeverServeExpired],
                "A stale request returns the value of its look, even if it expired during the request's own compute.";
            TrustCoarse, "trust-coarse", "", "", [AllowsFor], [Lag: NeverServeExpired],
                "The look takes the coarse time for the precise one, as if it were never behind.";
            NoBackOff, "no-backoff", "", "", [Finish], [Fail: FailuresBackOff, MissFail: FailuresBackOff],
                "A failure is forgotten at once.";
            ReleaseOnQueue, "release-on-queue", "", "", [Dispatch], [Pool: OneComputePerWindow, Pool: OneLeasePerKey],
                "The lease is released as soon as the refresh is queued.";
            LeaseLeaksOnRejection, "lease-leaks-on-rejection", "", "", [Dispatch], [Reject: LeaseAlwaysReleased],
                "A refresh that the executor refuses is forgotten, and its lease is never released.";
            RedrawRecheck, "redraw-recheck", "", "", [RecheckInside], [Nominate: NominationAtMostOnce],
                "The re-check under the lease draws a second time.";
            NoRecursionCheck, "no-recursion-check", "", "", [LeaseForMiss], [Cycle: NoDeadlock],
                "A compute that waits for another compute does not check whether that one waits for it.";
            NeverRetire, "never-retire", "", "", [Retires], [Field: LockTableDrains],
                "A release leaves the slot in the lease table, for the sweeper.";
            RetireByRefcount, "retire-by-refcount", "", "", [Retires], [Miss: LockTableDrains],
                "A release removes the slot only if no request waits for it, as a count of references would.";
            SweepByAge, "sweep-by-age", "", "", [Sweeps], [Sweep: OneInFlight, Sweep: OneLeasePerKey],
                "The sweeper removes every slot whose lease was last taken a minute ago or earlier, held or not.";
            SweepIdle, "sweep-idle", "", "", [Lease, Release, Sweep], [Cleanup: OneInFlight, Cleanup: OneLeasePerKey],
                "A lock is looked up in one section and taken in another, and the sweeper removes locks that nobody holds and nobody has looked up for a minute.";
            RetireAtRelease, "retire-at-release", "", "", [Lease, Release],
                [Retry: OneInFlight, Retry: OneLeasePerKey, Retry: FailuresBackOff],
                "A lock is looked up in one section and taken in another, and its holder then removes the key's lock, whichever lock that is by then.";
            LockOnlyRemoved, "lock-only-removed", "", "", [RecheckBefore, Lease, RecheckInside, Release], [Field: NoWastedCompute],
                "`lock-only` and `retire-at-release` together.";
            LockOnlyKept, "lock-only-kept", "", "", [RecheckBefore, Lease, RecheckInside], [Field: NoWastedCompute],
                "`lock-only`, with a lock that is looked up in one section, taken in another, and kept.";
            BeforeOnlyRemoved, "before-only-removed", "", "", [Lease, RecheckInside, Release], [Field: NoWastedCompute],
                "`before-only` and `retire-at-release` together.";
            BeforeOnlyKept, "before-only-kept", "", "", [Lease, RecheckInside], [Field: NoWastedCompute],
                "`before-only`, with a lock that is looked up in one section, taken in another, and kept.";
            ReleaseWithoutNotify, "release-without-notify", "", "", [LeaseForMiss, Release], [Miss: NoWaiterLeftBehind],
                "A release does not wake the waiters.";
            SweepNothing, "sweep-nothing", "", "", [Sweep], [Field: BoundedMemory],
                "The sweeper removes nothing, so expired entries stay.";
            EvictNothing, "evict-nothing", "", "", [Room], [Crowd: BoundedMemory],
                "A full cache takes new keys and evicts none.";
            LeaseLeaksOnDrop, "lease-leaks-on-drop", "", "", [Dispatch], [Shutdown: ShutdownDrains],
                "Only a refresh that runs releases its lease; a refresh that is dropped does not.";
            WaitForQueued, "wait-for-queued", "", "", [Takeover], [Nested: NoWaiterLeftBehind],
                "A miss waits for a refresh that waits for a thread.";
            TakeOverAll, "take-over-all", "", "", [Takeover], [Overlap: OneInFlight, Miss: MissSingleFlight],
                "A miss takes over every lease, also one under which a compute runs.";
            BeginUnasked, "begin-unasked", "", "", [Begins], [Queue: OneComputePerWindow],
                "A refresh whose lease was taken over computes all the same.";
            CountTwice, "count-twice", "", "", [RecheckBefore], [Counted: MetricsBalance],
                "The re-check before the lease is counted as a second request.";
            RevokedComputes, "revoked-computes", "", "", [RecheckInside], [Invalidate: OneComputePerWindow],
                "The re-check under the lease does not see that the lease was revoked.";
            RevokeAll, "revoke-all", "", "", [Revokes], [Revoke: OneInFlight],
                "A write revokes the key's lease however many revoked computes are in flight.";
            BackOffOutlivesWrites, "back-off-outlives-writes", "", "", [Forgets], [RevokeFail: InvalidationWins],
                "An insert or an invalidation leaves the back-off of its key as it is.";
            RefuseExpired, "refuse-expired", "", "", [Settle], [Expire: HealthyOriginNoError],
                "A stale request whose value expires before it returns gets an error.";
            DropUnderLease, "drop-under-lease", "", "", [Finish], [Drops: NoDeadlock],
                "A replaced value is dropped before the lease is released.";
            DefaultConfig, "default-config", "", "", [], [],
                "The shipped code in its default configuration: refreshes on a pool, 16 shards.";
        }
    };
}

slugs! {
    /// A step of the protocol that a twin can replace: a method of the core's `Protocol`.
    Step, "step",
    /// How much of the coarse time's lag the look allows for.
    AllowsFor = "allows_for",
    /// What the map has, if that is surely fresh by the coarse time.
    Hit = "hit",
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
    /// Whether a write revokes the key's lease.
    Revokes = "revokes",
    /// Whether a write ends the key's back-off.
    Forgets = "forgets",
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
            /// The shipped protocol, and its broken twins.
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

            /// The steps in which it differs from the shipped protocol. It differs in no other.
            pub const fn steps(self) -> &'static [Step] {
                match self { $(Self::$Type => &[$(Step::$step),*]),* }
            }

            /// The invariants that it is written to violate, and where. Empty if it keeps all of them.
            pub const fn breaks(self) -> &'static [(Scenario, Invariant)] {
                match self {
                    $(Self::$Type => &[$((Scenario::$scenario, Invariant::$invariant)),*]),*
                }
            }

            /// The first invariant that it is written to violate in this scenario.
            pub fn breaks_in(self, scenario: Scenario) -> Option<Invariant> {
                let mut breaks = self.breaks().iter();
                breaks.find(|(other, _)| *other == scenario).map(|(_, invariant)| *invariant)
            }

            /// Whether it is written to violate at most one invariant in this scenario.
            pub fn breaks_only_one_in(self, scenario: Scenario) -> bool {
                self.breaks().iter().filter(|(other, _)| *other == scenario).count() <= 1
            }

            /// Whether it is the shipped protocol as most models have it: on one shard, on the caller's thread.
            pub const fn is_shipped(self) -> bool {
                matches!(self, Self::DoubleRecheck)
            }

            /// Whether it keeps every invariant.
            pub const fn keeps_all(self) -> bool {
                self.breaks().is_empty()
            }
        }
    };
}

for_each_protocol!(protocol_enum);

impl Protocol {
    /// The protocols of the report's phases, and those that differ from them in their number of computes.
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
