//! A read-write lock.

use super::{acquire, announce_release, release};
use crate::operation::Kind;
use crate::state::Identity;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{PoisonError, TryLockError};

/// A read-write lock: `std::sync::RwLock` without poison. Reads commute. Neither readers nor writers
/// have priority.
pub struct RwLock<T> {
    identity: Identity,
    inner: std::sync::RwLock<T>,
}

impl<T> RwLock<T> {
    /// A free lock with this value.
    #[track_caller]
    pub fn new(value: T) -> Self {
        Self { identity: Identity::new(), inner: std::sync::RwLock::new(value) }
    }

    /// Waits until no task writes, and shares the lock.
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        acquire(self.identity, Kind::ReadLock);
        let inner = match self.inner.try_read() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(poison)) => PoisonError::into_inner(poison),
            Err(TryLockError::WouldBlock) => panic!("sections: {:?} has two owners", self.identity),
        };
        RwLockReadGuard { identity: self.identity, inner: Some(inner) }
    }

    /// Waits until the lock is free, and takes it.
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        acquire(self.identity, Kind::WriteLock);
        let inner = match self.inner.try_write() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(poison)) => PoisonError::into_inner(poison),
            Err(TryLockError::WouldBlock) => panic!("sections: {:?} has two owners", self.identity),
        };
        RwLockWriteGuard { identity: self.identity, inner: Some(inner) }
    }
}

impl<T: Default> Default for RwLock<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RwLock").field(&self.identity).finish()
    }
}

macro_rules! guard {
    ($(#[$doc:meta])* $Guard:ident, $shared:literal) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $Guard<'a, T> {
            identity: Identity,
            inner: Option<std::sync::$Guard<'a, T>>,
        }

        impl<T> Drop for $Guard<'_, T> {
            fn drop(&mut self) {
                announce_release(self.identity);
                self.inner = None;
                release(self.identity, $shared);
            }
        }

        impl<T> Deref for $Guard<'_, T> {
            type Target = T;

            fn deref(&self) -> &T {
                self.inner.as_ref().expect("a guard holds its lock until it is dropped")
            }
        }
    };
}

guard! {
    /// The right to read. Dropping it releases the lock.
    RwLockReadGuard, true
}

guard! {
    /// The right to write. Dropping it releases the lock.
    RwLockWriteGuard, false
}

impl<T> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.inner.as_mut().expect("a guard holds its lock until it is dropped")
    }
}
