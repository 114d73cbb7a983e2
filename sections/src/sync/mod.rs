//! Primitives that announce their operations. They have no poison, and work only inside an exploration.

pub mod atomic;
mod condvar;
mod mutex;
mod rwlock;

pub use condvar::Condvar;
pub use mutex::{Mutex, MutexGuard};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::operation::Kind;
use crate::rules::{Rule, on};
use crate::state::{Age, Identity, with};

/// Waits until the lock can be taken, and marks it as taken by the running task.
#[track_caller]
fn acquire(lock: Identity, kind: Kind) {
    if lock.announce(kind) {
        own(lock, kind == Kind::ReadLock);
    }
}

/// Marks the lock as taken by the running task, which was chosen because the lock is free.
fn own(lock: Identity, shared: bool) {
    let lock = lock.object();
    let taken = with(|state| state.acquire(lock, shared));
    // Only in a simulation: a search asks first.
    assert!(taken, "sections: {lock} is taken, and a destructor that unwinds cannot wait for it");
}

/// If some task tries the lock, or looks at it otherwise, its release can be observed and is announced. So can the end
/// of a task that is looked at.
pub(crate) fn announce_release(lock: Identity) {
    let tried = || with(|state| state.learned.tried.contains(&lock.object()));
    if on(Rule::TriedLocksAnnounceReleases) && lock.age(Kind::Release) == Age::Present && tried() {
        let _ = lock.announce(Kind::Release);
    }
}

/// A guard was dropped. Of one that has outlived its execution nothing is known.
fn release(lock: Identity, shared: bool) {
    if lock.age(Kind::Release) == Age::Present {
        with(|state| state.release(lock.object(), shared));
    }
}
