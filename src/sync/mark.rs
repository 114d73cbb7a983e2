//! A flag of an entry that readers set and a writer takes. The store alone uses it.

use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that many readers set and one writer takes, each under the lock of its entry.
///
/// Every backend uses the standard atomic. A taker holds the lock for writing and a setter for reading, so
/// that a scheduler has only the order of the lock to choose.
#[derive(Debug, Default)]
pub struct Mark(AtomicBool);

impl Mark {
    /// Sets it. It is read first, so that a popular key is not written by every reader.
    pub fn set(&self) {
        // ORDERING: the order of the lock. Two readers that set it at once write the same.
        if !self.0.load(Ordering::Relaxed) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// Clears it, and returns whether it was set.
    pub fn take(&mut self) -> bool {
        std::mem::take(self.0.get_mut())
    }
}
