//! A mutex with poison.

use super::{LockResult, Poison, TryLockResult};
use crate::sync;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// As `std::sync::Mutex`.
pub struct Mutex<T: ?Sized> {
    poison: Poison,
    inner: sync::Mutex<T>,
}

impl<T> Mutex<T> {
    /// A free mutex with this value.
    #[track_caller]
    pub fn new(value: T) -> Self {
        Self { poison: Poison::default(), inner: sync::Mutex::new(value) }
    }

    /// The value. This is not a section, because no other task has the mutex.
    ///
    /// # Errors
    ///
    /// The value, if the mutex is poisoned.
    pub fn into_inner(self) -> LockResult<T> {
        let Self { poison, inner } = self;
        poison.result(inner.into_inner())
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits until the mutex is free and takes it.
    ///
    /// # Errors
    ///
    /// The guard, if the mutex is poisoned.
    #[track_caller]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        self.guard(self.inner.lock())
    }

    /// Takes the mutex if it is free.
    ///
    /// # Errors
    ///
    /// It is taken or poisoned.
    #[track_caller]
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        let guard = self.inner.try_lock().map(|inner| MutexGuard::new(self, inner));
        self.poison.try_result(guard)
    }

    pub(super) fn guard<'a>(
        &'a self,
        inner: sync::MutexGuard<'a, T>,
    ) -> LockResult<MutexGuard<'a, T>> {
        self.poison.result(MutexGuard::new(self, inner))
    }

    /// The value. This is not a section, because no other task has the mutex.
    ///
    /// # Errors
    ///
    /// The value, if the mutex is poisoned.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.poison.result(self.inner.get_mut())
    }

    /// Whether a task has panicked while it held the mutex.
    #[track_caller]
    pub fn is_poisoned(&self) -> bool {
        self.poison.is_set(self.inner.identity)
    }

    /// The mutex is not poisoned any more.
    #[track_caller]
    pub fn clear_poison(&self) {
        self.poison.clear(self.inner.identity);
    }
}

impl<T> From<T> for Mutex<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for Mutex<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mutex").field(&self.inner.identity).finish()
    }
}

/// The right to use a mutex's value. Dropping it releases the mutex.
pub struct MutexGuard<'a, T: ?Sized> {
    pub(super) mutex: &'a Mutex<T>,
    /// `None` while the task waits.
    inner: Option<sync::MutexGuard<'a, T>>,
    panicking: bool,
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    fn new(mutex: &'a Mutex<T>, inner: sync::MutexGuard<'a, T>) -> Self {
        Self { mutex, inner: Some(inner), panicking: std::thread::panicking() }
    }

    /// The mutex and its plain guard, with which to wait.
    pub(super) fn take_apart(mut self) -> (&'a Mutex<T>, sync::MutexGuard<'a, T>) {
        let inner = self.inner.take().expect("a guard is used only until it waits");
        (self.mutex, inner)
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        if self.inner.is_some() {
            self.mutex.poison.guard_is_dropped(self.panicking);
        }
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.inner.as_ref().expect("a guard is used only until it waits")
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.inner.as_mut().expect("a guard is used only until it waits")
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl<T: ?Sized> crate::Announced for Mutex<T> {
    fn object(&self) -> crate::Object {
        self.inner.identity.object()
    }
}
