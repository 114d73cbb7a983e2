//! The engines that explore `xfetch-core`, and their reports. The command `xfetch` prints them.
//!
//! The names are in `xfetch-vocabulary`. One scenario text (`models/text/`) is compiled once for each
//! backend: `xfetch-on-threads` is the shipped build of the core, `xfetch-on-sections` announces its
//! operations on Shuttle, and `xfetch-on-loom` uses loom. With the feature `plain` it is compiled once
//! more, on Shuttle's own primitives, for the comparison in docs/PERFORMANCE.md.
//!
//! `xfetch-load` runs the shipped code alone, on real threads and the real clock: [`field_test`] and [`soak`].

pub mod certificate;
pub mod claims;
pub mod code;
pub mod engine;
pub mod explain;
pub mod matter;
pub mod page;
#[cfg(feature = "plain")]
pub mod performance;
pub mod plan;
pub mod regressions;
pub mod replay;
pub mod report;
pub mod stop;
pub mod timeline;
pub mod token;

pub use xfetch_load::{field_test, soak};
pub use xfetch_vocabulary::{catalogue, checkers, history, verdict};
