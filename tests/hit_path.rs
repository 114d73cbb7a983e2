//! The cost of a fresh hit, counted and not timed: no lease, no allocation, one reading of the clock.

use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;
use xfetch_core::{Cache, Clock, ManualClock, Metrics, Moment};

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
    let key = "a key that would be long to copy";
    drop(cache.get_or_compute(&key.to_owned(), |_| vec![0_u8; 1_000]));
    let before = clock.0.load(Ordering::Relaxed);
    metrics.reset();
    let allocated = allocation_counter::measure(|| {
        for _ in 0..100 {
            let found = cache.get_or_compute(key, |_| unreachable!("fresh"));
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

/// A key whose `Eq` waits for the test, if it is told to.
#[derive(Clone, Debug)]
struct Slow(u32, Option<Arc<Barrier>>);

impl PartialEq for Slow {
    fn eq(&self, other: &Self) -> bool {
        for barrier in [&self.1, &other.1].into_iter().flatten() {
            barrier.wait();
            barrier.wait();
        }
        self.0 == other.0
    }
}

impl Eq for Slow {}

impl Hash for Slow {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.hash(hasher);
    }
}

/// An insert stands in the `Eq` of its key, which runs under the lock of the one shard.
#[test]
fn a_hit_never_waits_for_the_lock_of_its_shard() {
    let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120)).shards(1).build();
    let cache = cache.expect("valid");
    for key in [1, 2] {
        cache.insert(Slow(key, None), key);
    }
    let barrier = Arc::new(Barrier::new(2));
    std::thread::scope(|scope| {
        let slow = Slow(1, Some(Arc::clone(&barrier)));
        let insert = scope.spawn(|| cache.insert(slow, 3));
        barrier.wait();
        assert_eq!(cache.get(&Slow(2, None)).map(|found| *found), Some(2));
        assert_eq!(cache.get(&Slow(1, None)).map(|found| *found), Some(1), "not inserted yet");
        // The table's `Eq`; the lease table has no slot of the key.
        barrier.wait();
        insert.join().expect("no panic");
    });
    assert_eq!(cache.usage().keys, 2);
}

/// A clock whose coarse time is behind by this much at the moment.
#[derive(Clone)]
struct Lagging(ManualClock, Arc<AtomicU64>);

const LAG: Duration = Duration::from_millis(64);

impl Clock for Lagging {
    fn now(&self) -> Moment {
        self.0.now()
    }

    fn coarse(&self) -> Moment {
        let behind = self.1.load(Ordering::Relaxed);
        Moment::from_nanos(self.0.now().as_nanos().saturating_sub(behind))
    }

    fn lag(&self) -> Duration {
        LAG
    }
}

/// From a publication until after both deadlines, at every millisecond and with every lag that the clock may have.
#[test]
fn a_value_is_never_served_past_a_deadline_that_the_coarse_time_has_not_reached() {
    // The coarse time may be from before the publication, and a lag may be longer than a lifetime.
    for lifetimes in
        [(500, 800), (500, 500), (100, 130), (64, 300), (10, 800), (1, 2), (1, 1), (0, 9), (0, 0)]
    {
        never_served_late(lifetimes);
    }
}

fn never_served_late(lifetimes: (u64, u64)) {
    let (payload, storage) =
        (Duration::from_millis(lifetimes.0), Duration::from_millis(lifetimes.1));
    let (time, behind) = (ManualClock::new(), Arc::new(AtomicU64::new(0)));
    let clock = Lagging(time.clone(), Arc::clone(&behind));
    let cache = Cache::builder(payload, storage).clock(clock).build().expect("valid");
    let from = Moment::ORIGIN.after(Duration::from_secs(1));
    time.set(from);
    cache.insert("key", 1);
    for elapsed in (0..900).map(Duration::from_millis) {
        time.set(from.after(elapsed));
        for lag in [0, 1, 63, 64] {
            behind.store(lag * 1_000_000, Ordering::Relaxed);
            let seen = cache.get(&"key").map(|found| found.is_stale());
            let expected = (elapsed < storage).then_some(elapsed >= payload);
            assert_eq!(seen, expected, "{lifetimes:?}: {elapsed:?} after, {lag} ms behind");
        }
    }
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
