//! Bugs of caches in use, each as a test of what must not happen. The models explore the interleavings. Here
//! they are forced, on real threads, with channels and no sleep.

#[allow(dead_code, reason = "each test file uses a part of it")]
mod common;

use common::{HeldJobs, OnLooked, PAYLOAD, STORAGE, cache, held};
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;
use xfetch_core::{Cache, Clock, Error, Executor, Job, ManualClock, Moment, Waiting, WorkerPool};

// A lost invalidation: a refresh reads v1, v2 is written and the key invalidated, the refresh publishes.
#[test]
fn an_invalidation_is_never_lost_to_an_older_refresh() {
    let (cache, clock) = cache();
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    let inner = cache.clone();
    let stale = cache.get_or_compute(&"k", move |key| {
        inner.invalidate(key);
        1
    });
    assert!(stale.expect("stale").is_stale());
    assert!(cache.get(&"k").is_none(), "what was read before the invalidation is not published");
}

#[test]
fn an_invalidation_of_everything_is_never_lost_to_an_older_refresh() {
    let (cache, clock) = cache();
    cache.insert("k", 1);
    cache.insert("other", 1);
    clock.advance(PAYLOAD);
    let inner = cache.clone();
    drop(cache.get_or_compute(&"k", move |_| {
        inner.invalidate_all();
        1
    }));
    assert!(cache.get(&"k").is_none() && cache.get(&"other").is_none());
}

/// A miss after an invalidation waits for an older compute, and does not get its value.
#[test]
fn a_miss_after_an_invalidation_never_joins_an_older_compute() {
    let (cache, _) = cache();
    let started = Arc::new(Barrier::new(2));
    let go = Arc::new(Barrier::new(2));
    let old = {
        let (cache, started, go) = (cache.clone(), started.clone(), go.clone());
        thread::spawn(move || {
            cache.get_or_compute(&"k", move |_| {
                started.wait();
                go.wait();
                1
            })
        })
    };
    started.wait();
    cache.invalidate(&"k");
    let new = {
        let cache = cache.clone();
        thread::spawn(move || cache.get_or_compute(&"k", |_| 2))
    };
    go.wait();
    assert_eq!(*old.join().expect("no panic").expect("its own value"), 1);
    assert_eq!(*new.join().expect("no panic").expect("computed anew"), 2);
    assert_eq!(cache.get(&"k").map(|found| *found), Some(2));
}

// A release before the publication: a late reader starts a second compute.
#[test]
fn a_lease_is_never_free_before_its_value_is_published() {
    let seen = Arc::new(AtomicU32::new(0));
    let (cache, clock, hook) = held();
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    let (inner, counter) = (cache.clone(), Arc::clone(&seen));
    hook.on_released(move || {
        assert_eq!(inner.get(&"k").map(|found| *found), Some(2));
        counter.fetch_add(1, Ordering::Relaxed);
    });
    drop(cache.get_or_compute(&"k", |_| 2));
    assert_eq!(seen.load(Ordering::Relaxed), 1);
}

// A re-check of the captured entry: the key was written while the job was queued.
#[test]
fn a_queued_refresh_never_computes_a_key_that_was_inserted_meanwhile() {
    let clock = ManualClock::new();
    let jobs = HeldJobs::default();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(jobs.clone());
    let cache = cache.beta(0.0).build().expect("valid");
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    drop(cache.get_or_compute(&"k", |_| unreachable!("it is fresh when its turn comes")));
    cache.insert("k", 2);
    jobs.run_all();
    assert_eq!(cache.get(&"k").map(|found| *found), Some(2));
}

// XFetch's delta measured on a failed compute, or including the time in a queue.
#[test]
fn a_delta_never_counts_a_failure_or_the_time_in_a_queue() {
    let clock = ManualClock::new();
    let jobs = HeldJobs::default();
    let asked = Arc::new(AtomicU32::new(0));
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(jobs.clone());
    // The longest gap that a draw can make: about 36 times the delta.
    let cache = cache.randomness(|| f64::EPSILON).build().expect("valid");
    cache.insert("k", 0);
    clock.advance(PAYLOAD);
    let (slow, fast) = (clock.clone(), clock.clone());
    let fails = move |_: &&str| {
        slow.advance(Duration::from_secs(20));
        Err(io::Error::other("down"))
    };
    drop(cache.try_get_or_compute(&"k", fails));
    jobs.run_all();
    clock.advance(Duration::from_secs(1));
    let succeeds = move |_: &&str| {
        fast.advance(Duration::from_millis(1));
        Ok::<_, io::Error>(1)
    };
    drop(cache.try_get_or_compute(&"k", succeeds));
    clock.advance(Duration::from_secs(20));
    jobs.run_all();
    // The refresh comes 36 ms before the deadline. With 20 s of a failure or a queue it would come at once.
    let ask = |times: u32| {
        let counter = Arc::clone(&asked);
        let counts = move |_: &&str| counter.fetch_add(1, Ordering::Relaxed);
        drop(cache.get_or_compute(&"k", counts));
        jobs.run_all();
        assert_eq!(asked.load(Ordering::Relaxed), times);
    };
    clock.advance(PAYLOAD - Duration::from_millis(38));
    ask(0);
    clock.advance(Duration::from_millis(3));
    ask(1);
}

