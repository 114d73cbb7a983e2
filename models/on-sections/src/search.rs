//! The exhaustive search: every interleaving of synchronising operations, one of each equivalence class.

use crate::refined::MOST_CALLERS;
use crate::seen::Seen;
use sections::{Checkpoint, Coverage, Error, Search, Searched};
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
    let Searched { coverage, accumulators, .. } =
        resume(search, None, scenario, protocol, callers, until)?;
    Ok((coverage, accumulators))
}

/// As [`search`], and goes on with a search that was cut off, if there is one. Returns what was seen since then.
///
/// # Errors
///
/// [`Error`] says why the search means nothing.
pub fn resume(
    search: &Search,
    from: Option<Checkpoint>,
    scenario: Scenario,
    protocol: Protocol,
    callers: usize,
    until: Option<Invariant>,
) -> Result<Searched<Seen>, Error> {
    assert_eq!(crate::backend_name(), "sections on shuttle");
    let body = move || crate::run(scenario, protocol, callers);
    let held = search.symmetry || callers <= MOST_CALLERS;
    search.resume(from, body, move |seen: &mut Seen, execution| {
        seen.note(&execution, protocol, held, until)
    })
}
