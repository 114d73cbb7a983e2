//! The witnesses: what a model has to reach, so that its search has looked at the scenario.

use crate::slugs;

slugs! {
    /// Something that a model has to reach. Otherwise the search has not looked at the scenario.
    Witness, "witness",
    /// A compute started.
    Computed = "computed",
    /// A request found a fresh value.
    HitFresh = "hit-fresh",
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
    /// A value was discarded because an insert or an invalidation came between.
    Discarded = "discarded",
    /// A request returned an error.
    Refused = "refused",
    /// A request found the key absent.
    Missed = "missed",
    /// A request nominated a version.
    Nominated = "nominated",
    /// A request would have closed a cycle of waiting computes, and got an error.
    MetCycle = "met-cycle",
    /// The executor refused a refresh.
    WasRejected = "was-rejected",
    /// An entry was evicted to make room for another key.
    Evicted = "evicted",
    /// A sweep removed an expired entry.
    Swept = "swept",
    /// A sweep removed the slot of a key whose failures were forgotten.
    Forgotten = "forgotten",
    /// A refresh was dropped before it ran.
    Dropped = "dropped",
    /// A refresh or a miss came to its compute, and found its lease taken over or revoked.
    TakenOver = "taken-over",
    /// A write revoked a lease.
    Revoked = "revoked",
}
