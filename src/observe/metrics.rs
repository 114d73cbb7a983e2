//! Counts, read off the event stream.

use crate::observe::event::{Event, Observer};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};
use std::fmt;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What was counted since the last [`Metrics::reset`]. Everything is a number of events.
        ///
        /// The names are the field's. Where the field report has a name of its own, it is given.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Snapshot { $($(#[$doc])* pub $name: u64),* }

        impl Snapshot {
            fn since(self, baseline: Self) -> Self {
                Self { $($name: self.$name.saturating_sub(baseline.$name)),* }
            }

            /// Every counter with its name, for exporters.
            pub fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }
        }

        #[derive(Debug, Default)]
        struct Counters { $($name: AtomicU64),* }

        impl Counters {
            fn read(&self) -> Snapshot {
                // ORDERING: each counter for itself. They balance at rest, when whoever reads them has
                // been told so by other means.
                Snapshot { $($name: self.$name.load(Ordering::Relaxed)),* }
            }
        }
    };
}

counters! {
    /// Requests that found a fresh value (`cache_hit_fresh`).
    hits_fresh,
    /// Requests that found a stale value (`cache_hit_stale`).
    hits_stale,
    /// Requests that found nothing, or an expired value (`cache_miss`).
    misses,
    /// Fresh hits that nominated their entry for an early refresh.
    nominated,
    /// Re-checks before the lease that found the key refreshed.
    skipped_before,
    /// Leases that were taken.
    leased,
    /// Stale requests, and misses inside a compute, that found the lease taken
    /// (`xfetch_lock_contention_total`).
    contended,
    /// Misses that waited for another request's compute, until it ended.
    waited,
    /// Misses whose patience ended.
    timed_out,
    /// Requests that met a back-off.
    backed_off,
    /// Misses that would have closed a cycle of leases.
    cycles,
    /// Refreshes that the executor refused.
    rejected,
    /// Refreshes that were dropped before they ran: those that were refused, and those that the executor
    /// has let go of, as at a shutdown.
    dropped,
    /// Refreshes that waited for a thread so long that a miss has computed instead.
    taken_over,
    /// Re-checks under the lease that found the key refreshed.
    skipped_inside,
    /// Computes that were started (`compute_calls`).
    computes,
    /// Computes that returned an error or panicked.
    failed,
    /// Values that were put into the map by a compute.
    published,
    /// Values that were overtaken by an insert or an invalidation.
    discarded,
    /// Leases that were released.
    released,
    /// Values that a user has put into the map.
    inserted,
    /// Keys that a user has removed, and times that he has removed all.
    invalidated,
    /// Entries that made room for another key.
    evicted,
    /// Entries that had expired and were swept.
    swept,
    /// Keys that had failed long ago and whose slot was swept.
    forgotten,
}

impl Snapshot {
    /// Requests (`total_requests`).
    pub fn requests(&self) -> u64 {
        self.hits_fresh + self.hits_stale + self.misses
    }

    /// Requests whose key needed a compute (`xfetch_triggers`).
    pub fn triggers(&self) -> u64 {
        self.hits_stale + self.misses + self.nominated
    }

    /// Computes that have started and not ended. Leases that are held are `leased - released`.
    pub fn in_flight(&self) -> u64 {
        self.computes.saturating_sub(self.failed + self.published + self.discarded)
    }

    /// The part of the triggers that needed no compute of their own: 1 where a thousand requests share
    /// one, 0 where each computes. Nothing if nobody has triggered.
    ///
    /// The field report divides computes by triggers and asks for 90 %: a cache that prevents every
    /// stampede scores near 0 there, and one that prevents none scores 100.
    pub fn efficiency(&self) -> Option<f64> {
        let triggers = self.triggers();
        let own = self.computes.min(triggers);
        (triggers > 0).then(|| 1.0 - own as f64 / triggers as f64)
    }
}

/// An observer that counts: one counter a kind of event, totals are derived.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use xfetch_core::{Cache, Metrics};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let metrics = Arc::new(Metrics::new());
/// let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120))
///     .observer(Arc::clone(&metrics))
///     .build()?;
/// cache.get_or_compute(&"page", |_| 1)?;
/// cache.get_or_compute(&"page", |_| 2)?;
/// let counted = metrics.snapshot();
/// assert_eq!((counted.requests(), counted.misses, counted.hits_fresh), (2, 1, 1));
/// assert_eq!((counted.computes, counted.efficiency()), (1, Some(0.0)));
/// metrics.reset();
/// assert_eq!(metrics.snapshot().requests(), 0);
/// # Ok(())
/// # }
/// ```
pub struct Metrics {
    counters: Counters,
    baseline: Mutex<Snapshot>,
}

impl Metrics {
    /// Counters at zero.
    pub fn new() -> Self {
        Self { counters: Counters::default(), baseline: Mutex::new(Snapshot::default()) }
    }

    /// What was counted since the last reset.
    ///
    /// The counters are read one after the other: while requests are under way a sum may be ahead of
    /// its parts by what came between. At rest they balance.
    pub fn snapshot(&self) -> Snapshot {
        let baseline = *self.baseline.lock();
        self.counters.read().since(baseline)
    }

    /// Counts from here. What is under way ends after it: they balance again if this is called at rest. The counters themselves only grow, so that no event is lost or counted twice.
    pub fn reset(&self) {
        let mut baseline = self.baseline.lock();
        *baseline = self.counters.read();
    }

    // INVARIANT(metrics-balance): one counter a kind of event; what a sum says is derived.
    fn counters_of(&self, event: Event) -> [Option<&AtomicU64>; 2] {
        let Counters { hits_fresh, hits_stale, misses, nominated, .. } = &self.counters;
        let all = &self.counters;
        let one = match event {
            Event::FreshHit(_) => hits_fresh,
            Event::StaleHit(_) => hits_stale,
            Event::Miss => misses,
            Event::Nominated(_) => return [Some(hits_fresh), Some(nominated)],
            Event::SkippedBefore(_) => &all.skipped_before,
            Event::Leased(_) => &all.leased,
            Event::Busy(_) => &all.contended,
            Event::Waited(_) => &all.waited,
            Event::TimedOut(_) => &all.timed_out,
            Event::BackingOff => &all.backed_off,
            Event::Cycle(_) => &all.cycles,
            Event::Rejected(_) => &all.rejected,
            Event::Dropped(_) => &all.dropped,
            Event::TakenOver(_) => &all.taken_over,
            Event::SkippedInside(..) => &all.skipped_inside,
            Event::ComputeStarted(..) => &all.computes,
            Event::ComputeFinished(_, false) => &all.failed,
            Event::Published(..) => &all.published,
            Event::Discarded(_) => &all.discarded,
            Event::Released(_) => &all.released,
            Event::Inserted(_) => &all.inserted,
            Event::Invalidated | Event::Cleared => &all.invalidated,
            Event::Evicted(_) => &all.evicted,
            Event::Swept(_) => &all.swept,
            Event::Forgotten => &all.forgotten,
            Event::Looked(_) | Event::StillNeeded | Event::ComputeFinished(_, true) => {
                return [None, None];
            }
        };
        [Some(one), None]
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for Metrics {
    fn on(&self, _key: u64, event: Event) {
        for counter in self.counters_of(event).into_iter().flatten() {
            // ORDERING: see `Counters::read`.
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Metrics").field(&self.snapshot()).finish()
    }
}
