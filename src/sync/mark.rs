//! A flag of an entry that readers set and a writer takes. The store alone uses it.

use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that many readers set and one writer takes, each under the lock of what it belongs to.
///
/// Every backend uses the standard one: whoever takes it holds the lock for writing, and those who set it
/// for reading, so that the order of the lock is all there is to choose.
#[derive(Debug, Default)]
pub struct Mark(AtomicBool);

impl Mark {
    /// Sets it. It is read first, so that a key that everybody asks for is written by one of them.
    pub fn set(&self) {
        // ORDERING: the lock's. Two who set it at once write the same.
        if !self.0.load(Ordering::Relaxed) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it was set; now it is not.
    pub fn take(&mut self) -> bool {
        std::mem::take(self.0.get_mut())
    }
}
