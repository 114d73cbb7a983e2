//! The one door to synchronisation. Every other file of the core may use it, and it uses none of them.
//!
//! No file outside this folder names a lock, an atomic or a scheduler; `models/tests/tidy.rs` checks it.
//! Four packages compile these sources: `xfetch-core` on `parking_lot`, and three unpublished shadows
//! under `models/`, on the announced primitives of `sections`, on loom, and on Shuttle's plain ones. Each
//! adapter makes its backend look like the narrowest one: no poison, no `try_lock`, guards passed by value.

mod handles;
mod mark;
mod roll;

#[cfg(any(feature = "loom", feature = "plain"))]
mod like_std;
#[cfg(not(any(feature = "shuttle", feature = "loom", feature = "plain")))]
mod parking_lot;
#[cfg(any(feature = "shuttle", feature = "loom", feature = "plain"))]
mod queue;
#[cfg(feature = "shuttle")]
mod sections;

#[cfg(any(feature = "loom", feature = "plain"))]
pub use self::like_std::*;
#[cfg(not(any(feature = "shuttle", feature = "loom", feature = "plain")))]
pub use self::parking_lot::*;
#[cfg(feature = "shuttle")]
pub use self::sections::*;

pub use self::handles::Handles;
pub use self::mark::Mark;
#[cfg(any(feature = "shuttle", feature = "loom", feature = "plain"))]
pub use self::queue::Queue;
pub use self::roll::{Present, Roll};
/// Reference counts manage memory and decide nothing, so every backend uses the standard one.
pub use std::sync::{Arc, Weak};
