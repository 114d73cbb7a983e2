//! The words of the suite: names, histories, checkers and verdicts. Nothing here runs an execution.
//! Every backend and every engine depends on this crate, and it depends on none of them.
//!
//! [`catalogue`] has one entry for each name. One run of a scenario gives a [`history::History`]. The
//! [`checkers`] report what it violates, and a [`verdict::Verdict`] is their result.

pub mod catalogue;
pub mod checkers;
pub mod history;
pub mod seal;
pub mod verdict;
