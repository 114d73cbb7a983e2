//! What the suite talks about, and nothing that runs: every backend and every engine depends on it, and it
//! depends on none of them.
//!
//! [`catalogue`] has the names, an entry each. A run of a scenario gives a [`history::History`];
//! [`checkers`] say what it violates; a [`verdict::Verdict`] is what remains of it.

pub mod catalogue;
pub mod checkers;
pub mod history;
pub mod verdict;
