//! Faults that users of other caches met. Each test is named after what must not happen.

#[allow(dead_code, reason = "each test file uses a part of it")]
mod common;

use common::{HeldJobs, HighBits, Identity, LowBits, PAYLOAD, STORAGE};
use std::cell::{Cell, RefCell};
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::Duration;
use xfetch_core::{
    Cache, CallerRuns, Clock, Event, Executor, Job, ManualClock, Metrics, Moment, NoObserver,
    Observer, Waiting, WeakCache, With, WorkerPool,
};

fn down<V>() -> Result<V, io::Error> {
    Err(io::Error::other("down"))
}

// A: a write ends what began before it.

#[test]
fn a_queued_refresh_never_brings_an_invalidated_key_back() {
    for all in [false, true] {
        let (clock, held) = (ManualClock::new(), HeldJobs::default());
        let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(held.clone());
        let cache = cache.build().expect("valid");
        cache.insert("session", "alice");
        clock.advance(PAYLOAD);
        assert!(cache.get_or_compute(&"session", |_| "alice").is_ok(), "its refresh is queued");
        if all {
            cache.invalidate_all();
        } else {
            cache.invalidate(&"session");
        }
        held.run_all();
        assert!(cache.get(&"session").is_none());
    }
}

/// A compute of another thread, which is held until it is told how to end.
struct Computing {
    end: mpsc::Sender<Result<u32, io::Error>>,
    request: thread::JoinHandle<Result<u32, String>>,
}

fn computing(cache: &Cache<&'static str, u32>) -> Computing {
    let ((started, begun), (end, ends)) = (mpsc::channel(), mpsc::channel());
    let cache = cache.clone();
    let request = thread::spawn(move || {
        let found = cache.try_get_or_compute(&"k", move |_| {
            started.send(()).expect("somebody waits");
            ends.recv().expect("it is told")
        });
        found.map(|found| *found).map_err(|error| error.to_string())
    });
    begun.recv().expect("it starts");
    Computing { end, request }
}

fn cache() -> Cache<&'static str, u32> {
    Cache::builder(Duration::from_secs(60), STORAGE).build().expect("valid")
}

#[test]
fn a_request_after_an_invalidation_never_waits_for_an_older_compute_nor_gets_its_error() {
    let cache = cache();
    let old = computing(&cache);
    cache.invalidate(&"k");
    assert_eq!(*cache.get_or_compute(&"k", |_| 7).expect("the origin is up"), 7);
    old.end.send(down()).expect("it waits");
    assert_eq!(old.request.join().expect("no panic"), Ok(7), "there is a value by now");
    assert_eq!(cache.get(&"k").map(|found| *found), Some(7));
    assert_eq!(*cache.get_or_compute(&"k", |_| 8).expect("fresh"), 7, "no back-off");
}

#[test]
fn the_waiters_of_a_hung_compute_never_wait_beyond_an_insert() {
    let cache = cache();
    let hung = computing(&cache);
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            let cache = cache.clone();
            thread::spawn(move || cache.get_or_compute(&"k", |_| 1).map(|found| *found))
        })
        .collect();
    thread::sleep(Duration::from_millis(50));
    cache.insert("k", 7);
    for waiter in waiters {
        assert_eq!(waiter.join().expect("no panic").expect("handed on"), 7);
    }
    hung.end.send(Ok(2)).expect("it waits");
    assert_eq!(hung.request.join().expect("no panic"), Ok(2), "its own request asked before");
    assert_eq!(cache.get(&"k").map(|found| *found), Some(7));
}

#[test]
fn waiters_that_asked_before_an_invalidation_never_compute_again() {
    let cache = cache();
    let old = computing(&cache);
    let waiter = {
        let cache = cache.clone();
        thread::spawn(move || cache.get_or_compute(&"k", |_| unreachable!()).map(|found| *found))
    };
    thread::sleep(Duration::from_millis(50));
    cache.invalidate(&"k");
    old.end.send(Ok(2)).expect("it waits");
    assert_eq!(waiter.join().expect("no panic").expect("it asked before"), 2);
    assert!(cache.get(&"k").is_none(), "nobody else gets it");
}

// B: a compute that never returns.

