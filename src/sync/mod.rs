//! The one door to synchronisation. Every other file of the core may use it, and it uses none of them.
//!
//! No file outside this folder names a lock, an atomic or a scheduler; `models/tests/tidy.rs` checks it.
//! Four packages compile these sources: `xfetch-core` on `parking_lot`, and three unpublished shadows
//! under `models/`, on the announced primitives of `sections`, on loom, and on Shuttle's plain ones. Each
//! adapter makes its backend look like the narrowest one: no poison, no `try_lock`, guards passed by value.

#[cfg(any(feature = "shuttle", feature = "loom", feature = "plain"))]
mod counts;
mod handles;
#[cfg(not(any(feature = "shuttle", feature = "loom", feature = "plain")))]
mod index;
mod mark;
mod roll;

#[cfg(any(feature = "loom", feature = "plain"))]
mod like_std;
#[cfg(any(feature = "shuttle", feature = "loom", feature = "plain"))]
mod linear;
#[cfg(not(any(feature = "shuttle", feature = "loom", feature = "plain")))]
mod parking_lot;
#[cfg(not(any(feature = "shuttle", feature = "loom", feature = "plain")))]
mod per_thread;
#[cfg(any(feature = "shuttle", feature = "loom", feature = "plain"))]
mod queue;
#[cfg(not(any(feature = "shuttle", feature = "loom", feature = "plain")))]
mod seats;
#[cfg(feature = "shuttle")]
mod sections;
#[cfg(not(any(feature = "shuttle", feature = "loom", feature = "plain")))]
mod slot;
#[cfg(all(test, not(any(feature = "shuttle", feature = "loom", feature = "plain"))))]
mod tests;

#[cfg(any(feature = "loom", feature = "plain"))]
pub use self::like_std::*;
#[cfg(not(any(feature = "shuttle", feature = "loom", feature = "plain")))]
pub use self::parking_lot::*;
#[cfg(feature = "shuttle")]
pub use self::sections::*;

#[cfg(any(feature = "shuttle", feature = "loom", feature = "plain"))]
pub use self::counts::Counts;
pub use self::handles::Handles;
#[cfg(not(any(feature = "shuttle", feature = "loom", feature = "plain")))]
pub use self::index::Index;
#[cfg(any(feature = "shuttle", feature = "loom", feature = "plain"))]
pub use self::linear::{Held, Index, Seen};
pub use self::mark::Mark;
#[cfg(not(any(feature = "shuttle", feature = "loom", feature = "plain")))]
pub use self::per_thread::Counts;
#[cfg(any(feature = "shuttle", feature = "loom", feature = "plain"))]
pub use self::queue::Queue;
pub use self::roll::{Present, Roll};
#[cfg(not(any(feature = "shuttle", feature = "loom", feature = "plain")))]
pub use self::slot::{Held, Seen};
/// Reference counts manage memory and decide nothing, so every backend uses the standard one.
pub use std::sync::{Arc, Weak};
