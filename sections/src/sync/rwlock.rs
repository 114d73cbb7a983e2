//! A read-write lock.

use super::{acquire, announce_release, release};
use crate::operation::Kind;
use crate::state::{Identity, with};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{PoisonError, TryLockError};

/// A read-write lock: `std::sync::RwLock` without poison. Reads commute. Neither readers nor writers
/// have priority.
pub struct RwLock<T: ?Sized> {
    pub(crate) identity: Identity,
    inner: std::sync::RwLock<T>,
}

impl<T> RwLock<T> {
    /// A free lock with this value.
    #[track_caller]
    pub fn new(value: T) -> Self {
        Self { identity: Identity::new(), inner: std::sync::RwLock::new(value) }
    }

    /// The value. This is not a section, because no other task has the lock.
    pub fn into_inner(self) -> T {
        self.inner.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until no task writes, and shares the lock.
    #[track_caller]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        acquire(self.identity, Kind::ReadLock);
        self.read_guard()
    }

    /// Shares the lock if no task writes.
    #[track_caller]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        self.tries(true).then(|| self.read_guard())
    }

    /// Waits until the lock is free, and takes it.
    #[track_caller]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        acquire(self.identity, Kind::WriteLock);
        self.write_guard()
    }

    /// Takes the lock if it is free.
    #[track_caller]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.tries(false).then(|| self.write_guard())
    }

    /// A try to read sees only whether a task writes. So it is a read of the lock, whether or not it succeeds: tries to
    /// read commute with each other and with readers.
    #[track_caller]
    fn tries(&self, shared: bool) -> bool {
        let kind = if shared { Kind::TryReadLock } else { Kind::TryLock };
        let object = self.identity.object();
        !self.identity.announce(kind)
            || with(|state| {
                state.discover(object);
                state.acquire(object, shared)
            })
    }

    fn read_guard(&self) -> RwLockReadGuard<'_, T> {
        let inner = match self.inner.try_read() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(poison)) => PoisonError::into_inner(poison),
            Err(TryLockError::WouldBlock) => panic!("sections: {:?} has two owners", self.identity),
        };
        RwLockReadGuard { identity: self.identity, inner: Some(inner) }
    }

    fn write_guard(&self) -> RwLockWriteGuard<'_, T> {
        let inner = match self.inner.try_write() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(poison)) => PoisonError::into_inner(poison),
            Err(TryLockError::WouldBlock) => panic!("sections: {:?} has two owners", self.identity),
        };
        RwLockWriteGuard { identity: self.identity, inner: Some(inner) }
    }

    /// The value. This is not a section, because no other task has the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut().unwrap_or_else(PoisonError::into_inner)
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
        f.debug_tuple("RwLock").field(&self.identity).finish()
    }
}

macro_rules! guard {
    ($(#[$doc:meta])* $Guard:ident, $shared:literal) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $Guard<'a, T: ?Sized> {
            identity: Identity,
            inner: Option<std::sync::$Guard<'a, T>>,
        }

        impl<T: ?Sized> Drop for $Guard<'_, T> {
            fn drop(&mut self) {
                announce_release(self.identity);
                self.inner = None;
                release(self.identity, $shared);
            }
        }

        impl<T: ?Sized> Deref for $Guard<'_, T> {
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

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.inner.as_mut().expect("a guard holds its lock until it is dropped")
    }
}

impl<T: ?Sized> crate::Announced for RwLock<T> {
    fn object(&self) -> crate::Object {
        self.identity.object()
    }
}