#[test]
fn a_hung_compute_never_holds_its_key_beyond_the_compute_timeout() {
    let metrics = Arc::new(Metrics::new());
    let cache = Cache::<&str, u32>::builder(Duration::from_secs(60), STORAGE)
        .compute_timeout(Duration::from_millis(50))
        .observer(Arc::clone(&metrics))
        .build()
        .expect("valid");
    let (started, begun) = mpsc::channel();
    let (end, ends) = mpsc::channel::<()>();
    let hung = cache.clone();
    let hung = thread::spawn(move || {
        let found = hung.get_or_compute(&"k", move |_| {
            started.send(()).expect("somebody waits");
            ends.recv().expect("it is told");
            1
        });
        found.map(|found| (*found, found.version()))
    });
    begun.recv().expect("it starts");
    assert_eq!(*cache.get_or_compute(&"k", |_| 2).expect("a waiter computes"), 2);
    end.send(()).expect("it waits");
    assert_eq!(hung.join().expect("no panic").expect("its own"), (1, None), "it is discarded");
    assert_eq!(cache.get(&"k").map(|found| *found), Some(2));
    let counted = metrics.snapshot();
    assert_eq!((counted.revoked, counted.discarded, counted.in_flight()), (1, 1, 0));
}

#[test]
fn a_hung_refresh_never_holds_its_key_beyond_the_compute_timeout() {
    let (clock, held) = (ManualClock::new(), HeldJobs::default());
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(held.clone());
    let cache: OnHeld = cache.compute_timeout(PAYLOAD).build().expect("valid");
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    let inner = (cache.clone(), clock.clone());
    let stale = cache.get_or_compute(&"k", move |_| {
        // It takes too long, and the next stale request takes the key.
        inner.1.advance(PAYLOAD);
        assert_eq!(*inner.0.get_or_compute(&"k", |_| 3).expect("stale"), 1);
        2
    });
    assert_eq!(*stale.expect("stale"), 1);
    held.run_all();
    held.run_all();
    assert_eq!(cache.get(&"k").map(|found| *found), Some(3));
}

// D: keys that fail.

#[test]
fn keys_that_fail_are_never_kept_beyond_the_capacity() {
    let clock = ManualClock::new();
    let cache = Cache::<u64, u32>::builder(PAYLOAD, STORAGE).capacity(1_000).clock(clock.clone());
    let cache = cache.sweep_every(Duration::MAX).executor(CallerRuns).build().expect("valid");
    for key in 0..20_000 {
        assert!(cache.try_get_or_compute(&key, |_| down()).is_err());
        clock.advance(Duration::from_nanos(1));
    }
    let usage = cache.usage();
    assert!(usage.slots <= 1_000, "{usage:?}");
    let last = cache.get_or_compute(&19_999, |_| unreachable!("it backs off"));
    assert!(last.is_err(), "the oldest ones go first");
}

#[test]
fn a_back_off_of_zero_never_remembers_a_failure() {
    let cache =
        Cache::<u64, u32>::builder(PAYLOAD, STORAGE).back_off(Duration::ZERO, Duration::ZERO);
    let cache = cache.executor(CallerRuns).build().expect("valid");
    (0..100).for_each(|key| drop(cache.try_get_or_compute(&key, |_| down())));
    assert_eq!(cache.usage().slots, 0);
}

// F: the dead keep their place.

#[test]
fn a_live_entry_never_makes_room_while_there_is_a_dead_one() {
    for live in 1..50_u64 {
        let clock = ManualClock::new();
        let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).shards(1);
        let cache = cache.capacity(live as usize + 1).executor(CallerRuns);
        let cache = cache.sweep_every(Duration::MAX).build().expect("valid");
        cache.insert(0, ());
        clock.advance(STORAGE);
        (1..=live).for_each(|key| {
            cache.insert(key, ());
        });
        cache.insert(1_000, ());
        let kept = (1..=live).filter(|key| cache.get(key).is_some()).count();
        assert_eq!(kept, live as usize);
    }
}

// G: hashers.

fn kept<H: Hasher + Default + 'static>() -> usize {
    let cache = Cache::builder(PAYLOAD, STORAGE).capacity(10_000);
    let cache = cache.hasher(BuildHasherDefault::<H>::default()).build().expect("valid");
    (0..10_000_u64).for_each(|key| {
        cache.insert(key, ());
    });
    cache.usage().keys
}

/// A shard of 625 places that gets its share of 10,000 keys at random overflows a little.
#[test]
fn no_shard_is_left_empty_by_a_hasher_that_leaves_integers_alone() {
    for kept in [kept::<Identity>(), kept::<LowBits>(), kept::<HighBits>()] {
        assert!(kept > 9_500, "{kept}");
    }
}

