//! Bounded memory: what is evicted, what is swept, and what neither may ever touch.
//!
//! - there are never more keys than the capacity;
//! - the eviction rule hits about as often as least-recently-used;
//! - a sweep removes dead entries and idle slots, and nothing that a request could see.

#[allow(dead_code, reason = "each test file uses a part of it")]
mod common;

use common::{HeldJobs, HighBits, Identity, LowBits, PAYLOAD, STORAGE, cache};
use proptest::prelude::*;
use std::collections::{BTreeSet, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault};
use std::io;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use xfetch_core::{
    Cache, CallerRuns, Clock, ConfigError, Error, Event, ManualClock, Moment, Observer,
};

/// A key is its own hash, so that every machine evicts the same.
#[derive(Clone, Default)]
struct Fixed(foldhash::fast::FixedState);

impl std::hash::BuildHasher for Fixed {
    type Hasher = foldhash::fast::FoldHasher<'static>;

    fn build_hasher(&self) -> Self::Hasher {
        self.0.build_hasher()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn there_are_never_more_keys_than_the_capacity(
        capacity in 1..40_usize,
        shards in 1..20_usize,
        operations in prop::collection::vec((0..100_u32, 0..4_u8), 1..300),
    ) {
        let cache = Cache::builder(PAYLOAD, STORAGE).capacity(capacity).shards(shards);
        let cache = cache.executor(CallerRuns).sweep_every(Duration::MAX).build().expect("valid");
        for (key, operation) in operations {
            match operation {
                0 => {
                    cache.insert(key, key);
                }
                1 => cache.invalidate(&key),
                _ => prop_assert_eq!(*cache.get_or_compute(&key, |key| *key).expect("computed"), key),
            }
            prop_assert!(cache.usage().keys <= capacity);
        }
    }
}

#[test]
fn a_requested_key_is_never_evicted_by_keys_without_requests() {
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(ManualClock::new()).capacity(16).shards(1);
    let cache = cache.build().expect("valid");
    cache.insert(u32::MAX, 0);
    for key in 0..10_000 {
        cache.insert(key, key);
        assert!(cache.get(&u32::MAX).is_some(), "gone after {key}");
    }
    assert_eq!(cache.usage().keys, 16);
}

/// Both keys were requested since the hand has passed. Only one can still be served.
#[test]
fn a_dead_entry_is_evicted_before_a_live_one() {
    for (dead, alive) in (0..20).flat_map(|key| [(key, key + 20), (key + 20, key)]) {
        let clock = ManualClock::new();
        let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).capacity(2).shards(1);
        let cache = cache.build().expect("valid");
        cache.insert(dead, ());
        clock.advance(STORAGE);
        cache.insert(alive, ());
        assert!(cache.get(&dead).is_none() && cache.get(&alive).is_some());
        cache.insert(100, ());
        assert!(cache.get(&alive).is_some(), "{dead} was dead, and {alive} had to go");
    }
}

/// An index keeps its places, of 16 bytes. It doubles them when 5 of 8 would be taken, so there are less than 16 for 5
/// keys of a shard's peak. A table gives back all that it had: at least a hash, a reference and a byte of control for each key.
#[test]
fn a_store_that_was_large_never_keeps_more_than_the_places_of_its_index() {
    let clock = ManualClock::new();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).build().expect("valid");
    for key in 0..10_000 {
        cache.insert(key, key);
    }
    let most = cache.usage().store_bytes;
    clock.advance(STORAGE);
    assert_eq!(cache.sweep().keys, 10_000);
    let least = cache.usage().store_bytes;
    assert!(least < 10_000 * 16 * 16 / 5, "{least} bytes are kept");
    assert!(most - least >= 10_000 * 17, "{least} of {most} bytes");
}

/// Zipf's law with exponent 0.99 over 10,000 keys, as in the peers' benchmarks.
fn zipf(requests: usize) -> Vec<u32> {
    let weights = (1..=10_000).map(|rank| f64::from(rank).powf(-0.99));
    let sums: Vec<f64> = weights
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect();
    let mut chance = fastrand::Rng::with_seed(7);
    let all = sums[sums.len() - 1];
    let drawn = (0..requests).map(|_| chance.f64() * all);
    drawn.map(|drawn| sums.partition_point(|sum| *sum < drawn) as u32).collect()
}

fn hits_of_lru(requests: &[u32], capacity: usize) -> usize {
    let mut kept: VecDeque<u32> = VecDeque::new();
    let mut hits = 0;
    for key in requests {
        hits += usize::from(kept.contains(key));
        kept.retain(|other| other != key);
        kept.push_front(*key);
        kept.truncate(capacity);
    }
    hits
}

