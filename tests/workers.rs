//! What must not happen when workers die, jobs are lost, pools are shut down, or computes take very long.

#[allow(dead_code, reason = "each test file uses a part of it")]
mod common;

use common::{ActsOnce, HeldJobs, PAYLOAD, STORAGE, cache};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;
use xfetch_core::{
    Cache, CallerRuns, Error, Event, Executor, Job, ManualClock, Metrics, Observer, Waiting, With,
    WorkerPool,
};

type Pooled<O> = Cache<&'static str, u32, With<ManualClock, O, WorkerPool>>;

/// A cache with a stale key, on a pool.
fn stale<O: Observer>(observer: O, pool: &WorkerPool) -> (Pooled<O>, ManualClock) {
    let clock = ManualClock::new();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).observer(observer);
    let cache = cache.executor(pool.clone()).build().expect("valid");
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    (cache, clock)
}

/// Waits for a message that must come. A minute is longer than any machine takes.
fn receive<T>(from: &mpsc::Receiver<T>) -> T {
    from.recv_timeout(Duration::from_secs(60)).expect("it never came")
}

/// An executor that sends each job to a thread that dies before it runs the job.
struct Dies;

impl Executor for Dies {
    fn execute(&self, job: Job) -> Result<(), Job> {
        let dies = move || {
            let _in_hand = job;
            std::panic::resume_unwind(Box::new("the worker dies"));
        };
        drop(thread::spawn(dies).join());
        Ok(())
    }
}

#[test]
fn a_worker_that_dies_never_freezes_its_key() {
    let clock = ManualClock::new();
    let metrics = Arc::new(Metrics::new());
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).observer(metrics.clone());
    let cache = cache.executor(Dies).build().expect("valid");
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    for _ in 0..3 {
        assert_eq!(*cache.get_or_compute(&"k", |_| 2).expect("stale"), 1);
        assert_eq!(cache.usage().leases, 0);
    }
    let counted = metrics.snapshot();
    assert_eq!((counted.leased, counted.dropped, counted.released), (3, 3, 3));
    clock.advance(STORAGE);
    assert_eq!(*cache.get_or_compute(&"k", |_| 3).expect("a miss computes itself"), 3);
}

/// The observer panics in the middle of a refresh, on the pool's only thread.
#[test]
fn a_worker_is_never_lost_to_a_panic() {
    struct PanicsOnce(AtomicBool, mpsc::Sender<()>);
    impl Observer for PanicsOnce {
        fn on(&self, _: u64, event: Event) {
            match event {
                Event::ComputeStarted(..) if !self.0.swap(true, Ordering::Relaxed) => {
                    std::panic::resume_unwind(Box::new("the observer panics"));
                }
                Event::Released(_) => drop(self.1.send(())),
                _ => {}
            }
        }
    }
    let (released, releases) = mpsc::channel();
    let pool = WorkerPool::new(1, 1).expect("valid");
    let (cache, _) = stale(PanicsOnce(AtomicBool::new(false), released), &pool);
    drop(cache.get_or_compute(&"k", |_| 2));
    receive(&releases);
    assert_eq!(cache.get(&"k").map(|found| *found), Some(1), "that refresh is lost");
    drop(cache.get_or_compute(&"k", |_| 3));
    receive(&releases);
    assert_eq!(cache.get(&"k").map(|found| *found), Some(3), "the next one is not");
}

#[test]
fn stale_hits_never_wait_for_a_refresh_on_the_default_executor() {
    let clock = ManualClock::new();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).build().expect("valid");
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    let (go, held) = mpsc::channel::<()>();
    let (name, names) = mpsc::channel();
    let first = cache.get_or_compute(&"k", move |_| {
        name.send(thread::current().name().map(str::to_owned)).expect("the test listens");
        // On the caller's thread nobody would let it go.
        held.recv_timeout(Duration::from_secs(60)).ok();
        2
    });
    assert_eq!(*first.expect("stale"), 1, "it is here, and the compute is held");
    let name = receive(&names).expect("the pool's threads have names");
    assert!(name.starts_with("xfetch-refresh-"), "{name}");
    for _ in 0..100 {
        assert_eq!(*cache.get_or_compute(&"k", |_| unreachable!("one at a time")).expect(""), 1);
    }
    drop(go);
}

// A job that is queued for ever freezes its key. But a miss has a thread.
#[test]
fn a_refresh_that_never_begins_never_freezes_its_key() {
    let clock = ManualClock::new();
    let jobs = HeldJobs::default();
    let metrics = Arc::new(Metrics::new());
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(jobs.clone());
    let cache = cache.observer(Arc::clone(&metrics)).wait_timeout(Duration::ZERO).build();
    let cache = cache.expect("valid");
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    for _ in 0..2 {
        assert_eq!(*cache.get_or_compute(&"k", |_| 2).expect("stale, and never waits"), 1);
    }
    clock.advance(STORAGE);
    assert_eq!(*cache.get_or_compute(&"k", |_| 3).expect("taken over"), 3);
    jobs.run_all();
    assert_eq!(cache.get(&"k").map(|found| *found), Some(3), "it came too late");
    let counted = metrics.snapshot();
    assert_eq!((counted.computes, counted.taken_over, counted.contended), (1, 1, 1));
    assert_eq!((counted.leased, counted.released, cache.usage().slots), (2, 2, 0));
}