// H: a clock that stepped back.

#[test]
fn an_entry_from_the_future_is_never_kept_by_a_sweep() {
    let (clock, day) = (ManualClock::new(), Duration::from_secs(86_400));
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(CallerRuns);
    let cache = cache.build().expect("valid");
    clock.advance(7_300 * day);
    (0..1_000).for_each(|key| {
        cache.insert(key, ());
    });
    clock.set(Moment::ORIGIN);
    assert_eq!((cache.sweep().keys, cache.usage().keys), (1_000, 0));
}

// I: the early window.

#[test]
fn a_compute_that_outlasts_the_payload_ttl_is_never_repeated_in_the_first_half_of_it() {
    let (clock, metrics) = (ManualClock::new(), Arc::new(Metrics::new()));
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(CallerRuns);
    let cache = cache.observer(Arc::clone(&metrics)).build().expect("valid");
    let mut last = None;
    for _ in 0..200 {
        let before = metrics.snapshot().computes;
        let slow = clock.clone();
        let at = xfetch_core::Clock::now(&clock);
        assert!(cache.get_or_compute(&"k", move |_| slow.advance(PAYLOAD * 10)).is_ok());
        if metrics.snapshot().computes > before {
            assert!(last.is_none_or(|last| at.since(last) >= PAYLOAD / 2), "{last:?} {at:?}");
            last = Some(xfetch_core::Clock::now(&clock));
        }
        clock.advance(Duration::from_millis(100));
    }
}

// J: work for nobody.

#[test]
fn a_queued_refresh_never_computes_for_a_cache_that_nobody_holds() {
    let (clock, held) = (ManualClock::new(), HeldJobs::default());
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(held.clone());
    let cache = cache.build().expect("valid");
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    assert!(cache.get_or_compute(&"k", |_| unreachable!("nobody asks any more")).is_ok());
    drop(cache);
    held.run_all();
}

/// A refresh that runs holds what the handles share: the next one must not take it for a handle.
#[test]
fn a_refresh_that_runs_never_keeps_a_cache_alive_for_the_next_ones() {
    let (clock, held, metrics) =
        (ManualClock::new(), HeldJobs::default(), Arc::new(Metrics::new()));
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(held.clone());
    let cache = cache.observer(Arc::clone(&metrics)).build().expect("valid");
    (0..4).for_each(|key| _ = cache.insert(key, 0));
    clock.advance(PAYLOAD);
    let weak = cache.downgrade();
    for key in 1..4 {
        assert!(cache.get_or_compute(&key, |_| unreachable!("nobody asks any more")).is_ok());
    }
    let later = held.take();
    let (last, queued) = (Arc::new(Mutex::new(None)), held.clone());
    let handle = Arc::clone(&last);
    let compute = move |_: &i32| {
        drop(handle.lock().expect("no panic").take());
        later.into_iter().for_each(Job::run);
        assert!(weak.upgrade().is_none());
        1
    };
    assert!(cache.get_or_compute(&0, compute).is_ok());
    *last.lock().expect("no panic") = Some(cache);
    queued.run_all();
    assert_eq!(metrics.snapshot().computes, 1);
}

// L: drops under a lease.

type OnHeld = Cache<&'static str, u32, With<ManualClock, NoObserver, HeldJobs>>;

/// It asks for the key when it is dropped, and counts the answers.
struct Asks(OnHeld, Arc<AtomicU32>);

impl Drop for Asks {
    fn drop(&mut self) {
        let found = self.0.get_or_compute(&"k", |_| 3);
        self.1.fetch_add(u32::from(found.is_ok()), Ordering::Relaxed);
    }
}

/// The compute of a queued refresh owns a value whose drop asks for the key of that refresh.
#[test]
fn a_drop_that_asks_for_its_own_key_never_waits_for_itself() {
    for (invalidated, runs) in [(false, true), (true, true), (false, false), (true, false)] {
        let (clock, held) = (ManualClock::new(), HeldJobs::default());
        let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(held.clone());
        let cache: OnHeld = cache.wait_timeout(Duration::ZERO).build().expect("valid");
        let answers = Arc::new(AtomicU32::new(0));
        let asks = Asks(cache.clone(), Arc::clone(&answers));
        cache.insert("k", 1);
        clock.advance(PAYLOAD);
        let compute = move |_: &&'static str| {
            let _keep = &asks;
            2
        };
        assert!(cache.get_or_compute(&"k", compute).is_ok());
        if invalidated {
            cache.invalidate(&"k");
        } else {
            // Fresh by now: the refresh skips, and drops its compute.
            cache.insert("k", 4);
        }
        if runs {
            held.run_all();
        } else {
            held.drop_all();
        }
        assert_eq!(answers.load(Ordering::Relaxed), 1, "{invalidated} {runs}");
    }
}

