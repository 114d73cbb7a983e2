//! Shuttle's primitives, announced, without poison.

use crate::announce::{Access, announce};
use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::time::Duration;

pub use shuttle::sync::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};

/// A mutex.
#[derive(Debug, Default)]
pub struct Mutex<T>(shuttle::sync::Mutex<T>);

impl<T> Mutex<T> {
    /// A free mutex.
    pub fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }

    /// Waits until the mutex is free and takes it.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        announce(Access::Write);
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A read-write lock.
#[derive(Debug, Default)]
pub struct RwLock<T>(shuttle::sync::RwLock<T>);

impl<T> RwLock<T> {
    /// A free lock.
    pub fn new(value: T) -> Self {
        Self(shuttle::sync::RwLock::new(value))
    }

    /// Waits until nobody writes.
    pub fn read(&self) -> impl Deref<Target = T> + '_ {
        announce(Access::Read);
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody reads or writes.
    pub fn write(&self) -> impl DerefMut<Target = T> + '_ {
        announce(Access::Write);
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A condition variable. Its time-outs never fire: Shuttle does not model time.
#[derive(Debug, Default)]
pub struct Condvar(shuttle::sync::Condvar);

impl Condvar {
    /// A condition variable that nobody waits for.
    pub fn new() -> Self {
        Self(shuttle::sync::Condvar::new())
    }

    /// Waits for a notification.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        announce(Access::Write);
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a notification; the time-out never fires.
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        _timeout: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        (self.wait(guard), false)
    }

    /// Wakes everyone who waits.
    pub fn notify_all(&self) {
        announce(Access::Write);
        self.0.notify_all();
    }
}

/// Shuttle's atomics. All of them are sequentially consistent.
pub mod atomic {
    pub use shuttle::sync::atomic::{AtomicU64, Ordering};
}
