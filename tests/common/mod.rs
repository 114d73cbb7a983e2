//! Caches on a manual clock, and ways to stop them at a section.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use xfetch_core::{
    Cache, CallerRuns, Event, Executor, Job, ManualClock, NoObserver, Observer, With,
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

/// An executor that keeps its jobs until a test runs or drops them.
#[derive(Clone, Default)]
pub struct HeldJobs(Arc<Mutex<Vec<Job>>>);

impl HeldJobs {
    pub fn run_all(&self) {
        let jobs = std::mem::take(&mut *self.0.lock().expect("no panic"));
        jobs.into_iter().for_each(Job::run);
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