// A straggler: descheduled after its look, across a whole refresh and more.
#[test]
fn a_straggler_never_starts_a_second_compute() {
    let (cache, clock, hook) = held();
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    let other = cache.clone();
    hook.on_looked(move || drop(other.get_or_compute(&"k", |_| 2)));
    let late = cache.get_or_compute(&"k", |_| unreachable!("it was refreshed meanwhile"));
    assert_eq!(*late.expect("there is a value"), 2);
}

// A job that the executor drops or refuses.
#[test]
fn a_dropped_job_never_freezes_its_key() {
    let clock = ManualClock::new();
    let jobs = HeldJobs::default();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(jobs.clone());
    let cache = cache.beta(0.0).build().expect("valid");
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    drop(cache.get_or_compute(&"k", |_| unreachable!("its job is dropped")));
    jobs.drop_all();
    drop(cache.get_or_compute(&"k", |_| 2));
    jobs.run_all();
    assert_eq!(cache.get(&"k").map(|found| *found), Some(2));
}

struct Refuses;

impl Executor for Refuses {
    fn execute(&self, job: Job) -> Result<(), Job> {
        Err(job)
    }
}

#[test]
fn a_refused_job_never_freezes_its_key() {
    let clock = ManualClock::new();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(Refuses);
    let cache = cache.build().expect("valid");
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    for _ in 0..3 {
        assert!(cache.get_or_compute(&"k", |_| unreachable!()).expect("stale").is_stale());
    }
    clock.advance(STORAGE);
    assert_eq!(*cache.get_or_compute(&"k", |_| 2).expect("a miss computes itself"), 2);
}

// A lock kept on a panic or an early return.
#[test]
fn a_panic_or_an_error_never_keeps_the_lease() {
    let (cache, clock) = cache();
    cache.insert("k", 1);
    for _ in 0..3 {
        clock.advance(PAYLOAD * 7);
        drop(cache.try_get_or_compute(&"k", |_| Err(io::Error::other("down"))));
        clock.advance(PAYLOAD * 7);
        drop(cache.get_or_compute(&"k", |_| std::panic::resume_unwind(Box::new("boom"))));
    }
    clock.advance(STORAGE);
    assert_eq!(*cache.get_or_compute(&"k", |_| 2).expect("computed"), 2);
}

// A leader that has panicked: its followers wait for ever.
#[test]
fn followers_never_wait_for_a_leader_that_has_panicked() {
    let (cache, _) = cache();
    let (started, started_here) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let leader = {
        let cache = cache.clone();
        thread::spawn(move || {
            cache.get_or_compute(&"k", move |_| {
                started.send(()).expect("the test waits");
                wait.recv().expect("the test goes on");
                std::panic::resume_unwind(Box::new("the leader is gone"))
            })
        })
    };
    started_here.recv().expect("it has started");
    let followers: Vec<_> = (0..4)
        .map(|_| {
            let cache = cache.clone();
            thread::spawn(move || cache.get_or_compute(&"k", |_| 2))
        })
        .collect();
    go.send(()).expect("the leader waits");
    assert!(matches!(leader.join().expect("caught"), Err(Error::Panicked(_))));
    for follower in followers {
        // A follower that waited or came later gets the leader's error, within its back-off.
        let error = follower.join().expect("no panic").expect_err("the key backs off");
        assert!(matches!(error, Error::Panicked(message) if &*message == "the leader is gone"));
    }
}

// An insert that races a placeholder.
#[test]
fn an_insert_is_never_lost_to_a_miss_in_flight() {
    let (cache, _) = cache();
    let inner = cache.clone();
    let own = cache.get_or_compute(&"k", move |key| {
        inner.insert(*key, 2);
        1
    });
    assert_eq!(own.expect("computed").version(), None);
    assert_eq!(cache.get(&"k").map(|found| *found), Some(2));
}

