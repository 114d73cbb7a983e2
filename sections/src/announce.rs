//! What a task is about to do.

use std::cell::Cell;

/// How an operation touches its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Commutes with other reads.
    Read,
    /// Commutes with nothing on the same object.
    Write,
}

thread_local! {
    /// Tasks of Shuttle share an OS thread: one exploration, one count.
    static ANNOUNCED: Cell<u64> = const { Cell::new(0) };
}

pub(crate) fn announce(_access: Access) {
    ANNOUNCED.with(|announced| announced.set(announced.get() + 1));
}

/// Operations announced on this OS thread since the last [`reset`].
pub fn announcements() -> u64 {
    ANNOUNCED.with(Cell::get)
}

/// Starts the count of announcements anew.
pub fn reset() {
    ANNOUNCED.with(|announced| announced.set(0));
}
