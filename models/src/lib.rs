//! The suite that proves `xfetch-core`: scenarios, broken twins, judges, engines.
//!
//! One scenario text (`text/`) is compiled three times, on three builds of the core's sources:
//! [`on_threads`] (what ships), [`on_sections`] (announced operations on Shuttle) and [`on_loom`]; behind the
//! feature `plain` once more, on Shuttle's own primitives, for the comparison in docs/PERFORMANCE.md.
//! A run gives a [`history::History`]; [`judge`] says what it violates; an [`engine`] runs many.
//!
//! [`certify`] and [`soak`] are runs of what ships alone, on real threads and the real clock.

#[macro_use]
pub mod catalogue;
pub mod certificate;
pub mod certify;
#[cfg(feature = "plain")]
pub mod dfs;
pub mod engine;
pub mod findings;
pub mod history;
pub mod judge;
pub mod lanes;
pub mod on_loom;
#[cfg(feature = "plain")]
pub mod on_plain;
pub mod on_sections;
pub mod on_threads;
pub mod page;
#[cfg(feature = "plain")]
pub mod performance;
pub mod plan;
pub mod replay;
pub mod soak;
pub mod token;
pub mod verdict;