// N and O: panics.

thread_local! {
    static LAST: RefCell<Option<AsksLast>> = const { RefCell::new(None) };
}

struct AsksLast(Cache<&'static str, u32>, mpsc::Sender<u32>);

impl Drop for AsksLast {
    fn drop(&mut self) {
        let found = self.0.get_or_compute(&"k", |_| 7).map(|found| *found);
        self.1.send(found.unwrap_or_default()).expect("somebody waits");
    }
}

#[test]
fn a_cache_never_panics_in_the_destructor_of_a_thread_local() {
    let (answer, answers) = mpsc::channel();
    let cache = cache();
    thread::spawn(move || {
        assert!(cache.get_or_compute(&"other", |_| 1).is_ok());
        LAST.set(Some(AsksLast(cache, answer)));
    })
    .join()
    .expect("no panic");
    assert_eq!(answers.recv(), Ok(7));
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        resume_unwind(Box::new("a drop that panics"));
    }
}

#[test]
fn a_drop_that_panics_never_ends_the_process_nor_the_request_of_another_key() {
    let cache = Cache::<u32, Bomb>::builder(PAYLOAD, STORAGE).build().expect("valid");
    (0..3).for_each(|key| {
        cache.insert(key, Bomb);
    });
    cache.invalidate(&0);
    cache.invalidate_all();
    assert_eq!(cache.usage().keys, 0);
    let small = Cache::<u32, Bomb>::builder(PAYLOAD, STORAGE).capacity(1).build().expect("valid");
    for key in 0..3 {
        small.insert(key, Bomb);
        let found = small.get_or_compute(&(key + 10), |_| Bomb).expect("a value");
        assert!(found.version().is_some());
        std::mem::forget(found);
    }
}

/// Without the process-wide hook, which would print the panic.
fn panics() -> ! {
    resume_unwind(Box::new("the user's code panics"))
}

/// Panics at the event with this number.
struct PanicsAt(AtomicU32, u32);

impl Observer for PanicsAt {
    fn on(&self, _key: u64, _event: Event) {
        if self.0.fetch_add(1, Ordering::Relaxed) == self.1 {
            panics();
        }
    }
}

/// Panics at the reading with this number.
struct StopsAt(AtomicU32, u32);

impl Clock for StopsAt {
    fn now(&self) -> Moment {
        if self.0.fetch_add(1, Ordering::Relaxed) == self.1 {
            panics();
        }
        Moment::ORIGIN
    }
}

/// A miss takes eight steps at most, and reads the clock six times at most.
#[test]
fn a_panic_of_the_clock_or_of_the_observer_never_leaves_a_compute_in_flight() {
    let asks = |cache: &dyn Fn(), metrics: &Metrics, what: &str| {
        let ended = catch_unwind(AssertUnwindSafe(cache));
        let counted = metrics.snapshot();
        assert_eq!(counted.in_flight(), 0, "{what}, {ended:?}: {counted:?}");
        assert_eq!(counted.leased, counted.released, "{what}, {ended:?}: {counted:?}");
        ended.is_err()
    };
    let mut panicked = [0; 3];
    for at in 0..16 {
        let metrics = Arc::new(Metrics::new());
        let cache = Cache::builder(PAYLOAD, STORAGE).clock(ManualClock::new());
        let first = cache.observer((PanicsAt(0.into(), at), Arc::clone(&metrics)));
        let cache = first.build().expect("valid");
        let ask = || drop(cache.get_or_compute(&"k", |_| 1));
        panicked[0] += u32::from(asks(&ask, &metrics, &format!("first observer, event {at}")));

        let metrics = Arc::new(Metrics::new());
        let cache = Cache::builder(PAYLOAD, STORAGE).clock(ManualClock::new());
        let second = cache.observer((Arc::clone(&metrics), PanicsAt(0.into(), at)));
        let cache = second.build().expect("valid");
        let ask = || drop(cache.get_or_compute(&"k", |_| 1));
        panicked[1] += u32::from(asks(&ask, &metrics, &format!("second observer, event {at}")));

        let metrics = Arc::new(Metrics::new());
        let clock = StopsAt(0.into(), at);
        let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock).observer(Arc::clone(&metrics));
        let cache = cache.build().expect("valid");
        let ask = || drop(cache.get_or_compute(&"k", |_| 1));
        panicked[2] += u32::from(asks(&ask, &metrics, &format!("clock, reading {at}")));
    }
    assert!(panicked.iter().all(|panicked| (3..16).contains(panicked)), "{panicked:?}");
}