// Recursion and cycles.
fn path(error: Error) -> Vec<String> {
    match error {
        Error::Cycle { path } => path.to_vec(),
        other => unreachable!("{other}"),
    }
}

#[test]
fn a_compute_that_needs_its_own_key_never_hangs() {
    let (cache, _) = cache();
    let inner = cache.clone();
    let outer = cache.try_get_or_compute(&"k", move |key| {
        let error = inner.get_or_compute(key, |_| 1).expect_err("it needs itself");
        assert_eq!(error.to_string(), "computes wait for each other: \"k\" -> \"k\"");
        Err::<u32, _>(error)
    });
    assert!(matches!(outer, Err(Error::Failed(_))));
}

/// Each thread computes its own key and then needs the next one. The thread that closes the cycle gets the error.
fn ring(keys: &[&'static str]) -> Vec<Vec<String>> {
    let (cache, _) = cache();
    let all_compute = Arc::new(Barrier::new(keys.len()));
    let threads: Vec<_> = (0..keys.len())
        .map(|own| {
            let (cache, all_compute) = (cache.clone(), Arc::clone(&all_compute));
            let (key, next) = (keys[own], keys[(own + 1) % keys.len()]);
            thread::spawn(move || {
                let inner = cache.clone();
                let mut closed = None;
                let (tell, told) = mpsc::channel();
                drop(cache.try_get_or_compute(&key, move |_| {
                    all_compute.wait();
                    inner.get_or_compute(&next, |_| 1).map(|found| *found).inspect_err(|error| {
                        drop(tell.send(error.clone()));
                    })
                }));
                if let Ok(error @ Error::Cycle { .. }) = told.try_recv() {
                    closed = Some(path(error));
                }
                closed
            })
        })
        .collect();
    threads.into_iter().filter_map(|thread| thread.join().expect("no panic")).collect()
}

#[test]
fn computes_that_need_each_other_never_hang() {
    for keys in [&["a", "b"][..], &["a", "b", "c"], &["a", "b", "c", "d", "e"]] {
        let closed = ring(keys);
        assert_eq!(closed.len(), 1, "one of them closes the cycle: {closed:?}");
        let path = &closed[0];
        assert_eq!(path.len(), keys.len() + 1);
        assert_eq!(path.first(), path.last());
    }
}

/// A diamond is no cycle.
#[test]
fn computes_that_need_the_same_key_are_never_refused() {
    let (cache, _) = cache();
    let both = Arc::new(Barrier::new(2));
    let threads: Vec<_> = ["a", "b"]
        .map(|key| {
            let (cache, both) = (cache.clone(), Arc::clone(&both));
            thread::spawn(move || {
                let inner = cache.clone();
                cache.try_get_or_compute(&key, move |_| {
                    both.wait();
                    inner.get_or_compute(&"shared", |_| 5).map(|found| *found)
                })
            })
        })
        .into_iter()
        .collect();
    for thread in threads {
        assert_eq!(*thread.join().expect("no panic").expect("no cycle"), 5);
    }
}

/// Leases of two caches may have the same number.
#[test]
fn a_compute_that_waits_for_another_cache_is_never_taken_for_a_cycle() {
    let build = || Cache::builder(PAYLOAD, STORAGE).shards(1).wait_timeout(Duration::ZERO).build();
    let (outer, other) = (build().expect("valid"), build().expect("valid"));
    let (started, starts) = mpsc::channel();
    let (go, held) = mpsc::channel::<()>();
    let busy = {
        let other = other.clone();
        thread::spawn(move || {
            other.get_or_compute(&"k", move |_| {
                started.send(()).expect("the test waits");
                held.recv().ok();
                1
            })
        })
    };
    starts.recv_timeout(Duration::from_secs(60)).expect("it starts");
    let inner = other.clone();
    let waited = outer.try_get_or_compute(&"k", move |_| {
        inner.get_or_compute(&"k", |_| unreachable!("one is in flight")).map(|found| *found)
    });
    let error = waited.expect_err("its time-out is zero").to_string();
    assert!(!error.contains("wait for each other"), "{error}");
    drop(go);
    assert_eq!(*busy.join().expect("no panic").expect("computed"), 1);
}

// Stale readers that wait for the refresh.
#[test]
fn stale_readers_are_never_blocked_by_a_refresh() {
    let (cache, clock) = cache();
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    let (started, started_here) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let refresher = {
        let cache = cache.clone();
        thread::spawn(move || {
            cache.get_or_compute(&"k", move |_| {
                started.send(()).expect("the test waits");
                wait.recv().expect("the test goes on");
                2
            })
        })
    };
    started_here.recv().expect("it has started");
    for _ in 0..100 {
        let found = cache.get_or_compute(&"k", |_| unreachable!("one is in flight"));
        assert!(found.expect("stale").is_stale());
    }
    go.send(()).expect("the refresher waits");
    assert!(refresher.join().expect("no panic").expect("stale").is_stale());
    assert_eq!(cache.get(&"k").map(|found| *found), Some(2));
}

// A value served past its storage deadline while a refresh hangs.
#[test]
fn nothing_is_served_past_its_storage_deadline_while_a_refresh_hangs() {
    let clock = ManualClock::new();
    let pool = WorkerPool::new(1, 1).expect("valid");
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(pool.clone());
    let cache = cache.beta(0.0).wait_timeout(Duration::ZERO).build().expect("valid");
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    let (go, held) = mpsc::channel::<()>();
    let (started, starts) = mpsc::channel();
    drop(cache.get_or_compute(&"k", move |_| {
        started.send(()).expect("the test listens");
        held.recv().ok();
        2
    }));
    starts.recv_timeout(Duration::from_secs(60)).expect("it starts");
    clock.advance(STORAGE * 100);
    cache.sweep();
    assert!(cache.get(&"k").is_none());
    let error = cache.get_or_compute(&"k", |_| 3).expect_err("the lease is taken, and stays so");
    assert!(matches!(error, Error::Timeout { waited } if waited == Duration::ZERO));
    drop(go);
    pool.shut_down(Waiting::Run);
    assert_eq!(cache.get(&"k").map(|found| *found), Some(2));
}

/// The compute runs on the requesting thread, and takes until after the storage deadline. A request that found a value is
/// not refused because that expires meanwhile.
#[test]
fn a_stale_hit_whose_value_expires_meanwhile_is_never_refused() {
    let (cache, clock) = cache();
    for (made, answer) in [(Ok(2), 2), (Err("down"), 1)] {
        cache.insert("k", 1);
        clock.advance(STORAGE - Duration::from_nanos(1));
        let long = clock.clone();
        let found = cache.try_get_or_compute(&"k", move |_| {
            long.advance(STORAGE);
            made
        });
        assert_eq!(*found.expect("there was a value"), answer);
    }
}

/// The executor keeps the refresh, and the value expires before the request returns.
#[test]
fn a_stale_hit_that_loses_the_processor_is_never_refused() {
    struct Slow(ManualClock, std::sync::Mutex<Vec<Job>>);
    impl Executor for Slow {
        fn execute(&self, job: Job) -> Result<(), Job> {
            self.0.advance(STORAGE);
            self.1.lock().expect("no panic").push(job);
            Ok(())
        }
    }
    let clock = ManualClock::new();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone());
    let cache = cache.executor(Slow(clock.clone(), std::sync::Mutex::default()));
    let cache = cache.build().expect("valid");
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    assert_eq!(*cache.get_or_compute(&"k", |_| 2).expect("there was a value"), 1);
}

