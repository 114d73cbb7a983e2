//! Counters under a model, in which each count is an operation. The metrics alone use it.

#[cfg(any(feature = "loom", feature = "plain"))]
use crate::sync::like_std::atomic::{AtomicU64, Ordering};
#[cfg(feature = "shuttle")]
use crate::sync::sections::atomic::{AtomicU64, Ordering};

/// `N` counters that only grow.
#[derive(Debug)]
pub struct Counts<const N: usize>([AtomicU64; N]);

impl<const N: usize> Counts<N> {
    /// All at zero.
    pub fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    /// Counts one more.
    pub fn add(&self, counter: usize) {
        self.0[counter].fetch_add(1, Ordering::Relaxed);
    }

    /// The count.
    pub fn sum(&self, counter: usize) -> u64 {
        self.0[counter].load(Ordering::Relaxed)
    }
}
