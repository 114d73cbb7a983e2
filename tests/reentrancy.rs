//! No code of the user's runs under a lock of the cache. These tests ask the cache from inside user code. If a
//! lock were held there, the thread would wait for itself for ever.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;
use xfetch_core::{Cache, Clock, Error, Event, Executor, Job, ManualClock, Moment, Observer, With};

const PAYLOAD: Duration = Duration::from_secs(5);
const STORAGE: Duration = Duration::from_secs(120);

type Tested = Cache<u32, Nosy, With<NosyClock, NosyObserver, NosyExecutor>>;
type Handle = Arc<OnceLock<Weak<Tested>>>;

/// Asks the cache, if there is one.
fn ask(handle: &Handle) {
    if let Some(cache) = handle.get().and_then(Weak::upgrade) {
        drop(cache.get(&7));
        cache.invalidate(&8);
    }
}

/// A value that asks the cache when it is dropped.
struct Nosy(Handle);

impl Drop for Nosy {
    fn drop(&mut self) {
        ask(&self.0);
    }
}

#[derive(Clone)]
struct NosyClock(ManualClock, Handle, Arc<OnceLock<()>>);

impl Clock for NosyClock {
    fn now(&self) -> Moment {
        // Only once, since each request reads the clock.
        if self.1.get().is_some() && self.2.set(()).is_ok() {
            ask(&self.1);
        }
        self.0.now()
    }
}

struct NosyObserver(Handle);

impl Observer for NosyObserver {
    fn on(&self, key: u64, event: Event) {
        let of_the_question = matches!(
            event,
            Event::Looked(_)
                | Event::FreshHit(_)
                | Event::StaleHit(_)
                | Event::Miss
                | Event::Invalidated
        );
        if !of_the_question && key != 0 {
            ask(&self.0);
        }
    }
}

struct NosyExecutor(Handle);

impl Executor for NosyExecutor {
    fn execute(&self, job: Job) -> Result<(), Job> {
        ask(&self.0);
        job.run();
        Ok(())
    }
}

fn play() {
    let handle = Handle::default();
    let clock = ManualClock::new();
    let draws = Arc::clone(&handle);
    let cache = Cache::builder(PAYLOAD, STORAGE)
        .clock(NosyClock(clock.clone(), Arc::clone(&handle), Arc::default()))
        .observer(NosyObserver(Arc::clone(&handle)))
        .executor(NosyExecutor(Arc::clone(&handle)))
        .back_off(Duration::from_nanos(1), Duration::from_nanos(1))
        .randomness(move || {
            ask(&draws);
            1.0
        })
        .build()
        .expect("valid");
    let cache = Arc::new(cache);
    handle.set(Arc::downgrade(&cache)).expect("the first");
    let nosy = || Nosy(Arc::clone(&handle));

    cache.insert(7, nosy());
    cache.insert(7, nosy());
    cache.invalidate(&7);
    let (value, inner) = (nosy(), Arc::clone(&cache));
    drop(cache.get_or_compute(&7, move |_| {
        drop(inner.get(&7));
        value
    }));
    clock.advance(PAYLOAD);
    // First a refresh replaces the value. Then a refresh is overtaken, and its value is discarded.
    let value = nosy();
    drop(cache.get_or_compute(&7, move |_| value));
    clock.advance(PAYLOAD);
    let (value, inner) = (nosy(), Arc::clone(&cache));
    drop(cache.get_or_compute(&7, move |_| {
        inner.invalidate(&7);
        value
    }));
    // Failures draw. The second one replaces an error.
    for _ in 0..3 {
        clock.advance(STORAGE);
        drop(cache.get_or_compute(&7, |_| std::panic::resume_unwind(Box::new("boom"))));
    }
    cache.insert(7, nosy());
    cache.invalidate_all();
}

#[test]
fn user_code_never_runs_under_a_lock() {
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        play();
        done.send(()).expect("the test waits");
    });
    // Not a limit on speed: a thread that waits for itself never returns.
    match wait.recv_timeout(Duration::from_secs(120)) {
        Ok(()) => {}
        Err(RecvTimeoutError::Timeout) => {
            panic!("user code waits for a lock that is held around it")
        }
        Err(RecvTimeoutError::Disconnected) => panic!("the cache panicked"),
    }
}

/// A panic of the observer ends its own request, and harms no other, at any event.
#[test]
fn a_panic_of_the_observer_never_wedges_a_key() {
    struct Panics(fn(Event) -> bool);
    impl Observer for Panics {
        fn on(&self, _: u64, event: Event) {
            if (self.0)(event) {
                std::panic::resume_unwind(Box::new("the observer panics"));
            }
        }
    }
    let at: [fn(Event) -> bool; 5] = [
        |event| matches!(event, Event::Leased(_)),
        |event| matches!(event, Event::ComputeStarted(..)),
        |event| matches!(event, Event::ComputeFinished(..)),
        |event| matches!(event, Event::ComputeFinished(..) | Event::Released(_)),
        |event| matches!(event, Event::Published(..)),
    ];
    for at in at {
        let cache = Cache::builder(PAYLOAD, STORAGE)
            .clock(ManualClock::new())
            .observer(Panics(at))
            .wait_timeout(Duration::ZERO)
            .build()
            .expect("valid");
        for _ in 0..3 {
            let inner = cache.clone();
            let request = thread::spawn(move || inner.get_or_compute(&1, |_| 1));
            // The request panics each time, or finds the published value: the lease is free.
            assert!(request.join().map_or(true, |answered| answered.is_ok()));
        }
    }
}

