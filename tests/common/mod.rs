//! Caches on a manual clock, and ways to stop them at a section.

use std::hash::Hasher;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use xfetch_core::{
    Cache, CallerRuns, Event, Executor, Job, ManualClock, Metrics, NoObserver, Observer, With,
};

pub const PAYLOAD: Duration = Duration::from_secs(5);
pub const STORAGE: Duration = Duration::from_secs(120);

pub type Plain = Cache<&'static str, u32, With<ManualClock, NoObserver, CallerRuns>>;
pub type Hooked = Cache<&'static str, u32, With<ManualClock, OnLooked, CallerRuns>>;

pub fn cache() -> (Plain, ManualClock) {
    let clock = ManualClock::new();
    let cache = Cache::builder(PAYLOAD, STORAGE)
        .clock(clock.clone())
        .executor(CallerRuns)
        .build()
        .expect("valid");
    (cache, clock)
}

/// A cache whose sections a test can act at.
pub fn held() -> (Hooked, ManualClock, OnLooked) {
    let clock = ManualClock::new();
    let hook = OnLooked::default();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).observer(hook.clone());
    let cache = cache.executor(CallerRuns);
    (cache.beta(0.0).build().expect("valid"), clock, hook)
}

pub type Counted<O> = Cache<&'static str, u32, With<ManualClock, (O, Arc<Metrics>), CallerRuns>>;

/// A cache that counts, with an observer before the counters. Its draws nominate every entry that can be nominated.
pub fn counted<O: Observer>(first: O, capacity: usize) -> (Counted<O>, ManualClock, Arc<Metrics>) {
    let (clock, metrics) = (ManualClock::new(), Arc::new(Metrics::new()));
    let cache = Cache::builder(PAYLOAD, STORAGE)
        .clock(clock.clone())
        .observer((first, Arc::clone(&metrics)))
        .executor(CallerRuns)
        .randomness(|| f64::MIN_POSITIVE)
        .wait_timeout(Duration::ZERO)
        .capacity(capacity)
        .build()
        .expect("valid");
    (cache, clock, metrics)
}

type Hook = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// An observer that calls a test once, after the next look or release.
#[derive(Clone, Default)]
pub struct OnLooked {
    looked: Hook,
    released: Hook,
}

impl OnLooked {
    pub fn on_looked(&self, call: impl FnOnce() + Send + 'static) {
        *self.looked.lock().expect("no panic") = Some(Box::new(call));
    }

    pub fn on_released(&self, call: impl FnOnce() + Send + 'static) {
        *self.released.lock().expect("no panic") = Some(Box::new(call));
    }
}

impl Observer for OnLooked {
    fn on(&self, _: u64, event: Event) {
        let hook = match event {
            Event::Looked(_) => &self.looked,
            Event::Released(_) => &self.released,
            _ => return,
        };
        let call = hook.lock().expect("no panic").take();
        if let Some(call) = call {
            call();
        }
    }
}

/// An observer that calls the test at the first event of a kind, as another thread might act just then.
#[derive(Clone)]
pub struct ActsOnce(fn(Event) -> bool, Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>);

impl ActsOnce {
    pub fn at(event: fn(Event) -> bool) -> Self {
        Self(event, Arc::default())
    }

    pub fn act(&self, act: impl FnOnce() + Send + 'static) {
        *self.1.lock().expect("no panic") = Some(Box::new(act));
    }
}

impl Observer for ActsOnce {
    fn on(&self, _: u64, event: Event) {
        let act = if (self.0)(event) { self.1.lock().expect("no panic").take() } else { None };
        act.into_iter().for_each(|act| act());
    }
}

/// An executor that keeps its jobs until a test runs or drops them.
#[derive(Clone, Default)]
pub struct HeldJobs(Arc<Mutex<Vec<Job>>>);

impl HeldJobs {
    pub fn run_all(&self) {
        self.take().into_iter().for_each(Job::run);
    }

    pub fn take(&self) -> Vec<Job> {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }

    pub fn drop_all(&self) {
        self.0.lock().expect("no panic").clear();
    }
}

impl Executor for HeldJobs {
    fn execute(&self, job: Job) -> Result<(), Job> {
        self.0.lock().expect("no panic").push(job);
        Ok(())
    }
}

/// Leaves `LEFT` of a key's low bits, moved up by `UP`.
#[derive(Default)]
pub struct Bits<const LEFT: u64, const UP: u32>(u64);

impl<const LEFT: u64, const UP: u32> Hasher for Bits<LEFT, UP> {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are integers")
    }

    fn write_u32(&mut self, key: u32) {
        self.write_u64(key.into());
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = (key & LEFT) << UP;
    }
}

pub type Identity = Bits<{ u64::MAX }, 0>;
pub type LowBits = Bits<0xffff, 0>;
pub type HighBits = Bits<0xffff, 48>;