#[test]
fn a_part_is_never_refused_because_it_is_boxed_or_shared() {
    let metrics = Arc::new(Metrics::new());
    let observer: Arc<dyn Observer> = metrics.clone();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new());
    let executor: Box<dyn Executor> = Box::new(CallerRuns);
    let cache = Cache::builder(PAYLOAD, STORAGE).observer(observer).clock(clock).executor(executor);
    let cache = cache.build().expect("valid");
    assert!(cache.get_or_compute(&"k", |_| 1).is_ok_and(|found| *found == 1));
    assert_eq!(metrics.snapshot().computes, 1);
    let shared = Arc::new(WorkerPool::new(1, 1).expect("valid"));
    let cache = Cache::<u32, u32>::builder(PAYLOAD, STORAGE).executor(shared).build();
    assert!(catch_unwind(move || drop(cache)).is_ok(), "a cache may cross a caught panic");
}

/// A registered refresh that asks its own cache.
#[test]
fn a_weak_handle_never_keeps_a_cache_alive() {
    let own: Arc<OnceLock<WeakCache<u32, u32>>> = Arc::default();
    let inside = Arc::clone(&own);
    let cache = Cache::builder(PAYLOAD, STORAGE);
    let cache = cache.refresh(move |_| u32::from(inside.get().is_some())).build().expect("valid");
    assert!(own.set(cache.downgrade()).is_ok());
    assert_eq!(cache.get_or_refresh(&1).map(|found| *found).ok(), Some(1));
    let weak = cache.downgrade();
    assert!(weak.clone().upgrade().is_some());
    drop(cache);
    // The sweeper and a worker hold it only while they work.
    while weak.upgrade().is_some() {
        thread::yield_now();
    }
}

#[test]
fn a_shutdown_with_a_limit_never_waits_for_a_job_that_hangs() {
    let ((begin, begun), (end, ends)) = (mpsc::channel(), mpsc::channel::<()>());
    let (clock, pool) = (ManualClock::new(), WorkerPool::new(2, 8).expect("valid"));
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(pool.clone());
    let cache = cache.build().expect("valid");
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    let hangs = move |_: &&str| {
        begin.send(()).expect("somebody waits");
        _ = ends.recv();
        2
    };
    assert!(cache.get_or_compute(&"k", hangs).is_ok_and(|found| *found == 1));
    begun.recv().expect("it starts");
    let late = pool.shut_down_within(Waiting::Run, Duration::from_millis(1)).expect_err("it hangs");
    assert!((1..=2).contains(&late.threads), "{late}");
    drop(end);
    pool.shut_down_within(Waiting::Run, Duration::from_secs(60)).expect("the job has ended");
    assert_eq!(cache.get(&"k").map(|found| *found), Some(2));
}

// What an adversary of these claims found.

#[test]
fn a_key_that_fails_never_loses_its_own_back_off_to_longer_ones() {
    let clock = ManualClock::new();
    let cache = Cache::<u32, u32>::builder(PAYLOAD, STORAGE).clock(clock.clone()).capacity(10);
    let cache = cache.shards(1).sweep_every(Duration::MAX).build().expect("valid");
    for _ in 0..10 {
        (0..10).for_each(|key| drop(cache.try_get_or_compute(&key, |_| down())));
        clock.advance(Duration::from_secs(31));
    }
    (0..10).for_each(|key| drop(cache.try_get_or_compute(&key, |_| down())));
    let computes = Arc::new(AtomicU32::new(0));
    for _ in 0..100 {
        let computes = Arc::clone(&computes);
        let fails = move |_: &u32| {
            computes.fetch_add(1, Ordering::Relaxed);
            down()
        };
        assert!(cache.try_get_or_compute(&10, fails).is_err());
    }
    assert_eq!((computes.load(Ordering::Relaxed), cache.usage().slots), (1, 10));
}

