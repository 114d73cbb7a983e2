//! The backend of two engines: loom's primitives and Shuttle's own. Both have the names and the shape of
//! the standard library's.

use like_std::{sync, thread};
#[cfg(feature = "loom")]
use loom as like_std;
#[cfg(feature = "plain")]
use shuttle as like_std;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

pub use like_std::thread_local;
pub use sync::{MutexGuard, atomic};

/// What the primitives are made of. Each model asserts that it runs on the one it means.
pub const BACKEND: &str = if cfg!(feature = "loom") { "loom" } else { "plain shuttle" };

/// A thread to wait for.
pub struct Thread(thread::JoinHandle<()>);

impl Thread {
    /// Starts a thread.
    pub fn spawn(_name: String, work: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        Ok(Self(thread::spawn(work)))
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

/// A mutex without its poison.
#[derive(Debug)]
pub struct Mutex<T>(sync::Mutex<T>);

impl<T> Mutex<T> {
    /// A free mutex.
    pub fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    /// Waits until the mutex is free and takes it.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A read-write lock without its poison.
#[derive(Debug)]
pub struct RwLock<T>(sync::RwLock<T>);

impl<T> RwLock<T> {
    /// A free lock.
    pub fn new(value: T) -> Self {
        Self(sync::RwLock::new(value))
    }

    /// Waits until nobody writes.
    pub fn read(&self) -> impl Deref<Target = T> + '_ {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Waits until nobody reads or writes.
    pub fn write(&self) -> impl DerefMut<Target = T> + '_ {
        self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A condition variable that never times out: what a time-out does is invisible to both.
#[derive(Debug)]
pub struct Condvar(sync::Condvar);

#[expect(clippy::new_without_default, reason = "a loom object belongs to an execution")]
impl Condvar {
    /// A condition variable that nobody waits for.
    pub fn new() -> Self {
        Self(sync::Condvar::new())
    }

    /// Waits for a notification.
    pub fn wait_for<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        _timeout: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        (self.0.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner), false)
    }

    /// Wakes everyone who waits.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}