/// The pool's only thread computes one key and asks for another one, whose refresh waits for that thread.
#[test]
fn a_compute_on_a_pool_never_waits_for_its_own_thread() {
    let pool = WorkerPool::new(1, 4).expect("valid");
    let (cache, clock) = stale(xfetch_core::NoObserver, &pool);
    cache.insert("inner", 1);
    clock.advance(PAYLOAD);
    let (go, held) = mpsc::channel::<()>();
    let inner = cache.clone();
    let (answered, answers) = mpsc::channel();
    drop(cache.get_or_compute(&"k", move |_| {
        held.recv().ok();
        let found = inner.get_or_compute(&"inner", |_| 3);
        answered.send(found.map(|found| *found).ok()).expect("the test listens");
        2
    }));
    drop(cache.get_or_compute(&"inner", |_| 2));
    // It becomes absent, and its refresh keeps the lease: a write would revoke it.
    clock.advance(STORAGE);
    drop(go);
    assert_eq!(receive(&answers), Some(3), "long before the wait time-out of 30 s");
    pool.shut_down(Waiting::Run);
    assert_eq!(cache.get(&"inner").map(|found| *found), Some(3));
}

/// The pool has one thread. One refresh runs and another one waits while the pool is shut down.
fn shut_down_while_refreshing(waiting: Waiting) -> (Pooled<Arc<Metrics>>, ManualClock) {
    let pool = WorkerPool::new(1, 4).expect("valid");
    let metrics = Arc::new(Metrics::new());
    let (cache, clock) = stale(Arc::clone(&metrics), &pool);
    cache.insert("waits", 1);
    clock.advance(PAYLOAD);
    let (go, held) = mpsc::channel::<()>();
    let (started, starts) = mpsc::channel();
    drop(cache.get_or_compute(&"k", move |_| {
        started.send(()).expect("the test listens");
        held.recv().ok();
        2
    }));
    receive(&starts);
    drop(cache.get_or_compute(&"waits", |_| 2));
    let closing = thread::spawn(move || pool.shut_down(waiting));
    // The waiting refresh is dropped while the compute is held, or runs after it.
    while waiting == Waiting::Drop && metrics.snapshot().dropped == 0 {
        thread::yield_now();
    }
    drop(go);
    closing.join().expect("no panic");
    assert_eq!(cache.usage().leases, 0, "{:?}", metrics.snapshot());
    (cache, clock)
}

#[test]
fn a_shutdown_never_wedges_a_key() {
    for (waiting, expected) in [(Waiting::Run, 2), (Waiting::Drop, 1)] {
        let (cache, clock) = shut_down_while_refreshing(waiting);
        assert_eq!(cache.get(&"k").map(|found| *found), Some(2), "what runs is run to its end");
        assert_eq!(cache.get(&"waits").map(|found| *found), Some(expected), "{waiting:?}");
        let refused = cache.get_or_compute(&"waits", |_| unreachable!("no thread runs it"));
        assert_eq!(*refused.expect("stale or fresh"), expected, "{waiting:?}");
        clock.advance(STORAGE);
        for key in ["k", "waits"] {
            assert_eq!(*cache.get_or_compute(&key, |_| 7).expect("usable"), 7);
        }
    }
}

#[test]
fn a_pool_never_takes_a_job_while_a_shutdown_empties_it() {
    let pool = WorkerPool::new(1, 4).expect("valid");
    let metrics = Arc::new(Metrics::new());
    let dropped = ActsOnce::at(|event| matches!(event, Event::Dropped(_)));
    let (cache, clock) = stale((dropped.clone(), Arc::clone(&metrics)), &pool);
    for key in ["waits", "late"] {
        cache.insert(key, 1);
    }
    clock.advance(PAYLOAD);
    let (started, starts) = mpsc::channel();
    let (go, held) = mpsc::channel::<()>();
    drop(cache.get_or_compute(&"k", move |_| {
        started.send(()).expect("the test listens");
        held.recv().ok();
        2
    }));
    receive(&starts);
    drop(cache.get_or_compute(&"waits", |_| unreachable!("it is dropped")));
    let inner = cache.clone();
    dropped.act(move || {
        drop(inner.get_or_compute(&"late", |_| unreachable!("it is refused")));
        drop(go);
    });
    pool.shut_down(Waiting::Drop);
    let counted = metrics.snapshot();
    assert_eq!((counted.rejected, counted.dropped, counted.computes), (1, 2, 1), "{counted:?}");
}

