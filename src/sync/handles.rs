//! How many handles a cache has. The public face counts them, and a queued refresh asks.
//!
//! A count of references would not do: a refresh that runs holds the cache's state too, and as long as one of them runs
//! the next one begins.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The number of handles. Once it is zero it stays zero.
#[derive(Debug)]
pub struct Handles(AtomicUsize);

// ORDERING: the count publishes nothing. A thread that has read a count a moment too old refreshes once more.
impl Handles {
    /// The count of a cache with one handle.
    pub const fn one() -> Self {
        Self(AtomicUsize::new(1))
    }

    /// Counts a clone of a handle.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a handle that is made of nothing but a weak one. `false` if there is no handle any more.
    pub fn try_add(&self) -> bool {
        let more = |count: usize| (count > 0).then_some(count + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Counts the drop of a handle.
    pub fn remove(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether there is a handle.
    pub fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}