fn hits_of_ours(requests: &[u32], capacity: usize) -> usize {
    hits_with(Fixed::default(), requests, capacity)
}

fn hits_with<S>(hasher: S, requests: &[u32], capacity: usize) -> usize
where
    S: BuildHasher + Send + Sync + 'static,
{
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(ManualClock::new()).capacity(capacity);
    let cache = cache.hasher(hasher).build().expect("valid");
    let mut hits = 0;
    for key in requests {
        hits += usize::from(cache.get(key).is_some());
        drop(cache.get_or_compute(key, |_| ()));
    }
    hits
}

#[test]
fn the_eviction_rule_is_never_much_worse_than_least_recently_used() {
    let requests = zipf(50_000);
    // Few places too: a shard must have a choice of what to evict.
    for capacity in [4, 20, 31, 100, 1_000] {
        let (ours, lru) = (hits_of_ours(&requests, capacity), hits_of_lru(&requests, capacity));
        let percent = |hits: usize| hits as f64 * 100.0 / requests.len() as f64;
        println!("capacity {capacity}: {:.1} % hits, LRU {:.1} %", percent(ours), percent(lru));
        assert!(percent(ours) > percent(lru) - 1.0);
    }
}

/// Keys that such a hasher put into one shard of sixteen would leave a sixteenth of the capacity.
#[test]
fn a_hasher_that_leaves_integers_alone_never_costs_hits() {
    let requests = zipf(50_000);
    let fair = hits_of_ours(&requests, 1_000) as f64;
    let of = |name: &str, hits: usize| {
        assert!((hits as f64 / fair - 1.0).abs() < 0.02, "{name}: {hits} hits, {fair} expected");
    };
    of("identity", hits_with(BuildHasherDefault::<Identity>::default(), &requests, 1_000));
    of("low bits", hits_with(BuildHasherDefault::<LowBits>::default(), &requests, 1_000));
    of("high bits", hits_with(BuildHasherDefault::<HighBits>::default(), &requests, 1_000));
}

#[test]
fn a_refresh_is_never_lost_to_an_eviction_of_its_key() {
    let clock = ManualClock::new();
    let jobs = HeldJobs::default();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(jobs.clone());
    let cache = cache.capacity(1).build().expect("valid");
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    assert!(cache.get_or_compute(&"k", |_| 2).expect("stale").is_stale());
    cache.insert("other", 1);
    assert!(cache.get(&"k").is_none(), "evicted");
    jobs.run_all();
    assert_eq!(cache.get(&"k").map(|found| *found), Some(2));
    assert_eq!(cache.usage().keys, 1);
}

#[test]
fn a_sweep_removes_dead_entries_and_idle_slots_and_nothing_else() {
    let (cache, clock) = cache();
    let fail = || drop(cache.try_get_or_compute(&"fails", |_| Err::<u32, _>(io::Error::other(""))));
    fail();
    cache.insert("old", 1);
    clock.advance(STORAGE - PAYLOAD);
    cache.insert("stale", 1);
    clock.advance(PAYLOAD);
    // The back-off of at most 100 ms ended 119 s ago, and the idle time is 60 s.
    let swept = cache.sweep();
    assert_eq!((swept.keys, swept.slots), (1, 1));
    fail();
    let swept = cache.sweep();
    assert_eq!((swept.keys, swept.slots), (0, 0), "it backs off");
    let usage = cache.usage();
    assert_eq!((usage.keys, usage.slots, usage.leases), (1, 1, 0));
}

/// A reader of the events tells keys apart by their hashes.
#[test]
fn a_sweep_emits_each_key_with_its_own_hash() {
    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<Vec<(u64, Event)>>>);
    impl Observer for Told {
        fn on(&self, key: u64, event: Event) {
            self.0.lock().expect("no panic").push((key, event));
        }
    }
    let clock = ManualClock::new();
    let told = Told::default();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).observer(told.clone());
    let cache = cache.sweep_every(Duration::MAX).build().expect("valid");
    for key in 0..5 {
        cache.insert(key, key);
        drop(cache.try_get_or_compute(&(key + 5), |_| Err(io::Error::other("down"))));
    }
    clock.advance(STORAGE);
    assert_eq!((cache.sweep().keys, cache.usage().slots), (5, 0));
    let told = told.0.lock().expect("no panic");
    let keys = |of: fn(&Event) -> bool| {
        let told = told.iter().filter(|(_, event)| of(event)).map(|(key, _)| *key);
        told.collect::<BTreeSet<_>>()
    };
    let (inserted, swept) = (
        keys(|event| matches!(event, Event::Inserted(_))),
        keys(|event| matches!(event, Event::Swept(_))),
    );
    assert_eq!((inserted.len(), inserted), (5, swept));
    let (leased, forgotten) = (
        keys(|event| matches!(event, Event::Leased(_))),
        keys(|event| matches!(event, Event::Forgotten)),
    );
    assert_eq!((leased.len(), leased), (5, forgotten));
}

