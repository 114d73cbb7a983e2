//! A read-write lock with poison.

use super::{LockResult, Poison, TryLockResult};
use crate::sync;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// As `std::sync::RwLock`. Neither readers nor writers have priority, and a task that reads twice does not wait for a
/// writer in between.
pub struct RwLock<T: ?Sized> {
    poison: Poison,
    inner: sync::RwLock<T>,
}

impl<T> RwLock<T> {
    /// A free lock with this value.
    #[track_caller]
    pub fn new(value: T) -> Self {
        Self { poison: Poison::default(), inner: sync::RwLock::new(value) }
    }

    /// The value. This is not a section, because no other task has the lock.
    ///
    /// # Errors
    ///
    /// The value, if the lock is poisoned.
    pub fn into_inner(self) -> LockResult<T> {
        let Self { poison, inner } = self;
        poison.result(inner.into_inner())
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until no task writes, and shares the lock.
    ///
    /// # Errors
    ///
    /// The guard, if the lock is poisoned.
    #[track_caller]
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        self.poison.result(RwLockReadGuard(self.inner.read()))
    }

    /// Shares the lock if no task writes.
    ///
    /// # Errors
    ///
    /// It is taken or poisoned.
    #[track_caller]
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        self.poison.try_result(self.inner.try_read().map(RwLockReadGuard))
    }

    /// Waits until the lock is free, and takes it.
    ///
    /// # Errors
    ///
    /// The guard, if the lock is poisoned.
    #[track_caller]
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        self.poison.result(RwLockWriteGuard::new(self, self.inner.write()))
    }

    /// Takes the lock if it is free.
    ///
    /// # Errors
    ///
    /// It is taken or poisoned.
    #[track_caller]
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        let guard = self.inner.try_write().map(|inner| RwLockWriteGuard::new(self, inner));
        self.poison.try_result(guard)
    }

    /// The value. This is not a section, because no other task has the lock.
    ///
    /// # Errors
    ///
    /// The value, if the lock is poisoned.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.poison.result(self.inner.get_mut())
    }

    /// Whether a task has panicked while it wrote.
    #[track_caller]
    pub fn is_poisoned(&self) -> bool {
        self.poison.is_set(self.inner.identity)
    }

    /// The lock is not poisoned any more.
    #[track_caller]
    pub fn clear_poison(&self) {
        self.poison.clear(self.inner.identity);
    }
}

impl<T> From<T> for RwLock<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for RwLock<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RwLock").field(&self.inner.identity).finish()
    }
}

/// The right to read. Dropping it releases the lock.
#[derive(Debug)]
pub struct RwLockReadGuard<'a, T: ?Sized>(sync::RwLockReadGuard<'a, T>);

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// The right to write. Dropping it releases the lock.
#[derive(Debug)]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    poison: &'a Poison,
    inner: sync::RwLockWriteGuard<'a, T>,
    panicking: bool,
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    fn new(lock: &'a RwLock<T>, inner: sync::RwLockWriteGuard<'a, T>) -> Self {
        Self { poison: &lock.poison, inner, panicking: std::thread::panicking() }
    }
}

/// The lock is poisoned before it is released: the fields are dropped after this.
impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    fn drop(&mut self) {
        self.poison.guard_is_dropped(self.panicking);
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: ?Sized> crate::Announced for RwLock<T> {
    fn object(&self) -> crate::Object {
        self.inner.identity.object()
    }
}
