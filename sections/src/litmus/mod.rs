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
//! - `symmetric`: programs with tasks that are alike, with and without symmetry.
//! - `program`, `random`: random programs against the same checkers, and executions against traces.
//! - `oracle`: the outcomes of a random program, by exploring all of its states.
//! - `mixes`, `against_the_oracle`: random programs of many kinds against it.
//! - `counts`: exact numbers of executions of straight-line programs.
//! - `how_far`: the estimate of the share that is explored.
//! - `like_std`: programs on the primitives as std has them, against Shuttle.
//! - `primitives`: random programs on the primitives of `sections::std` against an oracle of their own.
//! - `limits`: what a search is known to lose.
//! - `verdicts`: programs that must not get a verdict which is wrong, with the error or the outcomes that they get.

mod against_the_oracle;
mod announced;
mod below;
mod checkers;
mod counts;
mod how_far;
mod judge;
mod like_std;
mod limits;
mod log;
mod mixes;
mod native;
mod oracle;
mod outcomes;
mod primitives;
mod program;
mod random;
mod resumed;
mod switched_off;
mod symmetric;
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
