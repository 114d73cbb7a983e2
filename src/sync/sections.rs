//! The backend of the exhaustive search: the announced primitives of `sections`, which run on Shuttle.

use std::time::Duration;

pub use sections::sync::{Mutex, MutexGuard, RwLock, atomic};
pub use sections::thread_local;

/// What the primitives are made of. Each model asserts that it runs on the one it means.
pub const BACKEND: &str = "sections on shuttle";

/// A task to wait for.
pub struct Thread(sections::thread::JoinHandle<()>);

impl Thread {
    /// Starts a task.
    pub fn spawn(_name: String, work: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        Ok(Self(sections::thread::spawn(work)))
    }

    /// Whether it is the one that asks. No model's pool is shut down by a thread of its own.
    pub fn is_current(&self) -> bool {
        false
    }

    /// Waits for its end.
    pub fn join(self) {
        drop(self.0.join());
    }
}

/// A condition variable whose time-out is a choice of the scheduler.
#[derive(Debug, Default)]
pub struct Condvar(sections::sync::Condvar);

impl Condvar {
    /// A condition variable that nobody waits for.
    pub fn new() -> Self {
        Self(sections::sync::Condvar::new())
    }

    /// Waits for a notification, or until the scheduler says that time is up.
    ///
    /// A wait of `Duration::MAX` is one without a time-out: no clock of a model reaches it.
    pub fn wait_for<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        if timeout == Duration::MAX {
            return (self.0.wait(guard), false);
        }
        self.0.wait_timeout(guard, timeout)
    }

    /// Wakes everyone who waits.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}
