//! What the models replace by parts of their own, as a cache meets it: the machine's clock, and the pool with its threads
//! and its queue. `src/sync/parking_lot.rs` has the tests of the queue, the condition variable and the thread alone.
//!
//! The time-outs end a test that would hang. They decide nothing else.

#[allow(dead_code, reason = "each test file uses a part of it")]
mod common;

use common::{PAYLOAD, STORAGE};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use xfetch_core::{Cache, Clock, ManualClock, Metrics, Moment, SystemClock, Waiting, WorkerPool};

const NET: Duration = Duration::from_secs(60);

fn receive<T>(from: &mpsc::Receiver<T>) -> T {
    from.recv_timeout(NET).expect("it never came")
}

/// Waits until `done`. A test that has not got there within a minute never gets there.
fn until(done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < NET, "it never comes");
        thread::yield_now();
    }
}

/// Shuts the pool down, and does not wait for ever.
fn shut_down(pool: WorkerPool) {
    let (shut, was_shut) = mpsc::channel();
    thread::spawn(move || {
        pool.shut_down(Waiting::Run);
        shut.send(())
    });
    receive(&was_shut);
}

#[test]
fn the_clock_of_the_machine_never_stands_still_and_never_steps_back() {
    let clock = SystemClock::new();
    let copy = clock.clone();
    let mut last = Moment::ORIGIN;
    for _ in 0..10 {
        until(|| clock.now() > last);
        last = clock.now();
        assert!(copy.now() >= last, "a clone has the same origin");
    }
}

#[test]
fn a_value_always_grows_stale_by_the_default_clock() {
    let cache = Cache::builder(Duration::from_nanos(1), Duration::MAX).build().expect("valid");
    cache.insert("k", 1);
    until(|| cache.get(&"k").is_some_and(|found| found.is_stale()));
}

#[test]
fn a_value_always_expires_by_the_default_clock() {
    let nano = Duration::from_nanos(1);
    let cache = Cache::builder(nano, nano).build().expect("valid");
    cache.insert("k", 1);
    until(|| cache.get(&"k").is_none());
}

/// The pool has one thread, which is held, and one place, which is taken.
#[test]
fn a_stale_hit_never_waits_for_a_place_in_a_full_queue() {
    let (clock, metrics) = (ManualClock::new(), Arc::new(Metrics::new()));
    let pool = WorkerPool::new(1, 1).expect("valid");
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).observer(metrics.clone());
    let cache = cache.executor(pool.clone()).build().expect("valid");
    for key in ["runs", "waits", "refused"] {
        cache.insert(key, 1);
    }
    clock.advance(PAYLOAD);
    let (started, starts) = mpsc::channel();
    let (go, held) = mpsc::channel::<()>();
    let runs = cache.get_or_compute(&"runs", move |_| {
        started.send(()).expect("the test listens");
        held.recv().ok();
        2
    });
    assert!(runs.is_ok());
    receive(&starts);
    assert!(cache.get_or_compute(&"waits", |_| 2).is_ok());
    let (answered, answers) = mpsc::channel();
    let asking = cache.clone();
    thread::spawn(move || {
        let found = asking.get_or_compute(&"refused", |_| unreachable!("there is no place"));
        answered.send(found.map(|found| *found).ok())
    });
    assert_eq!(receive(&answers), Some(1), "the pool is still held");
    let counted = metrics.snapshot();
    assert_eq!((counted.rejected, counted.dropped, counted.computes), (1, 1, 1));
    drop(go);
    shut_down(pool);
    let values = ["runs", "waits", "refused"].map(|key| cache.get(&key).map(|found| *found));
    assert_eq!(values, [Some(2), Some(2), Some(1)]);
}

thread_local! {
    /// Tells the test when its thread has ended.
    static ENDS: RefCell<Option<Ends>> = const { RefCell::new(None) };
}

struct Ends(mpsc::Sender<()>);

impl Drop for Ends {
    fn drop(&mut self) {
        _ = self.0.send(());
    }
}

/// Each of three computes is held until all have begun.
#[test]
fn each_thread_of_a_pool_has_a_name_of_its_own_and_has_ended_after_a_shutdown() {
    let clock = ManualClock::new();
    let pool = WorkerPool::new(3, 3).expect("valid");
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(pool.clone());
    let cache = cache.build().expect("valid");
    (0..3).for_each(|key| _ = cache.insert(key, 0));
    clock.advance(PAYLOAD);
    let ((tell, told), (end, ended)) = (mpsc::channel(), mpsc::channel());
    let go: Vec<_> = (0..3)
        .map(|key| {
            let ((go, held), tell, end) = (mpsc::channel::<()>(), tell.clone(), end.clone());
            let stale = cache.get_or_compute(&key, move |_| {
                ENDS.set(Some(Ends(end)));
                tell.send(thread::current().name().map(str::to_owned)).expect("the test listens");
                held.recv().ok();
                1
            });
            assert!(stale.is_ok());
            go
        })
        .collect();
    let names: BTreeSet<_> = (0..3).filter_map(|_| receive(&told)).collect();
    let expected = [0, 1, 2].map(|number| format!("xfetch-refresh-{number}"));
    assert_eq!(names, BTreeSet::from(expected));
    drop(go);
    shut_down(pool);
    assert_eq!(ended.try_iter().count(), 3, "it came back before its threads had ended");
}

/// Threads that outlive the handles run what is queued, and then they end.
#[test]
fn the_threads_of_a_pool_always_end_after_its_last_handle() {
    let clock = ManualClock::new();
    let pool = WorkerPool::new(2, 2).expect("valid");
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(pool);
    let cache = cache.build().expect("valid");
    cache.insert((), 0);
    clock.advance(PAYLOAD);
    let (end, ended) = mpsc::channel();
    let (computed, computes) = mpsc::channel();
    let stale = cache.get_or_compute(&(), move |_| {
        ENDS.set(Some(Ends(end)));
        computed.send(()).expect("the test listens");
        1
    });
    assert!(stale.is_ok());
    receive(&computes);
    drop(cache);
    receive(&ended);
}
