//! What must stay true. The register is `docs/INVARIANTS.md`.

use crate::slugs;

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
    /// No request that looks after an invalidation or an insert gets what was computed from
    /// before.
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
    /// There are never more keys than the capacity, and once everything is past its time a sweep
    /// leaves nothing.
    BoundedMemory = "bounded-memory",
    /// A pool that was shut down runs nothing any more, and no lease is left with it.
    ShutdownDrains = "shutdown-drains",
    /// At rest the counters say what has happened, and balance.
    MetricsBalance = "metrics-balance",
    /// No panic of the cache's own.
    NoPanic = "no-panic",
}
