//! The events of a cache: one stream, which metrics, tracing and the suite's recorder read. The protocol and
//! the public face emit them.

use crate::ids::{LeaseId, Version};
use crate::panics::OnPanic;
use crate::sync::Arc;

/// Calls `$then!` with every event: its documentation, its name, its parts. [`Event`] is made from this list, and so
/// is its mirror in the suite, which names no build of the core. Hidden and unstable.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_event {
    ($then:ident) => {
        $then! {
            /// The look has read the map, and saw this version. The clock is read next, and says whether the
            /// version is fresh.
            Looked(seen: Option<Version>),
            /// The look found a fresh entry.
            FreshHit(version: Version),
            /// The look found a stale entry.
            StaleHit(version: Version),
            /// The look found no entry, or an expired one.
            Miss,
            /// The look found this version fresh, and nominated it for an early refresh.
            Nominated(version: Version),
            /// The re-check before the lease found that the key still needs a compute.
            StillNeeded,
            /// The re-check before the lease found a newer entry: no lease was touched.
            SkippedBefore(version: Version),
            /// The request holds the key's lease.
            Leased(lease: LeaseId),
            /// Another request holds the lease. A stale request returns its stale value.
            Busy(lease: LeaseId),
            /// A miss has waited until another request released the lease.
            Waited(lease: LeaseId),
            /// A miss has waited for the lease until its time-out.
            TimedOut(lease: LeaseId),
            /// The key's last compute failed, and its back-off has not ended.
            BackingOff,
            /// A miss inside a compute would have waited for a compute that waits for its own.
            Cycle(lease: LeaseId),
            /// An insert, an invalidation or the compute time-out has ended this lease for requests that come after
            /// it. Its compute goes on for those that came before.
            Revoked(lease: LeaseId),
            /// A refresh has got a thread, or a request has got to its re-check, and its lease was taken over by a miss
            /// or revoked. It computes nothing.
            TakenOver(lease: LeaseId),
            /// The re-check under the lease found an entry that needs no compute.
            SkippedInside(lease: LeaseId, version: Version),
            /// A compute starts. Its re-check saw this version, or none.
            ComputeStarted(lease: LeaseId, seen: Option<Version>),
            /// The compute has returned a value (`true`), or an error or a panic. `false` too if the clock panicked.
            ComputeFinished(lease: LeaseId, returned: bool),
            /// The value is in the store under this version.
            Published(lease: LeaseId, version: Version),
            /// The value was discarded: a write or the compute time-out revoked its lease during its compute, or a
            /// panic of the clock or of an observer came before its publication.
            Discarded(lease: LeaseId),
            /// The lease is free again.
            Released(lease: LeaseId),
            /// An inserted value is in the store under this version.
            Inserted(version: Version),
            /// The key was invalidated.
            Invalidated,
            /// Every key was invalidated. The key of this event is 0.
            Cleared,
            /// The entry with this version was evicted to make room for another key.
            Evicted(version: Version),
            /// The entry with this version had expired, and was swept.
            Swept(version: Version),
            /// The key's slot in the lease table was swept: its last failure was long ago.
            Forgotten,
            /// The executor refused the refresh. The refresh is dropped next.
            Rejected(lease: LeaseId),
            /// A refresh was dropped before it ran: the executor refused it, or dropped it later. Its lease is
            /// released next.
            Dropped(lease: LeaseId),
        }
    };
}

macro_rules! declare {
    ($($(#[$doc:meta])* $Event:ident $(($($part:ident: $Part:ty),+))?,)*) => {
        /// A step that a request has taken.
        ///
        /// An event is emitted directly after the read or the unlock that made it true, with no synchronising operation
        /// between the two. So a scheduler that runs one section at a time sees the events in the order of the
        /// sections.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Event {
            $($(#[$doc])* $Event $(($($Part),+))?,)*
        }
    };
}

for_each_event!(declare);

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
/// The cache calls it on the thread that took the step, never under a lock of the cache. It must not ask the
/// cache for the key of a compute that the event is about.
pub trait Observer: Send + Sync + 'static {
    /// A step was taken for the key with this hash.
    fn on(&self, key: u64, event: Event);
}

/// The observer that reads nothing. Nothing of the events remains in the compiled code.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    #[inline(always)]
    fn on(&self, _key: u64, _event: Event) {}
}

impl<O: Observer + ?Sized> Observer for Arc<O> {
    #[inline]
    fn on(&self, key: u64, event: Event) {
        O::on(self, key, event);
    }
}

impl<O: Observer + ?Sized> Observer for Box<O> {
    fn on(&self, key: u64, event: Event) {
        O::on(self, key, event);
    }
}

/// Two observers of one stream. The first one reads an event first. If it panics, the second one reads the event all
/// the same, so that its counts stay right.
impl<A: Observer, B: Observer> Observer for (A, B) {
    #[inline]
    fn on(&self, key: u64, event: Event) {
        let second = OnPanic(|| self.1.on(key, event));
        self.0.on(key, event);
        second.disarm();
        self.1.on(key, event);
    }
}
