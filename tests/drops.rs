//! A drop may panic, and a pool may be shut down from any thread: nothing else is lost by that.

#[allow(dead_code, reason = "each test file uses a part of it")]
mod common;

use common::{PAYLOAD, STORAGE};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;
use xfetch_core::{Cache, CallerRuns, ManualClock, Metrics, Waiting, WorkerPool};

/// Panics when it is dropped, without the process-wide hook, which would print the panic.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            std::panic::resume_unwind(Box::new("the drop panics"));
        }
    }
}

/// Waits for a message that must come. A minute is longer than any machine takes.
fn receive<T>(from: &mpsc::Receiver<T>) -> T {
    from.recv_timeout(Duration::from_secs(60)).expect("it never came")
}

#[test]
fn a_refresh_whose_drop_panics_takes_no_other_with_it() {
    let clock = ManualClock::new();
    let metrics = Arc::new(Metrics::new());
    let pool = WorkerPool::new(1, 8).expect("valid");
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).observer(metrics.clone());
    let cache = cache.executor(pool.clone()).build().expect("valid");
    (0..4).for_each(|key| _ = cache.insert(key, 0));
    clock.advance(PAYLOAD);
    let (go, gone) = mpsc::channel::<()>();
    let (begin, began) = mpsc::channel();
    let held = move |_: &i32| {
        _ = begin.send(());
        _ = gone.recv();
        1
    };
    drop(cache.get_or_compute(&0, held));
    receive(&began);
    for key in 1..4 {
        let bomb = Bomb;
        let compute = move |_: &i32| {
            std::mem::forget(bomb);
            1
        };
        drop(cache.get_or_compute(&key, compute));
    }
    let ends = thread::spawn(move || pool.shut_down(Waiting::Drop));
    // The pool's thread is busy, so that only the shutdown can end the jobs of the queue.
    while metrics.snapshot().released < 3 && !ends.is_finished() {
        thread::yield_now();
    }
    drop(go);
    ends.join().expect("it does not panic");
    assert_eq!(metrics.snapshot().dropped, 3);
    assert_eq!(cache.usage().leases, 0);
}

#[test]
fn a_sweep_survives_values_whose_drop_panics() {
    let clock = ManualClock::new();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(CallerRuns);
    let cache = cache.sweep_every(Duration::MAX).build().expect("valid");
    (0..3).for_each(|key| _ = cache.insert(key, Bomb));
    clock.advance(STORAGE);
    assert_eq!(cache.sweep().keys, 3);
    assert_eq!(cache.usage().keys, 0);
}

/// The first shutdown comes from the pool's own thread, which cannot wait for itself; the second one can.
#[test]
fn a_shutdown_from_outside_waits_even_after_one_from_inside() {
    let clock = ManualClock::new();
    let pool = WorkerPool::new(1, 8).expect("valid");
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(pool.clone());
    let cache = cache.build().expect("valid");
    cache.insert((), 0);
    clock.advance(PAYLOAD);
    let (go, gone) = mpsc::channel::<()>();
    let (shut, was_shut) = mpsc::channel();
    let finished = Arc::new(AtomicBool::new(false));
    let (inner, finishes) = (pool.clone(), Arc::clone(&finished));
    let compute = move |_: &()| {
        inner.shut_down(Waiting::Run);
        _ = shut.send(());
        _ = gone.recv();
        finishes.store(true, Ordering::SeqCst);
        1
    };
    drop(cache.get_or_compute(&(), compute));
    receive(&was_shut);
    let (end, ended) = mpsc::channel();
    thread::spawn(move || {
        pool.shut_down(Waiting::Run);
        _ = end.send(finished.load(Ordering::SeqCst));
    });
    // It must not have returned yet. A moment is enough to see a shutdown that does not wait.
    assert!(ended.recv_timeout(Duration::from_millis(50)).is_err());
    drop(go);
    assert!(receive(&ended), "it came back before the pool's thread had ended");
}
