//! Counters of which each thread has its own. The metrics alone use it.
//!
//! A thread counts in memory that no other thread writes, with a load and a store. So counting costs no atomic update,
//! and two threads never wait for each other's line of the processor's cache. What a thread that has ended has counted
//! stays, and the next thread counts on from there.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use thread_local::ThreadLocal;

/// `N` counters of each thread. It begins a line of the processor's cache.
#[repr(align(64))]
struct Own<const N: usize>([AtomicU64; N]);

impl<const N: usize> Own<N> {
    fn new() -> Self {
        Self([const { AtomicU64::new(0) }; N])
    }
}

/// `N` counters that only grow.
pub struct Counts<const N: usize> {
    own: ThreadLocal<Own<N>>,
    /// Of threads that are ending and have no thread-locals any more.
    of_ending: Own<N>,
}

impl<const N: usize> Counts<N> {
    /// All at zero.
    pub fn new() -> Self {
        Self { own: ThreadLocal::new(), of_ending: Own::new() }
    }

    /// Counts one more.
    #[inline]
    pub fn add(&self, counter: usize) {
        match self.own.get() {
            // ORDERING: this thread alone writes it. A reader may see it a moment late.
            Some(own) => {
                let count = &own.0[counter];
                count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            }
            None => self.add_first(counter),
        }
    }

    /// The first count of a thread. `thread_local` panics if the thread is ending and has been counted before.
    #[cold]
    fn add_first(&self, counter: usize) {
        let own = catch_unwind(AssertUnwindSafe(|| self.own.get_or(Own::new)));
        let counts = own.unwrap_or(&self.of_ending);
        // ORDERING: as in `add`; threads that are ending share theirs.
        counts.0[counter].fetch_add(1, Ordering::Relaxed);
    }

    /// The count of all threads together.
    pub fn sum(&self, counter: usize) -> u64 {
        // ORDERING: each counter stands for itself. The counters balance at rest, and a reader learns by other means that
        // the cache is at rest.
        let all = self.own.iter().chain([&self.of_ending]);
        all.map(|own| own.0[counter].load(Ordering::Relaxed)).sum()
    }
}
