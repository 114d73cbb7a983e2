//! Counters of which each thread has its own. The metrics alone use it.
//!
//! A thread that has a seat counts in memory that no other thread writes, with a load and a store. So counting costs no
//! atomic update, and two threads never wait for each other's line of the processor's cache. The next thread on the seat
//! counts on from there. Threads without a seat share a set: to count takes no seat, because many threads that count never
//! read.

use crate::sync::seats::{SEATS, taken};
use std::sync::atomic::{AtomicU64, Ordering};

/// `N` counters of a thread. It begins a line of the processor's cache.
#[repr(align(64))]
struct Own<const N: usize>([AtomicU64; N]);

impl<const N: usize> Own<N> {
    const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; N])
    }
}

/// `N` counters that only grow.
pub struct Counts<const N: usize> {
    seats: [Own<N>; SEATS],
    shared: Own<N>,
}

impl<const N: usize> Counts<N> {
    /// All at zero.
    pub fn new() -> Self {
        Self { seats: [const { Own::new() }; SEATS], shared: Own::new() }
    }

    /// Counts one more.
    // ORDERING: a counter publishes nothing. A reader may see it a moment late.
    #[inline]
    pub fn add(&self, counter: usize) {
        match taken().and_then(|seat| self.seats.get(seat)) {
            Some(own) => {
                let count = &own.0[counter];
                count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            }
            None => self.add_shared(counter),
        }
    }

    #[cold]
    fn add_shared(&self, counter: usize) {
        self.shared.0[counter].fetch_add(1, Ordering::Relaxed);
    }

    /// The count of all threads together.
    pub fn sum(&self, counter: usize) -> u64 {
        // ORDERING: each counter stands for itself. The counters balance at rest, and a reader learns by other means that
        // the cache is at rest.
        let all = self.seats.iter().chain([&self.shared]);
        all.map(|own| own.0[counter].load(Ordering::Relaxed)).sum()
    }
}
