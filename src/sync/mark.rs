//! A flag of an entry that readers set and a writer takes. Entries alone use it.

use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that many readers set, and that a writer takes who holds the lock of the entry's shard.
///
/// Every backend uses the standard atomic. A reader sets it in the section in which it found the entry, and a writer
/// takes it in the section in which it changes the shard, so that a scheduler has only the order of these to choose.
#[derive(Debug, Default)]
pub struct Mark(AtomicBool);

// ORDERING: it publishes nothing. A mark that comes a moment too late counts for the next round of the hand.
impl Mark {
    /// Sets it. It is read first, so that a popular key is not written by every reader.
    #[inline]
    pub fn set(&self) {
        if !self.0.load(Ordering::Relaxed) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// Clears it, and returns whether it was set.
    pub fn take(&self) -> bool {
        let was_set = self.0.load(Ordering::Relaxed);
        if was_set {
            self.0.store(false, Ordering::Relaxed);
        }
        was_set
    }
}
