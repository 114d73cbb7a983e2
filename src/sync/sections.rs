//! The backend of the exhaustive search: the announced primitives of `sections`, which run on Shuttle.

use std::time::Duration;

pub use sections::sync::{Mutex, MutexGuard, RwLock, atomic};
pub use sections::thread_local;

/// The name of the backend. Each model asserts that it runs on the one it means.
pub const BACKEND: &str = "sections on shuttle";

/// A task to wait for.
pub struct Thread(sections::thread::JoinHandle<()>);

impl Thread {
    /// Starts a task.
    pub fn spawn(_name: String, work: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        Ok(Self(sections::thread::spawn(work)))
    }

    /// Whether it is the calling thread. In no model does a thread of a pool shut the pool down.
    pub fn is_current(&self) -> bool {
        false
    }

    /// Waits until it has ended.
    pub fn join(self) {
        drop(self.0.join());
    }
}

/// A condition variable whose time-outs the scheduler chooses.
#[derive(Debug, Default)]
pub struct Condvar(sections::sync::Condvar);

impl Condvar {
    /// A condition variable without a waiter. The caller's line names it in a timeline.
    #[track_caller]
    pub fn new() -> Self {
        Self(sections::sync::Condvar::new())
    }

    /// Waits for a notification, or until the scheduler chooses the time-out.
    ///
    /// A wait of `Duration::MAX` has no time-out: no clock of a model reaches it.
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

    /// Wakes all waiters.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}
