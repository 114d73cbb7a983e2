//! The exhaustive search: every interleaving of synchronising operations, one of each equivalence class.

use crate::seen::Seen;
use sections::{Coverage, Error, Search};
use xfetch_vocabulary::catalogue::{Invariant, Protocol, Scenario};

/// Searches through a scenario with so many callers; up to the first execution that violates `until`, if there is one.
/// Returns what each OS thread has seen.
///
/// # Errors
///
/// [`Error`] says why the search means nothing.
pub fn search(
    search: &Search,
    scenario: Scenario,
    protocol: Protocol,
    callers: usize,
    until: Option<Invariant>,
) -> Result<(Coverage, Vec<Seen>), Error> {
    assert_eq!(crate::backend_name(), "sections on shuttle");
    let body = move || crate::run(scenario, protocol, callers);
    search.run(body, move |seen: &mut Seen, execution| seen.note(&execution, until))
}
