//! What a search is known to lose. The documentation names these limits.

use super::checkers::{Choices, Outcomes, by_sections, by_shuttle};
use super::log::note;
use super::{announced, native};
use crate::sync::atomic::{AtomicI64, Ordering};
use crate::thread::spawn;
use std::sync::Arc;

fn expected(outcomes: &[&str]) -> Outcomes {
    outcomes.iter().map(|outcome| (*outcome).to_owned()).collect()
}

/// Shuttle cannot switch tasks in this package's primitives while a task unwinds. So all operations of
/// a panic's destructors belong to the step that panics, and no task runs between the panic and the
/// release. A try that fails only there is lost.
#[test]
fn a_try_that_fails_only_while_its_holder_unwinds_is_lost() {
    let found = by_shuttle(native::text::try_against_a_panic, Choices::All, 10_000);
    assert_eq!(found.outcomes, expected(&["2:-1", "2:0", "2:1"]));
    let (outcomes, _) = by_sections(announced::text::try_against_a_panic, true, 1).unwrap();
    assert_eq!(outcomes, expected(&["2:0", "2:1"]));
}

/// Tasks are numbered in the order of spawning, but a spawn is no section. So with reduction not every
/// order of spawns by different tasks is explored. A scenario must not depend on the numbers.
#[test]
fn an_order_of_spawns_that_shows_only_in_the_numbers_is_lost() {
    let body = || {
        let objects: Arc<[AtomicI64]> = (0..3).map(|_| AtomicI64::new(0)).collect();
        let parents = [1, 2].map(|label| {
            let objects = Arc::clone(&objects);
            spawn(move || {
                objects[label].load(Ordering::SeqCst);
                let its = Arc::clone(&objects);
                let child = spawn(move || its[0].load(Ordering::SeqCst));
                note(label as u32, child.task() as i64);
                child.join().unwrap();
            })
        });
        parents.into_iter().for_each(|parent| parent.join().unwrap());
    };
    let (outcomes, _) = by_sections(body, false, 1).unwrap();
    assert_eq!(outcomes, expected(&["1:3 2:4", "1:4 2:3"]));
    let (outcomes, _) = by_sections(body, true, 1).unwrap();
    assert_eq!(outcomes, expected(&["1:3 2:4"]));
}
