//! The engines that explore `xfetch-core`, and what they report. The command `xfetch` prints it.
//!
//! What is explored has its names in `xfetch-vocabulary`. One scenario text (`models/text/`) is compiled
//! once per backend: `xfetch-on-threads` (the shipped build of the core), `xfetch-on-sections` (announced
//! operations on Shuttle) and `xfetch-on-loom`; behind the feature `plain` once more, on Shuttle's own
//! primitives, for the comparison in docs/PERFORMANCE.md. A run gives a [`history::History`]; the
//! [`checkers`] say what it violates; an [`engine`] runs many, and reports an [`engine::Exploration`].
//!
//! `xfetch-load` runs the shipped code alone, on real threads and the real clock: [`field_test`] and [`soak`].

pub mod certificate;
pub mod claims;
pub mod engine;
pub mod page;
#[cfg(feature = "plain")]
pub mod performance;
pub mod plan;
pub mod replay;
pub mod timeline;
pub mod token;

pub use xfetch_load::{field_test, soak};
pub use xfetch_vocabulary::{catalogue, checkers, history, verdict};
