//! One checker per property. Each reads a history and says where it is violated.

mod windows;

use crate::catalogue::Invariant;
use crate::history::History;

/// What was violated, and the index of the record that did it.
pub type Violation = (Invariant, usize);

/// Everything that an execution violates.
pub fn violated(history: &History) -> Vec<Violation> {
    let checkers = [
        windows::one_compute_per_window,
        windows::no_wasted_compute,
        windows::at_least_one_compute,
    ];
    checkers.iter().flat_map(|check| check(history)).collect()
}
