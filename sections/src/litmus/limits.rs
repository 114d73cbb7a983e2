//! What a search is known to lose, so that it can be said where results are read.

use super::judges::{Choices, Outcomes, by_sections, by_shuttle};
use super::log::note;
use super::{announced, native};
use crate::sync::atomic::{AtomicI64, Ordering};
use crate::thread::spawn;
use std::sync::Arc;

fn expected(outcomes: &[&str]) -> Outcomes {
    outcomes.iter().map(|outcome| (*outcome).to_owned()).collect()
}

/// Shuttle cannot switch tasks in this package's primitives while one of them unwinds, so all that a
/// panic's destructors do belongs to the step that panics: nobody comes between the panic and the
/// release. A try that fails only there is lost.
#[test]
fn a_try_that_fails_only_while_its_holder_unwinds_is_lost() {
    let found = by_shuttle(native::text::try_against_a_panic, Choices::All, 10_000);
    assert_eq!(found.outcomes, expected(&["2:-1", "2:0", "2:1"]));
    let (outcomes, _) = by_sections(announced::text::try_against_a_panic, true, 1).unwrap();
    assert_eq!(outcomes, expected(&["2:0", "2:1"]));
}

/// Tasks are numbered as they are spawned, but a spawn is no section, so with a reduction the orders
/// of spawns by different tasks are not all explored: a scenario must not look at the numbers.
#[test]
fn an_order_of_spawns_that_only_numbers_tell_is_lost() {
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
