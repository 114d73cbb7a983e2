//! What a model has to reach, or it has not looked.

use crate::slugs;

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