/// The value is published, and its whole lifetime passes before its lease is released.
#[test]
fn a_waiter_never_computes_again_because_a_value_is_short_lived() {
    let computes = Arc::new(AtomicU32::new(0));
    let cache = Cache::<&str, u32>::builder(Duration::ZERO, Duration::ZERO).build().expect("valid");
    let (started, go) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let ask = |first: bool| {
        let (cache, computes) = (cache.clone(), Arc::clone(&computes));
        let (started, go) = (Arc::clone(&started), Arc::clone(&go));
        thread::spawn(move || {
            cache.get_or_compute(&"k", move |_| {
                if first {
                    started.wait();
                    go.wait();
                }
                computes.fetch_add(1, Ordering::Relaxed) + 1
            })
        })
    };
    let first = ask(true);
    started.wait();
    let others: Vec<_> = (0..8).map(|_| ask(false)).collect();
    // The others are probably about to wait. One that is not computes for itself.
    thread::sleep(Duration::from_millis(50));
    go.wait();
    for request in [first].into_iter().chain(others) {
        assert!(request.join().expect("no panic").is_ok());
    }
    assert!(computes.load(Ordering::Relaxed) < 9, "one after the other");
}

// A clock that steps back.
#[test]
fn a_clock_that_steps_back_never_freezes_a_key() {
    let (cache, clock) = cache();
    let later = |span| Moment::ORIGIN.after(span);
    // By more than the payload TTL: stale, and refreshed.
    clock.set(later(PAYLOAD * 3));
    cache.insert("k", 1);
    clock.set(later(PAYLOAD));
    assert!(cache.get_or_compute(&"k", |_| 2).expect("there is a value").is_stale());
    assert_eq!(cache.get(&"k").map(|found| (*found, found.is_stale())), Some((2, false)));
    clock.advance(PAYLOAD);
    assert!(cache.get(&"k").expect("still there").is_stale());
    // By more than the storage TTL: expired.
    clock.set(later(STORAGE * 3));
    cache.insert("k", 3);
    clock.set(Moment::ORIGIN);
    assert!(cache.get(&"k").is_none());
    assert_eq!(*cache.get_or_compute(&"k", |_| 4).expect("computed"), 4);
}

