//! Synchronisation primitives that announce what they are about to do, on Shuttle.
//!
//! Today an announcement is remembered and nothing more: Shuttle's own schedulers decide at
//! Shuttle's own points. The exhaustive scheduler that decides at announcements alone comes next.

mod announce;
pub mod sync;

pub use announce::{Access, announcements, reset};

/// Threads, as Shuttle schedules them.
pub mod thread {
    pub use shuttle::thread::{JoinHandle, spawn};
}
