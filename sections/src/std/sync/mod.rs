//! As `std::sync`, with poison.

mod barrier;
mod condvar;
mod lazily;
mod lazy;
pub mod mpsc;
mod mutex;
mod once;
mod rwlock;

pub use crate::sync::atomic;
pub use barrier::{Barrier, BarrierWaitResult};
pub use condvar::{Condvar, WaitTimeoutResult};
pub use lazy::{LazyLock, OnceLock};
pub use mutex::{Mutex, MutexGuard};
pub use once::{Once, OnceState};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use std::sync::{Arc, LockResult, PoisonError, TryLockError, TryLockResult, Weak};

pub(crate) use lazily::end;

use crate::operation::{Access, Kind};
use crate::state::{Identity, with};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a task has panicked while it held a lock. The lock orders the accesses, but for the question whether it is
/// poisoned: that can come while the lock is held.
#[derive(Debug, Default)]
struct Poison(AtomicBool);

impl Poison {
    /// A guard with this value: an error if the lock is poisoned.
    fn result<G>(&self, guard: G) -> LockResult<G> {
        if self.0.load(Ordering::Relaxed) { Err(PoisonError::new(guard)) } else { Ok(guard) }
    }

    fn try_result<G>(&self, guard: Option<G>) -> TryLockResult<G> {
        let guard = guard.ok_or(TryLockError::WouldBlock)?;
        Ok(self.result(guard)?)
    }

    /// A guard is dropped. `before` is whether the task unwound already when the guard was made.
    fn guard_is_dropped(&self, before: bool) {
        if !before && std::thread::panicking() && !with(|state| state.aborting) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[track_caller]
    fn is_set(&self, lock: Identity) -> bool {
        look(lock, Kind::Load, Access::Read);
        self.0.load(Ordering::Relaxed)
    }

    #[track_caller]
    fn clear(&self, lock: Identity) {
        look(lock, Kind::Store, Access::Write);
        self.0.store(false, Ordering::Relaxed);
    }
}

/// An operation on a lock's poison. A release can poison, so whoever looks sees the release, as a try does.
#[track_caller]
fn look(lock: Identity, kind: Kind, access: Access) {
    if lock.announce(kind) {
        with(|state| {
            state.discover(lock.object());
            state.touch(lock.object(), access);
        });
    }
}