/// A key whose `Eq` panics, and whose value asks the cache when it is dropped.
#[test]
fn a_panic_of_eq_never_drops_a_value_under_a_lock() {
    #[derive(Clone, Debug)]
    struct Moody(Arc<std::sync::atomic::AtomicBool>);
    impl PartialEq for Moody {
        fn eq(&self, _: &Self) -> bool {
            if self.0.load(std::sync::atomic::Ordering::Relaxed) {
                std::panic::resume_unwind(Box::new("eq panics"));
            }
            true
        }
    }
    impl Eq for Moody {}
    impl std::hash::Hash for Moody {
        fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
    }
    struct Asks(Cache<Moody, Option<Box<Asks>>>, Moody);
    impl Drop for Asks {
        fn drop(&mut self) {
            self.1.0.store(false, std::sync::atomic::Ordering::Relaxed);
            drop(self.0.get(&self.1));
        }
    }
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        let cache = Cache::builder(PAYLOAD, STORAGE).build().expect("valid");
        let key = Moody(Arc::default());
        cache.insert(key.clone(), None);
        let value = Some(Box::new(Asks(cache.clone(), key.clone())));
        key.0.store(true, std::sync::atomic::Ordering::Relaxed);
        let inner = cache.clone();
        let inserted = thread::spawn(move || inner.insert(key, value)).join();
        done.send(inserted.is_err()).expect("the test waits");
    });
    let panicked = wait.recv_timeout(Duration::from_secs(120));
    assert!(panicked.expect("a value was dropped under the lock that its drop wants"));
}

/// The lease table has a slot for the key already, so that the request drops its spare copy.
#[test]
fn a_panic_of_a_keys_drop_never_wedges_it() {
    #[derive(Debug)]
    struct Touchy(Arc<std::sync::atomic::AtomicBool>);
    impl Clone for Touchy {
        fn clone(&self) -> Self {
            Self(Arc::clone(&self.0))
        }
    }
    impl PartialEq for Touchy {
        fn eq(&self, _: &Self) -> bool {
            true
        }
    }
    impl Eq for Touchy {}
    impl std::hash::Hash for Touchy {
        fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
    }
    impl Drop for Touchy {
        fn drop(&mut self) {
            if self.0.swap(false, std::sync::atomic::Ordering::Relaxed) {
                std::panic::resume_unwind(Box::new("drop panics"));
            }
        }
    }
    let clock = ManualClock::new();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone());
    let cache = cache.wait_timeout(Duration::ZERO).build().expect("valid");
    let (key, armed) = (Touchy(Arc::default()), std::sync::atomic::Ordering::Relaxed);
    for _ in 0..3 {
        let failed = cache.get_or_compute(&key, |_| std::panic::resume_unwind(Box::new("boom")));
        assert!(matches!(failed, Err(Error::Panicked(_))), "a slot that remembers: {failed:?}");
        clock.advance(STORAGE);
        key.0.store(true, armed);
        let (inner, own) = (cache.clone(), Touchy(Arc::clone(&key.0)));
        let request = thread::spawn(move || {
            let own = std::mem::ManuallyDrop::new(own);
            drop(inner.get_or_compute(&*own, |_| 1));
        });
        assert!(request.join().is_ok(), "the drop is not the request's");
        cache.invalidate(&key);
    }
    assert_eq!(*cache.get_or_compute(&key, |_| 2).expect("the lease is free"), 2);
}

/// The payload of a panic may panic again when it is dropped.
#[test]
fn a_payload_that_panics_never_reaches_the_caller() {
    struct Again;
    impl Drop for Again {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("again"));
        }
    }
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(ManualClock::new()).build().expect("valid");
    for _ in 0..2 {
        let error = cache.get_or_compute(&1, |_| std::panic::resume_unwind(Box::new(Again)));
        assert!(matches!(
            error.map(|found: xfetch_core::Found<_, u32>| *found),
            Err(Error::Panicked(_))
        ));
    }
}

#[test]
fn a_panic_of_the_executor_never_wedges_a_key() {
    struct Panics;
    impl Executor for Panics {
        fn execute(&self, _: Job) -> Result<(), Job> {
            std::panic::resume_unwind(Box::new("the executor panics"))
        }
    }
    let clock = ManualClock::new();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(Panics);
    let cache = cache.wait_timeout(Duration::ZERO).build().expect("valid");
    cache.insert(1, 1);
    clock.advance(PAYLOAD);
    let inner = cache.clone();
    assert!(thread::spawn(move || inner.get_or_compute(&1, |_| 2)).join().is_err());
    clock.advance(STORAGE);
    assert_eq!(*cache.get_or_compute(&1, |_| 3).expect("the lease is free"), 3);
}
