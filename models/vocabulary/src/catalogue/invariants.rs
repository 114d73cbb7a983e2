//! The invariants: the sentences that must stay true. The register is `docs/INVARIANTS.md`.

use crate::slugs;

slugs! {
    /// A sentence that must stay true. The register is `docs/INVARIANTS.md`.
    Invariant, "invariant",
    /// At most one compute starts per staleness window, and one more for each compute that
    /// failed or was revoked.
    OneComputePerWindow = "one-compute-per-window",
    /// No compute starts while its key's entry is fresh, unless the request has nominated that
    /// version.
    NoWastedCompute = "no-wasted-compute",
    /// No two computes of a key run at the same time, unless a write or the compute time-out has revoked one of them;
    /// then at most two.
    OneInFlight = "one-in-flight",
    /// A request that finds a stale value waits for no other request, and returns a value.
    StaleNeverWaits = "stale-never-waits",
    /// A request that finds a fresh value and does not nominate it touches no lease.
    FreshTakesNoLease = "fresh-takes-no-lease",
    /// A request takes no lease if its key was refreshed between its look and its re-check before
    /// the lease.
    RefreshedInTimeTakesNoLease = "refreshed-in-time-takes-no-lease",
    /// A request that looks after an invalidation or an insert never returns a value or an error of a compute that began
    /// before it.
    InvalidationWins = "invalidation-wins",
    /// The versions of a key grow, and a value replaces only values that were begun before it.
    VersionsNeverRegress = "versions-never-regress",
    /// A value that a request returns was servable at some moment between its question and its answer; if the
    /// request has computed itself, at some moment after that.
    NeverServeExpired = "never-serve-expired",
    /// No two leases of a key are held at the same time, but for one that was revoked.
    OneLeasePerKey = "one-lease-per-key",
    /// At rest no lease is held.
    LeaseAlwaysReleased = "lease-always-released",
    /// At rest, one more request on a stale or absent key starts exactly one compute and leaves
    /// the key fresh.
    RefreshMakesProgress = "refresh-makes-progress",
    /// Of the requests that find a key absent in one staleness window, one computes and the others return its result.
    MissSingleFlight = "miss-single-flight",
    /// No waiter waits for a lease that nobody will release.
    NoWaiterLeftBehind = "no-waiter-left-behind",
    /// After a compute of a key has failed, no compute of that key starts before the back-off has ended, unless the key
    /// is written meanwhile.
    FailuresBackOff = "failures-back-off",
    /// Every request returns a value, unless a compute has failed or waited for itself, or a wait has timed out.
    HealthyOriginNoError = "healthy-origin-no-error",
    /// A request nominates at most one version, and does not draw again.
    NominationAtMostOnce = "nomination-at-most-once",
    /// Computes that need each other's keys end, with an error.
    NoDeadlock = "no-deadlock",
    /// At rest the lease table has slots only for keys whose last compute failed.
    LockTableDrains = "lock-table-drains",
    /// There are never more keys than the capacity, and a sweep leaves nothing once every entry
    /// and failure is past its time.
    BoundedMemory = "bounded-memory",
    /// A pool starts no refresh after its shutdown, and no lease remains with it.
    ShutdownDrains = "shutdown-drains",
    /// At rest the counters say what has happened, and balance.
    MetricsBalance = "metrics-balance",
    /// The cache has no panic of its own.
    NoPanic = "no-panic",
}
