//! Which threads of a pool have not ended, for a shutdown that has a time limit. `executor.rs` alone uses it.
//!
//! The protocol does not rest on it and no model waits for it, so every backend uses the standard lock.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[derive(Default)]
struct Count {
    present: Mutex<usize>,
    changed: Condvar,
}

impl Count {
    fn lock(&self) -> MutexGuard<'_, usize> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts the threads that have not ended.
#[derive(Default)]
pub struct Roll(Arc<Count>);

impl Roll {
    /// A mark that one thread holds until it ends.
    pub fn enter(&self) -> Present {
        *self.0.lock() += 1;
        Present(Arc::clone(&self.0))
    }

    /// How many threads have not ended.
    pub fn present(&self) -> usize {
        *self.0.lock()
    }

    /// Waits until all threads have ended, at most for `limit`. Returns how many have not.
    pub fn wait(&self, limit: Duration) -> usize {
        let present = self.0.lock();
        let waited = self.0.changed.wait_timeout_while(present, limit, |present| *present > 0);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The mark of a thread. Its drop is the end of the thread.
pub struct Present(Arc<Count>);

impl Drop for Present {
    fn drop(&mut self) {
        *self.0.lock() -= 1;
        self.0.changed.notify_all();
    }
}
