//! The primitives as std has them: one text, for this package's and for Shuttle's.
//!
//! Shuttle's search says which outcomes there are. What Shuttle does not have is in `alone`, with outcomes that a comment
//! derives.

mod alone;

mod ours;
mod shuttles;

use super::checkers::{Choices, Outcomes, by_sections, by_shuttle};
use crate::thread::spawn;
use std::panic::resume_unwind;

/// The program as a task: its body takes part like any other.
fn as_a_task(body: fn()) -> impl Fn() + Clone + Send + Sync + 'static {
    move || spawn(body).join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// Every outcome of this package's search, which has to be the same with and without the reduction.
fn found(body: fn()) -> Outcomes {
    let (all, coverage) = by_sections(as_a_task(body), false, 1).unwrap();
    assert!(coverage.exhausted);
    let (reduced, coverage) = by_sections(as_a_task(body), true, 1).unwrap();
    assert!(coverage.exhausted);
    assert_eq!(reduced, all, "the reduction loses or invents an outcome");
    reduced
}

/// A poisoned mutex that some task asks for its poison is released while its holder unwinds, so the search does not call
/// itself exhausted. Its outcomes are compared all the same.
fn outcomes(body: fn(), reduce: bool) -> Outcomes {
    by_sections(as_a_task(body), reduce, 1).unwrap().0
}

#[test]
fn programs_on_std_like_primitives_have_the_outcomes_that_they_have_on_shuttles() {
    let mut wrong = Vec::new();
    for (ours, theirs) in ours::text::PROGRAMS.iter().zip(shuttles::text::PROGRAMS) {
        let shuttle = by_shuttle(theirs.1, Choices::All, 2_000_000);
        assert!(shuttle.exhausted, "{}: more than {}", ours.0, shuttle.executions);
        assert!(!shuttle.outcomes.is_empty());
        for reduce in [false, true] {
            let found = outcomes(ours.1, reduce);
            if found != shuttle.outcomes {
                wrong.push(format!(
                    "{} ({reduce}): {found:?}, Shuttle {:?}",
                    ours.0, shuttle.outcomes
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
