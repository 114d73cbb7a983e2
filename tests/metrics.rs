//! A mixed load on real threads, with errors, panics, inserts, invalidations and a pool with a full queue.
//! When all threads have returned, the counters balance and every key is usable.

#[allow(dead_code, reason = "each test file uses a part of it")]
mod common;

use common::{Counted, OnLooked, PAYLOAD, counted};
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use xfetch_core::{Cache, CallerRuns, Error, ManualClock, Metrics, Snapshot, Waiting, WorkerPool};

const THREADS: u64 = 8;
const REQUESTS: u64 = 5_000;
const KEYS: u64 = 5;

/// One thread's mix of operations, chosen by the digits of its counter.
fn load(thread: u64, ask: impl Fn(u64, u64), insert: impl Fn(u64), invalidate: impl Fn(u64)) {
    for step in 0..REQUESTS {
        let (number, key) = (step * THREADS + thread, (step * 7 + thread * 3) % KEYS);
        match number % 97 {
            0 => insert(key),
            1 => invalidate(key),
            _ => ask(key, number),
        }
    }
}

fn compute(number: u64) -> Result<u64, io::Error> {
    match number % 11 {
        0 => Err(io::Error::other("down")),
        1 => std::panic::resume_unwind(Box::new("boom")),
        _ => Ok(number),
    }
}

fn balance(counted: &Snapshot) {
    let Snapshot { leased, released, computes, failed, published, discarded, .. } = *counted;
    assert_eq!(leased, released, "{counted:?}");
    assert_eq!(computes, failed + published + discarded, "{counted:?}");
    assert_eq!(
        leased,
        computes + counted.skipped_inside + counted.dropped + counted.taken_over,
        "{counted:?}"
    );
    assert_eq!(counted.in_flight(), 0);
}

#[test]
fn the_counters_balance_at_rest_and_no_key_is_wedged() {
    let clock = ManualClock::new();
    let metrics = Arc::new(Metrics::new());
    let pool = WorkerPool::new(2, 2).expect("valid");
    let cache = Cache::builder(Duration::from_nanos(50), Duration::from_nanos(2_000))
        .clock(clock.clone())
        .observer(Arc::clone(&metrics))
        .executor(pool.clone())
        .back_off(Duration::from_nanos(10), Duration::from_nanos(100))
        .build()
        .expect("valid");
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (cache, clock) = (cache.clone(), clock.clone());
            thread::spawn(move || {
                let ask = |key, number| {
                    clock.advance(Duration::from_nanos(1));
                    drop(cache.try_get_or_compute(&key, move |_| compute(number)));
                };
                load(
                    thread,
                    ask,
                    |key| {
                        cache.insert(key, 1);
                    },
                    |key| cache.invalidate(&key),
                );
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no panic of ours"));
    pool.shut_down(Waiting::Run);
    let counted = metrics.snapshot();
    println!("{counted:?}");
    balance(&counted);
    let users = counted.inserted + counted.invalidated;
    assert_eq!(counted.requests() + users, THREADS * REQUESTS);
    for counter in [counted.hits_fresh, counted.hits_stale, counted.misses, counted.contended] {
        assert!(counter > 0, "the load was not mixed: {counted:?}");
    }

    clock.advance(Duration::from_secs(1));
    for key in 0..KEYS {
        assert_eq!(*cache.get_or_compute(&key, |_| 7).expect("every key is usable"), 7);
    }
    metrics.reset();
    assert_eq!(metrics.snapshot(), Snapshot::default());
}

#[test]
fn efficiency_is_the_share_of_triggers_without_a_compute_of_their_own() {
    let clock = ManualClock::new();
    let metrics = Arc::new(Metrics::new());
    let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120))
        .clock(clock.clone())
        .observer(Arc::clone(&metrics))
        .executor(CallerRuns)
        .build()
        .expect("valid");
    assert_eq!(metrics.snapshot().efficiency(), None, "no request has triggered");
    cache.insert("k", 1);
    clock.advance(Duration::from_secs(5));
    let inner = cache.clone();
    drop(cache.get_or_compute(&"k", move |key| {
        for _ in 0..99 {
            drop(inner.get_or_compute(key, |_| unreachable!("one is in flight")));
        }
        2
    }));
    let counted = metrics.snapshot();
    assert_eq!((counted.triggers(), counted.computes, counted.contended), (100, 1, 99));
    assert_eq!(counted.efficiency(), Some(0.99));
}

/// A cache of one key.
fn of_one_key() -> (Counted<OnLooked>, ManualClock, OnLooked, Arc<Metrics>) {
    let hook = OnLooked::default();
    let (cache, clock, metrics) = counted(hook.clone(), 1);
    (cache, clock, hook, metrics)
}

#[test]
fn a_nomination_is_counted_beside_its_fresh_hit() {
    let (cache, clock, _, metrics) = of_one_key();
    let slow = clock.clone();
    drop(cache.get_or_compute(&"k", move |_| {
        slow.advance(Duration::from_secs(1));
        1
    }));
    clock.advance(PAYLOAD / 2);
    assert_eq!((metrics.snapshot().nominated, metrics.snapshot().triggers()), (0, 1));
    drop(cache.get_or_compute(&"k", |_| 2));
    let counted = metrics.snapshot();
    assert_eq!((counted.hits_fresh, counted.nominated, counted.triggers()), (1, 1, 2));
    assert_eq!((counted.requests(), counted.computes), (2, 2));
}

#[test]
fn a_key_that_was_refreshed_before_the_lease_is_counted() {
    let (cache, clock, hook, metrics) = of_one_key();
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    let inner = cache.clone();
    hook.on_looked(move || {
        inner.insert("k", 2);
    });
    drop(cache.get_or_compute(&"k", |_| unreachable!("it was refreshed meanwhile")));
    let counted = metrics.snapshot();
    assert_eq!((counted.hits_stale, counted.skipped_before, counted.leased), (1, 1, 0));
}

#[test]
fn a_miss_that_would_close_a_cycle_is_counted() {
    let (cache, _, _, metrics) = of_one_key();
    let inner = cache.clone();
    drop(
        cache.try_get_or_compute(&"k", move |key| {
            inner.get_or_compute(key, |_| 1).map(|found| *found)
        }),
    );
    let counted = metrics.snapshot();
    assert_eq!((counted.cycles, counted.failed, counted.timed_out), (1, 1, 0));
}

#[test]
fn a_miss_that_times_out_is_counted() {
    let (cache, _, _, metrics) = of_one_key();
    let inner = cache.clone();
    drop(cache.get_or_compute(&"k", move |_| {
        let waits = thread::spawn(move || inner.get_or_compute(&"k", |_| 2).map(|found| *found));
        assert!(matches!(waits.join().expect("no panic"), Err(Error::Timeout { .. })));
        1
    }));
    let counted = metrics.snapshot();
    assert_eq!((counted.timed_out, counted.waited, counted.cycles), (1, 0, 0));
}

/// For an inserted key and for a computed one.
#[test]
fn an_eviction_is_counted() {
    let (cache, _, _, metrics) = of_one_key();
    cache.insert("first", 1);
    assert_eq!(metrics.snapshot().evicted, 0);
    cache.insert("second", 2);
    assert_eq!(metrics.snapshot().evicted, 1);
    drop(cache.get_or_compute(&"third", |_| 3));
    assert_eq!(metrics.snapshot().evicted, 2);
}
