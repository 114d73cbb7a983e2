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

/// The name of the backend. Each model asserts that it runs on the one it means.
pub const BACKEND: &str = if cfg!(feature = "loom") { "loom" } else { "plain shuttle" };

/// A thread to wait for.
pub struct Thread(thread::JoinHandle<()>);

impl Thread {
    /// Starts a thread.
    pub fn spawn(_name: String, work: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        Ok(Self(thread::spawn(work)))
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

/// A mutex without its poison.
#[derive(Debug)]
pub struct Mutex<T>(sync::Mutex<T>);

impl<T> Mutex<T> {
    /// A free mutex.
    pub fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    /// Waits until the mutex is free, and locks it.
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

    /// Waits until there is no writer, and reads.
    pub fn read(&self) -> impl Deref<Target = T> + '_ {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Waits until there is no reader and no writer, and writes.
    pub fn write(&self) -> impl DerefMut<Target = T> + '_ {
        self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A condition variable that never times out: neither backend models time-outs.
#[derive(Debug)]
pub struct Condvar(sync::Condvar);

#[expect(clippy::new_without_default, reason = "a loom object belongs to an execution")]
impl Condvar {
    /// A condition variable without a waiter.
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

    /// Wakes all waiters.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}
