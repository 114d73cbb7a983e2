//! Tests that check the search from outside.
//!
//! A search that agrees only with itself proves nothing. So each checker here knows something that the
//! search does not: outcomes that a comment derives by hand, Shuttle's own depth-first search on
//! Shuttle's own primitives, or a count by an independent program.
//!
//! - `text`: litmus programs, written once and compiled for both backends.
//! - `announced`, `native`: the two backends, this package's primitives and Shuttle's.
//! - `checkers`: all outcomes of a program, by Shuttle's search and by this package's.
//! - `outcomes`: every litmus against every checker.
//! - `switched_off`: each soundness rule, and the test that fails without it.
//! - `program`, `random`: random programs against the same checkers, and executions against traces.
//! - `counts`: exact numbers of executions of straight-line programs.
//! - `like_std`: programs on the primitives as std has them, against Shuttle.
//! - `limits`: what a search is known to lose.
//! - `verdicts`: programs that must not get a verdict which is wrong, with the error or the outcomes that they get.

mod announced;
mod checkers;
mod counts;
mod like_std;
mod limits;
mod log;
mod native;
mod outcomes;
mod program;
mod random;
mod switched_off;
mod traces;
mod verdicts;

/// A program with so few outcomes that a comment can derive them by hand.
#[derive(Clone, Copy)]
struct Litmus {
    name: &'static str,
    /// Spawns and joins. Its tasks note the values that they see.
    body: fn(),
    /// Every outcome, in the format of [`log::outcome`].
    outcomes: &'static [&'static str],
}