#[test]
fn a_clock_that_steps_back_never_prolongs_a_back_off() {
    let (cache, clock) = cache();
    clock.set(Moment::ORIGIN.after(Duration::from_secs(36_000)));
    drop(cache.try_get_or_compute(&"k", |_| Err::<u32, _>(io::Error::other("down"))));
    clock.set(Moment::ORIGIN);
    assert_eq!(*cache.get_or_compute(&"k", |_| 2).expect("the back-off is not hours"), 2);
}

/// A clock that calls a test once, after its n-th reading.
#[derive(Clone, Default)]
struct Late(ManualClock, Arc<Mutex<(u32, Option<Box<dyn FnOnce() + Send>>)>>);

impl Clock for Late {
    fn now(&self) -> Moment {
        let now = self.0.now();
        let mut armed = self.1.lock().expect("no panic");
        armed.0 = armed.0.wrapping_sub(1);
        let meanwhile = if armed.0 == 0 { armed.1.take() } else { None };
        drop(armed);
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        now
    }
}

/// After each of its readings in turn, a request is descheduled while another one fails, and goes on with the
/// old time.
#[test]
fn a_straggler_never_computes_inside_a_back_off() {
    // The readings of the look, the wait deadline and the lease. After them the request has the lease.
    for reading in 1..=3 {
        let clock = Late::default();
        let cache = Cache::builder(PAYLOAD, STORAGE)
            .clock(clock.clone())
            .randomness(|| 1.0)
            .back_off(Duration::from_secs(1), Duration::from_secs(1))
            .build()
            .expect("valid");
        let (inner, time) = (cache.clone(), clock.0.clone());
        let fails = move || {
            time.advance(Duration::from_secs(3_600));
            drop(inner.try_get_or_compute(&"k", |_| Err::<u32, _>(io::Error::other("down"))));
        };
        *clock.1.lock().expect("no panic") = (reading, Some(Box::new(fails)));
        let computed = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&computed);
        let late = cache.get_or_compute(&"k", move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            1
        });
        assert!(clock.1.lock().expect("no panic").1.is_none(), "reading {reading} was reached");
        assert!(matches!(late, Err(Error::Failed(_))), "reading {reading}: {late:?}");
        assert_eq!(computed.load(Ordering::Relaxed), 0, "reading {reading}");
    }
}

// No back-off: a failing origin asked a thousand times a second.
#[test]
fn a_failing_origin_is_never_hammered() {
    let clock = ManualClock::new();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).randomness(|| 1.0);
    let cache = cache.build().expect("valid");
    let attempts = Arc::new(AtomicU32::new(0));
    for _ in 0..10_000 {
        let attempts = Arc::clone(&attempts);
        let error = cache.try_get_or_compute(&"k", move |_| {
            attempts.fetch_add(1, Ordering::Relaxed);
            Err::<u32, _>(io::Error::other("down"))
        });
        assert_eq!(error.expect_err("it fails").to_string(), "the compute failed: down");
        clock.advance(Duration::from_millis(1));
    }
    // At 0, 0.1, 0.3, 0.7, 1.5, 3.1 and 6.3 s of 10 s: the waits double from 0.1 s.
    assert_eq!(attempts.load(Ordering::Relaxed), 7);
}

/// Used by `held`: an observer that lets a test act at a section.
#[test]
fn a_hook_is_called_once() {
    let hook = OnLooked::default();
    let calls = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&calls);
    hook.on_looked(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let event = xfetch_core::Event::Looked(None);
    xfetch_core::Observer::on(&hook, 0, event);
    xfetch_core::Observer::on(&hook, 0, event);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}
