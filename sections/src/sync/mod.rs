//! Primitives that announce what they are about to do. They do not poison, and work only inside an
//! exploration.

pub mod atomic;
mod condvar;
mod mutex;
mod rwlock;

pub use condvar::Condvar;
pub use mutex::{Mutex, MutexGuard};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::operation::{Kind, Object};
use crate::rules::{Rule, on};
use crate::state::{announce, with};

/// Marks the lock as taken by the task that runs, which has been chosen because it is free.
fn own(lock: Object, shared: bool) {
    let taken = with(|state| state.acquire(lock, shared));
    assert!(taken, "sections: {lock} is taken, and a destructor that unwinds cannot wait for it");
}

/// Before a release: if the lock is tried somewhere, whether it is taken can be seen.
fn announce_release(lock: Object) {
    if on(Rule::TriedLocksAnnounceReleases) && with(|state| state.tried.contains(&lock)) {
        announce(Kind::Release, lock);
    }
}
