//! A mutex.

use super::{acquire, announce_release, own, release};
use crate::operation::Kind;
use crate::state::{Identity, with};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{PoisonError, TryLockError};

/// A mutex: `std::sync::Mutex` without poison.
pub struct Mutex<T: ?Sized> {
    pub(crate) identity: Identity,
    inner: std::sync::Mutex<T>,
}

impl<T> Mutex<T> {
    /// A free mutex with this value.
    #[track_caller]
    pub fn new(value: T) -> Self {
        Self { identity: Identity::new(), inner: std::sync::Mutex::new(value) }
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
        acquire(self.identity, Kind::Lock);
        self.guard()
    }

    /// Takes the mutex if it is free.
    #[track_caller]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        if !self.identity.announce(Kind::TryLock) {
            return Some(self.guard());
        }
        let object = self.identity.object();
        let taken = with(|state| {
            state.discover(object);
            state.acquire(object, false)
        });
        taken.then(|| self.guard())
    }

    pub(super) fn take(&self) -> MutexGuard<'_, T> {
        own(self.identity, false);
        self.guard()
    }

    fn guard(&self) -> MutexGuard<'_, T> {
        let inner = match self.inner.try_lock() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(poison)) => PoisonError::into_inner(poison),
            Err(TryLockError::WouldBlock) => panic!("sections: {:?} has two owners", self.identity),
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
        f.debug_tuple("Mutex").field(&self.identity).finish()
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
        release(self.mutex.identity, false);
        self.mutex
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        if self.inner.is_none() {
            return;
        }
        announce_release(self.mutex.identity);
        self.inner = None;
        release(self.mutex.identity, false);
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
        self.identity.object()
    }
}
