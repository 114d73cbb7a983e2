//! An observer that counts. Users read its snapshots.

use crate::observe::event::{Event, Observer};
use crate::sync::{Counts, Mutex};
use std::fmt;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// The counts since the last [`Metrics::reset`]. Each is a number of events.
        ///
        /// Where the field report has another name for a count, the name stands in parentheses.
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

        /// The counters by their numbers.
        #[derive(Clone, Copy)]
        #[expect(non_camel_case_types, reason = "each has the name of its field")]
        enum Counter { $($name),* }

        const COUNTERS: usize = [$(Counter::$name),*].len();

        fn read(counts: &Counts<COUNTERS>) -> Snapshot {
            Snapshot { $($name: counts.sum(Counter::$name as usize)),* }
        }
    };
}

counters! {
    /// Requests that found a fresh value (`cache_hit_fresh`).
    hits_fresh,
    /// Requests that found a stale value (`cache_hit_stale`).
    hits_stale,
    /// Requests that found no value, or an expired one (`cache_miss`).
    misses,
    /// Fresh hits that nominated their entry for an early refresh.
    nominated,
    /// Re-checks before the lease that found the key refreshed.
    skipped_before,
    /// Leases that were acquired.
    leased,
    /// Stale requests, and misses inside a compute, that found the lease held
    /// (`xfetch_lock_contention_total`).
    contended,
    /// Misses that waited until another request released the lease.
    waited,
    /// Misses that waited until their time-out.
    timed_out,
    /// Requests that were refused by a back-off.
    backed_off,
    /// Misses that would have closed a cycle of leases.
    cycles,
    /// Refreshes that the executor refused.
    rejected,
    /// Refreshes that were dropped before they ran: the refused ones, and those that the executor dropped
    /// later, as at a shutdown.
    dropped,
    /// Leases that an insert, an invalidation or the compute time-out revoked.
    revoked,
    /// Refreshes, and misses before their compute, whose lease was taken over by a miss or revoked.
    taken_over,
    /// Re-checks under the lease that found the key refreshed.
    skipped_inside,
    /// Computes that started (`compute_calls`).
    computes,
    /// Computes that returned an error or panicked.
    failed,
    /// Computed values that were put into the store.
    published,
    /// Computed values whose lease an insert, an invalidation or the compute time-out had revoked.
    discarded,
    /// Leases that were released.
    released,
    /// Values that were inserted.
    inserted,
    /// Invalidations: of one key, or of all keys.
    invalidated,
    /// Entries that were evicted to make room for another key.
    evicted,
    /// Expired entries that were swept.
    swept,
    /// Slots of keys that had failed long ago, and that were swept.
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

    /// Computes that are in flight. Leases that are held are `leased - released`.
    pub fn in_flight(&self) -> u64 {
        self.computes.saturating_sub(self.failed + self.published + self.discarded)
    }

    /// The share of the triggers that needed no compute of their own. It is near 1 if a thousand requests
    /// share one compute, and 0 if each computes. `None` without a trigger.
    ///
    /// The field report divides computes by triggers and asks for 90 %. By that rule, a cache that prevents
    /// every stampede scores near 0, and a cache that prevents none scores 100.
    pub fn efficiency(&self) -> Option<f64> {
        let triggers = self.triggers();
        let own = self.computes.min(triggers);
        (triggers > 0).then(|| 1.0 - own as f64 / triggers as f64)
    }
}

/// An observer that counts. Each kind of event has one counter, and totals are derived.
///
/// 64 threads at a time count in memory of their own, so that they do not slow each other down; further ones share theirs.
/// It takes about 16 KiB. A snapshot adds all of it up.
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
    counts: Counts<COUNTERS>,
    baseline: Mutex<Snapshot>,
}

impl Metrics {
    /// Counters at zero.
    pub fn new() -> Self {
        Self { counts: Counts::new(), baseline: Mutex::new(Snapshot::default()) }
    }

    /// The counts since the last reset.
    ///
    /// The counters are read one after the other. So while requests are in flight, a sum can differ from
    /// its parts by the events in between. At rest the counters balance.
    pub fn snapshot(&self) -> Snapshot {
        let baseline = *self.baseline.lock();
        read(&self.counts).since(baseline)
    }

    /// Counts from here on. Call it at rest: a request in flight ends after the reset, and its counts do not
    /// balance. The counters themselves only grow, so that no event is lost or counted twice.
    pub fn reset(&self) {
        let mut baseline = self.baseline.lock();
        *baseline = read(&self.counts);
    }

    #[inline]
    fn count(&self, counter: Counter) {
        self.counts.add(counter as usize);
    }
}

/// The counter of an event, if it has one. A nomination is a hit too.
// INVARIANT(metrics-balance): each kind of event has one counter; sums are derived.
#[inline]
fn counter_of(event: Event) -> Option<Counter> {
    Some(match event {
        Event::FreshHit(_) => Counter::hits_fresh,
        Event::StaleHit(_) => Counter::hits_stale,
        Event::Miss => Counter::misses,
        Event::Nominated(_) => Counter::nominated,
        Event::SkippedBefore(_) => Counter::skipped_before,
        Event::Leased(_) => Counter::leased,
        Event::Busy(_) => Counter::contended,
        Event::Waited(_) => Counter::waited,
        Event::TimedOut(_) => Counter::timed_out,
        Event::BackingOff => Counter::backed_off,
        Event::Cycle(_) => Counter::cycles,
        Event::Rejected(_) => Counter::rejected,
        Event::Dropped(_) => Counter::dropped,
        Event::Revoked(_) => Counter::revoked,
        Event::TakenOver(_) => Counter::taken_over,
        Event::SkippedInside(..) => Counter::skipped_inside,
        Event::ComputeStarted(..) => Counter::computes,
        Event::ComputeFinished(_, false) => Counter::failed,
        Event::Published(..) => Counter::published,
        Event::Discarded(_) => Counter::discarded,
        Event::Released(_) => Counter::released,
        Event::Inserted(_) => Counter::inserted,
        Event::Invalidated | Event::Cleared => Counter::invalidated,
        Event::Evicted(_) => Counter::evicted,
        Event::Swept(_) => Counter::swept,
        Event::Forgotten => Counter::forgotten,
        Event::Looked(_) | Event::StillNeeded | Event::ComputeFinished(_, true) => return None,
    })
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for Metrics {
    #[inline]
    fn on(&self, _key: u64, event: Event) {
        if matches!(event, Event::Nominated(_)) {
            self.count(Counter::hits_fresh);
        }
        if let Some(counter) = counter_of(event) {
            self.count(counter);
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Metrics").field(&self.snapshot()).finish()
    }
}