#[test]
fn a_failure_from_the_future_is_never_kept_by_a_sweep() {
    let clock = ManualClock::new();
    clock.advance(Duration::from_secs(1_000_000));
    let cache = Cache::<u32, u32>::builder(PAYLOAD, STORAGE).clock(clock.clone());
    let cache = cache.sweep_every(Duration::MAX).build().expect("valid");
    (0..10).for_each(|key| drop(cache.try_get_or_compute(&key, |_| down())));
    assert_eq!((cache.sweep().slots, cache.usage().slots), (0, 10), "they are of now");
    clock.set(Moment::ORIGIN);
    assert_eq!((cache.sweep().slots, cache.usage().slots), (10, 0));
}

#[test]
fn a_dead_entry_from_the_future_never_outlives_a_live_one() {
    let clock = ManualClock::new();
    clock.advance(STORAGE * 10);
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).shards(1).capacity(20);
    let cache = cache.sweep_every(Duration::MAX).build().expect("valid");
    (0..10).for_each(|key| _ = cache.insert(key, ()));
    clock.set(Moment::ORIGIN);
    (10..30).for_each(|key| _ = cache.insert(key, ()));
    assert_eq!((10..30).filter(|key| cache.get(key).is_some()).count(), 20);
}

thread_local! {
    static ASKS: RefCell<Option<Box<dyn Fn()>>> = const { RefCell::new(None) };
}

/// A key whose next drop on this thread does what `ASKS` says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Touchy(u32);

impl Drop for Touchy {
    fn drop(&mut self) {
        if let Some(asks) = ASKS.with_borrow_mut(Option::take) {
            asks();
        }
    }
}

/// Armed in the compute, and armed before a request that gets the lease of a slot that remembers a failure.
#[test]
fn a_key_whose_drop_asks_for_it_never_waits_for_itself() {
    for in_the_compute in [true, false] {
        let clock = ManualClock::new();
        let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone());
        let cache = cache.wait_timeout(Duration::from_secs(60)).build().expect("valid");
        drop(cache.try_get_or_compute(&Touchy(1), |_| down()));
        clock.advance(Duration::from_secs(1));
        let (weak, answers) = (cache.downgrade(), Arc::new(Mutex::new(Vec::new())));
        let told = Arc::clone(&answers);
        let arm = move || {
            let (weak, told) = (weak.clone(), Arc::clone(&told));
            let asks = move || {
                let found = weak.upgrade().expect("held").get_or_compute(&Touchy(1), |_| 2);
                told.lock().expect("no panic").push(found.map(|found| *found).map_err(drop));
            };
            ASKS.with_borrow_mut(|slot| *slot = Some(Box::new(asks)));
        };
        let key = std::mem::ManuallyDrop::new(Touchy(1));
        if !in_the_compute {
            arm();
        }
        let found = cache.get_or_compute(&*key, move |_| {
            if in_the_compute {
                arm();
            }
            1
        });
        assert_eq!(found.map(|found| *found).ok(), Some(1), "{in_the_compute}");
        ASKS.with_borrow_mut(Option::take);
        assert_eq!(*answers.lock().expect("no panic"), [Ok(1)], "{in_the_compute}");
    }
}

static ARMED: AtomicU32 = AtomicU32::new(0);

/// Its drop panics while it is armed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Explosive(u32);

impl Drop for Explosive {
    fn drop(&mut self) {
        if ARMED.load(Ordering::Relaxed) > 0 {
            panics();
        }
    }
}

#[test]
fn a_key_and_a_value_whose_drops_panic_never_end_the_process() {
    let clock = ManualClock::new();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(CallerRuns);
    let cache = cache.sweep_every(Duration::MAX).build().expect("valid");
    let key = std::mem::ManuallyDrop::new(Explosive(1));
    (0..4).for_each(|key| _ = cache.insert(Explosive(key), Explosive(key)));
    clock.advance(PAYLOAD);
    ARMED.store(1, Ordering::Relaxed);
    let refreshed = cache.get_or_compute(&*key, |_| Explosive(10)).map(std::mem::ManuallyDrop::new);
    assert!(refreshed.is_ok_and(|found| found.is_stale()));
    cache.invalidate(&*key);
    assert!(
        cache.get_or_compute(&*key, |_| Explosive(11)).map(std::mem::ManuallyDrop::new).is_ok()
    );
    clock.advance(STORAGE - PAYLOAD);
    assert_eq!(cache.sweep().keys, 3);
    cache.insert(Explosive(5), Explosive(5));
    cache.insert(Explosive(6), Explosive(6));
    drop(cache);
    ARMED.store(0, Ordering::Relaxed);
}

