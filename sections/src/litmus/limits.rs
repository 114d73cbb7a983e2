//! What a search is known to lose, so that it can be said where results are read.

use super::judges::{Main, Outcomes, by_sections, by_shuttle};
use super::{announced, native};

/// Shuttle cannot switch tasks in this package's primitives while one of them unwinds, so all that a
/// panic's destructors do belongs to the step that panics: nobody comes between the panic and the
/// release. A try that fails only there is lost.
#[test]
fn a_try_that_fails_only_while_its_holder_unwinds_is_lost() {
    let expected = |outcomes: &[&str]| -> Outcomes {
        outcomes.iter().map(|outcome| (*outcome).to_owned()).collect()
    };
    let found = by_shuttle(native::text::try_against_a_panic, Main::TakesPart, 10_000);
    assert_eq!(found.outcomes, expected(&["2:-1", "2:0", "2:1"]));
    let (outcomes, _) = by_sections(announced::text::try_against_a_panic, true, 1).unwrap();
    assert_eq!(outcomes, expected(&["2:0", "2:1"]));
}