/// The refresh has a thread from the first. A miss in between waits for it, and does not compute too.
#[test]
fn a_refresh_that_runs_at_once_is_never_taken_over() {
    let clock = ManualClock::new();
    let metrics = Arc::new(Metrics::new());
    let leased = ActsOnce::at(|event| matches!(event, Event::Leased(_)));
    let cache = Cache::builder(PAYLOAD, STORAGE)
        .clock(clock.clone())
        .observer((leased.clone(), Arc::clone(&metrics)))
        .executor(CallerRuns)
        .wait_timeout(Duration::ZERO)
        .build()
        .expect("valid");
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    let inner = cache.clone();
    leased.act(move || {
        clock.advance(STORAGE);
        let waits = inner.get_or_compute(&"k", |_| unreachable!("one is in flight"));
        assert!(matches!(waits, Err(Error::Timeout { .. })));
    });
    assert_eq!(*cache.get_or_compute(&"k", |_| 2).expect("expired by now, and newer"), 2);
    assert_eq!(cache.get(&"k").map(|found| *found), Some(2));
    assert_eq!((metrics.snapshot().computes, metrics.snapshot().taken_over), (1, 0));
}

/// Starts a compute that does not end before the sender is dropped. Returns when it has begun.
fn holds<O: Observer>(
    cache: &Cache<&'static str, u32, With<ManualClock, O, CallerRuns>>,
) -> mpsc::Sender<()> {
    let (started, starts) = mpsc::channel();
    let (go, held) = mpsc::channel::<()>();
    let cache = cache.clone();
    thread::spawn(move || {
        cache.get_or_compute(&"k", move |_| {
            started.send(()).expect("the test listens");
            held.recv().ok();
            1
        })
    });
    receive(&starts);
    go
}

/// The first lease ends without a value, and the second one is held on. The whole wait time-out passes between
/// the two waits.
#[test]
fn the_wait_deadline_of_a_miss_never_moves_with_the_next_lease() {
    let clock = ManualClock::new();
    let busy = ActsOnce::at(|event| matches!(event, Event::Busy(_)));
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).observer(busy.clone());
    let cache = cache.executor(CallerRuns).wait_timeout(Duration::from_secs(3_600));
    let cache = cache.build().expect("valid");
    let first = holds(&cache);
    let (kept, second) = mpsc::channel();
    let (inner, time) = (cache.clone(), clock.clone());
    busy.act(move || {
        inner.invalidate(&"k");
        drop(first);
        while inner.usage().leases > 1 {
            thread::yield_now();
        }
        time.advance(Duration::from_secs(3_600));
        kept.send(holds(&inner)).expect("the test listens");
    });
    let asking = cache.clone();
    let (answered, answers) = mpsc::channel();
    thread::spawn(move || {
        let inner = asking.clone();
        drop(asking.try_get_or_compute(&"outer", move |_| {
            let found = inner.get_or_compute(&"k", |_| unreachable!("one is in flight"));
            answered.send(found.map(|found| *found)).expect("the test listens");
            Ok::<u32, Error>(2)
        }));
    });
    let answer = receive(&answers);
    assert!(matches!(answer, Err(Error::Timeout { .. })), "{answer:?}");
    drop(second);
}

// A lock table that grows without bound: a key is requested once, and its lock stays.
#[test]
fn the_lease_table_never_grows_with_the_keys_that_were_requested() {
    let clock = ManualClock::new();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).capacity(100).build();
    let cache = cache.expect("valid");
    let most = Arc::new(AtomicU32::new(0));
    for key in 0..100_000_u32 {
        let (inner, most) = (cache.clone(), Arc::clone(&most));
        drop(cache.get_or_compute(&key, move |_| {
            most.fetch_max(inner.usage().slots as u32, Ordering::Relaxed);
        }));
    }
    let usage = cache.usage();
    assert_eq!((most.load(Ordering::Relaxed), usage.slots), (1, 0), "its own, and none");
    assert!(usage.keys <= 100 && usage.lease_bytes < 16 * 1_024, "{usage:?}");
}

/// A key that fails keeps a slot for its back-off, and for the idle time after it.
#[test]
fn keys_that_fail_never_keep_their_slots_for_ever() {
    let (cache, clock) = cache();
    let keys: Vec<&'static str> = (0..1_000).map(|key: u32| &*key.to_string().leak()).collect();
    for key in &keys {
        drop(cache.try_get_or_compute(key, |_| Err::<u32, _>(io::Error::other("down"))));
    }
    assert_eq!(cache.usage().slots, 1_000);
    clock.advance(Duration::from_secs(61));
    assert_eq!((cache.sweep().slots, cache.usage().slots), (1_000, 0));
    assert!(cache.usage().lease_bytes < 16 * 1_024, "{:?}", cache.usage());
}