/// The lease is held longer than the idle time: the report's soft cleanup would remove its lock.
#[test]
fn a_sweep_never_removes_the_slot_of_a_compute_in_flight() {
    let (cache, clock) = cache();
    let inner = cache.clone();
    let computed = cache.get_or_compute(&"k", move |_| {
        clock.advance(Duration::from_secs(86_400));
        assert_eq!(inner.sweep().slots, 0);
        let usage = inner.usage();
        assert_eq!((usage.leases, usage.slots), (1, 1));
        assert_eq!(usage.oldest_lease, Some(Duration::from_secs(86_400)));
        let nested = inner.clone();
        let oldest = inner.get_or_compute(&"younger", move |_| {
            nested.usage().oldest_lease.map_or(0, |held| held.as_secs() as u32)
        });
        assert_eq!(*oldest.expect("computed"), 86_400, "of two");
        inner.insert("k", 1);
        2
    });
    assert_eq!(computed.expect("its own value").version(), None, "the fence found the lease");
    assert_eq!(cache.usage().slots, 0);
}

/// Its age counts neither from the clock's origin nor from the first failure of the key.
#[test]
fn the_age_of_the_oldest_lease_is_the_time_that_it_is_held() {
    let (cache, clock) = cache();
    for _ in 0..3 {
        clock.advance(STORAGE);
        let (inner, time) = (cache.clone(), clock.clone());
        let failed = cache.try_get_or_compute(&"k", move |_| {
            time.advance(PAYLOAD);
            assert_eq!(inner.usage().oldest_lease, Some(PAYLOAD));
            Err(io::Error::other("down"))
        });
        assert!(matches!(failed, Err(Error::Failed(_))), "{failed:?}");
        assert_eq!((cache.usage().oldest_lease, cache.usage().slots), (None, 1));
    }
}

/// A clock that calls a test once, after a reading.
#[derive(Clone, Default)]
struct Descheduled(ManualClock, Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>);

impl Clock for Descheduled {
    fn now(&self) -> Moment {
        let now = self.0.now();
        let call = self.1.lock().expect("no panic").take();
        if let Some(call) = call {
            call();
        }
        now
    }
}

/// The entry is younger than the time that the sweep has read, by more than a lifetime. It looks as if the
/// clock had stepped back.
#[test]
fn a_descheduled_sweep_never_removes_an_entry_that_was_written_meanwhile() {
    let clock = Descheduled::default();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).build().expect("valid");
    cache.insert("k", 1);
    let (inner, time) = (cache.clone(), clock.0.clone());
    *clock.1.lock().expect("no panic") = Some(Box::new(move || {
        time.advance(STORAGE * 10);
        inner.insert("k", 2);
    }));
    assert_eq!(cache.sweep().keys, 0);
    assert_eq!(cache.get(&"k").map(|found| *found), Some(2));
}

#[test]
fn a_thread_sweeps_the_cache_as_long_as_the_cache_lives() {
    struct Tells(mpsc::Sender<Event>);
    impl Observer for Tells {
        fn on(&self, _: u64, event: Event) {
            if matches!(event, Event::Swept(_)) {
                self.0.send(event).expect("the test listens");
                std::panic::resume_unwind(Box::new("the observer panics"));
            }
        }
    }
    let clock = ManualClock::new();
    let (told, tells) = mpsc::channel();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).observer(Tells(told));
    let cache = cache.sweep_every(Duration::from_millis(1)).build().expect("valid");
    for _ in 0..2 {
        cache.insert("k", 1);
        clock.advance(STORAGE);
        tells.recv_timeout(Duration::from_secs(120)).expect("swept, and not ended by a panic");
    }
    drop(cache);
    let ended = tells.recv_timeout(Duration::from_secs(120));
    assert_eq!(ended, Err(mpsc::RecvTimeoutError::Disconnected), "the observer is gone with it");
}

#[test]
fn a_capacity_of_zero_and_a_period_of_zero_are_refused() {
    let builder = || Cache::<u8, u8>::builder(PAYLOAD, STORAGE);
    let error = builder().capacity(0).build().expect_err("none");
    assert_eq!(error.to_string(), "a capacity of 0 keys is below the limit of 1");
    let period = Duration::from_nanos(1);
    let error = builder().sweep_every(period).build().expect_err("never ends");
    assert_eq!(error, ConfigError::SweepPeriod { period });
    assert_eq!(error.to_string(), "a sweep every 1ns is more often than the limit, every 1ms");
}