/// The first compute hangs until it is told to end, and is revoked. The second one hangs. A waiter that came while both
/// were in flight tries again when the first has ended.
#[test]
fn a_waiter_behind_two_hung_computes_never_waits_when_one_has_ended() {
    let cache = Cache::builder(PAYLOAD, STORAGE).compute_timeout(Duration::from_millis(20));
    let cache = cache.wait_timeout(Duration::from_secs(60)).build().expect("valid");
    let (first, second) = (computing(&cache), computing(&cache));
    let waits = cache.clone();
    let waiter = thread::spawn(move || waits.get_or_compute(&"k", |_| 3).map(|found| *found).ok());
    while cache.usage().leases < 2 {
        thread::yield_now();
    }
    first.end.send(Ok(1)).expect("it waits");
    assert_eq!(waiter.join().expect("no panic"), Some(3));
    second.end.send(Ok(2)).expect("it waits");
    assert!(first.request.join().is_ok() && second.request.join().is_ok());
}

thread_local! {
    static EQ_PANICS: Cell<bool> = const { Cell::new(false) };
}

/// A key whose next comparison on this thread panics if it is armed.
#[derive(Clone, Debug, Eq)]
struct Fragile(u32);

impl Hash for Fragile {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.hash(hasher);
    }
}

impl PartialEq for Fragile {
    fn eq(&self, other: &Self) -> bool {
        if EQ_PANICS.take() {
            panics();
        }
        self.0 == other.0
    }
}

/// What a drop of a value does, if the value has it.
struct Does(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Drop for Does {
    fn drop(&mut self) {
        if let Some(does) = self.0.take() {
            does();
        }
    }
}

/// The key has a slot, since its compute has failed: so its `Eq` is asked for the last time in the lease table, when the
/// shard is locked. Meanwhile another thread asks for a key that the index lacks, and needs the shard's lock.
#[test]
fn an_insert_whose_eq_panics_never_drops_its_value_under_the_lock() {
    let cache = Cache::<Fragile, Does>::builder(PAYLOAD, STORAGE).shards(1).build().expect("valid");
    drop(cache.try_get_or_compute(&Fragile(1), |_| down()));
    let (weak, (tell, told)) = (cache.downgrade(), mpsc::channel());
    let value = Does(Some(Box::new(move || {
        let cache = weak.upgrade().expect("held");
        let (found, finds) = mpsc::channel();
        thread::spawn(move || found.send(cache.get(&Fragile(2)).is_none()));
        tell.send(finds.recv_timeout(Duration::from_secs(10))).expect("the test listens");
    })));
    EQ_PANICS.set(true);
    let inserting = cache.clone();
    let inserted = catch_unwind(AssertUnwindSafe(move || {
        inserting.insert(Fragile(1), value);
    }));
    assert!(inserted.is_err());
    assert_eq!(told.recv_timeout(Duration::from_secs(60)), Ok(Ok(true)));
}

/// Replaces the value of the key between the look of a stale request and its re-check. So that request has the last
/// reference of the old value.
struct ReplacesOnce(Arc<Mutex<Option<Cache<u32, Does, With<ManualClock, Self, CallerRuns>>>>>);

impl Observer for ReplacesOnce {
    fn on(&self, _: u64, event: Event) {
        if matches!(event, Event::StaleHit(_)) {
            let cache = self.0.lock().expect("no panic").take();
            if let Some(cache) = cache {
                cache.insert(1, Does(None));
            }
        }
    }
}

#[test]
fn a_value_whose_drop_panics_never_ends_the_request_that_held_it_last() {
    let (clock, slot) = (ManualClock::new(), Arc::new(Mutex::new(None)));
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(CallerRuns);
    let cache = cache.observer(ReplacesOnce(Arc::clone(&slot))).build().expect("valid");
    cache.insert(1, Does(Some(Box::new(|| panics()))));
    clock.advance(PAYLOAD);
    *slot.lock().expect("no panic") = Some(cache.clone());
    let found = cache.get_or_compute(&1, |_| unreachable!("it was replaced"));
    assert!(found.is_ok_and(|found| !found.is_stale() && found.0.is_none()));
}
