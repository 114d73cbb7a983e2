//! What judges the search from outside.
//!
//! A search that agrees with itself proves nothing, so every judge here knows something that the
//! search does not: a set of outcomes derived by hand in a comment, Shuttle's own depth-first search
//! on Shuttle's own primitives, or a count by an independent program.
//!
//! - `text`: litmus programs, written once and compiled for both backends.
//! - `announced`, `native`: the two backends, this package's primitives and Shuttle's.
//! - `judges`: all outcomes of a program, by Shuttle's search and by this one.
//! - `outcomes`: every litmus before every judge.
//! - `switched_off`: each soundness rule, and the test that notices when it is gone.
//! - `program`, `random`: random programs before the same judges; executions against traces.
//! - `counts`: exact numbers of executions of straight-line programs.
//! - `limits`: what a search is known to lose.

mod announced;
mod counts;
mod judges;
mod limits;
mod log;
mod native;
mod outcomes;
mod program;
mod random;
mod switched_off;
mod traces;

/// A program whose outcomes are few enough to be derived by hand.
#[derive(Clone, Copy)]
struct Litmus {
    name: &'static str,
    /// Spawns and joins; its tasks note what they see.
    body: fn(),
    /// Every outcome, in the words of [`log::outcome`].
    outcomes: &'static [&'static str],
}
