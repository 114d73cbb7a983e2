//! A mutex.

use super::{announce_release, own};
use crate::operation::{Kind, Object};
use crate::state::{announce, new_object, with};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{PoisonError, TryLockError};

/// A mutex: `std::sync::Mutex` without poison.
pub struct Mutex<T: ?Sized> {
    pub(crate) object: Object,
    inner: std::sync::Mutex<T>,
}

impl<T> Mutex<T> {
    /// A free mutex with this value.
    #[track_caller]
    pub fn new(value: T) -> Self {
        Self { object: new_object(), inner: std::sync::Mutex::new(value) }
    }

    /// The value. This is not a section, because no other task has the mutex.
    pub fn into_inner(self) -> T {
        self.inner.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits until the mutex is free and takes it.
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        announce(Kind::Lock, self.object);
        self.take()
    }

    /// Takes the mutex if it is free.
    #[track_caller]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        announce(Kind::TryLock, self.object);
        let taken = with(|state| {
            state.discover(self.object);
            state.acquire(self.object, false)
        });
        taken.then(|| self.guard())
    }

    pub(super) fn take(&self) -> MutexGuard<'_, T> {
        own(self.object, false);
        self.guard()
    }

    fn guard(&self) -> MutexGuard<'_, T> {
        let inner = match self.inner.try_lock() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(poison)) => PoisonError::into_inner(poison),
            Err(TryLockError::WouldBlock) => panic!("sections: {} has two owners", self.object),
        };
        MutexGuard { mutex: self, inner: Some(inner) }
    }

    /// The value. This is not a section, because no other task has the mutex.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut().unwrap_or_else(PoisonError::into_inner)
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
        f.debug_tuple("Mutex").field(&self.object).finish()
    }
}

/// The right to use a mutex's value. Dropping it releases the mutex.
pub struct MutexGuard<'a, T: ?Sized> {
    pub(super) mutex: &'a Mutex<T>,
    /// `None` after a wait has released it.
    inner: Option<std::sync::MutexGuard<'a, T>>,
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// Releases the mutex as a part of the step that waits.
    pub(super) fn release_to_wait(mut self) -> &'a Mutex<T> {
        self.inner = None;
        with(|state| state.release(self.mutex.object, false));
        self.mutex
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        if self.inner.is_none() {
            return;
        }
        announce_release(self.mutex.object);
        self.inner = None;
        with(|state| state.release(self.mutex.object, false));
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

impl<T: ?Sized> crate::Announced for Mutex<T> {
    fn object(&self) -> crate::Object {
        self.object
    }
}
