//! The cost of a fresh hit, counted and not timed: no lease, no allocation, one reading of the clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use xfetch_core::{Cache, Clock, Metrics, Moment};

/// A clock that stands still and counts its readings.
#[derive(Clone, Default)]
struct Counted(Arc<AtomicU64>);

impl Clock for Counted {
    fn now(&self) -> Moment {
        self.0.fetch_add(1, Ordering::Relaxed);
        Moment::ORIGIN
    }
}

#[test]
fn a_fresh_hit_takes_no_lease_allocates_nothing_and_reads_the_clock_once() {
    let clock = Counted::default();
    let metrics = Arc::new(Metrics::new());
    let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120))
        .clock(clock.clone())
        .observer(Arc::clone(&metrics))
        .build()
        .expect("valid");
    let key = "a key that would be long to copy".to_owned();
    drop(cache.get_or_compute(&key, |_| vec![0_u8; 1_000]));
    let before = clock.0.load(Ordering::Relaxed);
    metrics.reset();
    let allocated = allocation_counter::measure(|| {
        for _ in 0..100 {
            let found = cache.get_or_compute(&key, |_| unreachable!("fresh"));
            assert!(found.is_ok_and(|found| found.len() == 1_000));
        }
    });
    assert_eq!((allocated.count_total, allocated.bytes_total), (0, 0));
    assert_eq!(clock.0.load(Ordering::Relaxed) - before, 100);
    let counted = metrics.snapshot();
    assert_eq!((counted.hits_fresh, counted.leased, counted.contended), (100, 0, 0));
}

/// The counter of allocations counts: the same for an absent key.
#[test]
fn a_miss_does_allocate() {
    let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120)).build();
    let cache = cache.expect("valid");
    let allocated = allocation_counter::measure(|| drop(cache.get_or_compute(&1, |_| 1)));
    assert!(allocated.count_total > 0);
}

#[test]
fn handles_clone_without_an_allocation_and_can_be_sent() {
    fn anywhere<T: Clone + Send + Sync + 'static>(_: &T) {}
    let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120)).build();
    let cache: Cache<String, Vec<u8>> = cache.expect("valid");
    anywhere(&cache);
    let allocated = allocation_counter::measure(|| drop(cache.clone()));
    assert_eq!(allocated.count_total, 0);
}
