//! One stream of events, many readers: metrics, tracing and the suite's ledger all read this one.

use crate::ids::{LeaseId, Version};
use crate::sync::Arc;

/// A step that a request has taken.
///
/// Each is emitted directly after the unlock that made it true, with no synchronising operation
/// between the two: whoever runs one section at a time sees the events in the order of the sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The look has read the map, and saw this version. Whether that is fresh depends on the clock,
    /// which is read next.
    Looked(Option<Version>),
    /// The look found a fresh entry.
    FreshHit(Version),
    /// The look found a stale entry.
    StaleHit(Version),
    /// The look found nothing, or an expired entry.
    Miss,
    /// The look found this version fresh, and nominated it for an early refresh.
    Nominated(Version),
    /// The re-check before the lease found that the key still needs a compute.
    StillNeeded,
    /// The re-check before the lease found a newer entry: no lease was touched.
    SkippedBefore(Version),
    /// The request holds the key's lease.
    Leased(LeaseId),
    /// Someone else holds it; a stale request goes home with its stale value.
    Busy(LeaseId),
    /// Someone else held it; a miss has waited until it was released.
    Waited(LeaseId),
    /// Someone else holds it, and the patience of a miss has ended.
    TimedOut(LeaseId),
    /// The key's last compute failed, and its back-off has not ended.
    BackingOff,
    /// A miss would have waited for a compute that waits for its own.
    Cycle(LeaseId),
    /// A refresh has waited for its thread so long that a miss has taken its lease over. It does nothing.
    TakenOver(LeaseId),
    /// The re-check under the lease found an entry that needs no compute.
    SkippedInside(LeaseId, Version),
    /// A compute starts. It saw this version, or an absence.
    ComputeStarted(LeaseId, Option<Version>),
    /// The compute has returned a value (`true`), or an error or a panic.
    ComputeFinished(LeaseId, bool),
    /// The value is in the store under this version.
    Published(LeaseId, Version),
    /// The value was discarded: an insert or an invalidation came after the compute had begun.
    Discarded(LeaseId),
    /// The lease is free again.
    Released(LeaseId),
    /// A user's value is in the store under this version.
    Inserted(Version),
    /// A user removed the key.
    Invalidated,
    /// A user removed every key. It is told of key 0.
    Cleared,
    /// The entry with this version made room for another key.
    Evicted(Version),
    /// The entry with this version had expired, and was swept.
    Swept(Version),
    /// The key's failures were long ago, and its slot in the lease table was swept.
    Forgotten,
    /// The executor refused the refresh, which is dropped next.
    Rejected(LeaseId),
    /// A refresh was dropped before it ran: it was refused, or the executor let go of it. Its lease is
    /// released next.
    Dropped(LeaseId),
}

/// A reader of events.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::time::Duration;
/// use xfetch_core::{Cache, Event, Observer};
///
/// #[derive(Default)]
/// struct Computes(AtomicU64);
///
/// impl Observer for Computes {
///     fn on(&self, _key: u64, event: Event) {
///         if matches!(event, Event::ComputeStarted(..)) {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let computes = Arc::new(Computes::default());
/// let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120))
///     .observer(Arc::clone(&computes))
///     .build()?;
/// cache.get_or_compute(&"page", |_| 1)?;
/// cache.get_or_compute(&"page", |_| 2)?;
/// assert_eq!(computes.0.load(Ordering::Relaxed), 1);
/// # Ok(())
/// # }
/// ```
///
/// It is called on the thread that took the step, never under a lock of the
/// cache, and must not ask the cache for a key whose compute it is told of.
pub trait Observer: Send + Sync + 'static {
    /// The step that was taken for the key with this hash.
    fn on(&self, key: u64, event: Event);
}

/// Nobody reads the events, and nothing of them remains in the compiled code.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    #[inline(always)]
    fn on(&self, _key: u64, _event: Event) {}
}

impl<O: Observer> Observer for Arc<O> {
    fn on(&self, key: u64, event: Event) {
        O::on(self, key, event);
    }
}

/// Two readers of one stream, the first one first.
impl<A: Observer, B: Observer> Observer for (A, B) {
    #[inline]
    fn on(&self, key: u64, event: Event) {
        self.0.on(key, event);
        self.1.on(key, event);
    }
}
