//! Every litmus against every checker.

use super::checkers::{Choices, Outcomes, by_sections, by_shuttle};
use super::log::note;
use super::{Litmus, announced, native};
use crate::sync::Mutex;
use crate::thread::spawn;
use std::sync::Arc;

/// More executions than Shuttle's search needs for any litmus.
const EXECUTIONS: usize = 100_000;

fn expected(litmus: Litmus) -> Outcomes {
    litmus.outcomes.iter().map(|outcome| (*outcome).to_owned()).collect()
}

fn check(litmus: Litmus) {
    for reduce in [false, true] {
        for workers in [1, 2] {
            let (found, coverage) = by_sections(litmus.body, reduce, workers).unwrap();
            let name = litmus.name;
            assert_eq!(found, expected(litmus), "{name}, reduce: {reduce}, workers: {workers}");
            assert!(coverage.exhausted, "{name}");
        }
    }
}

#[test]
fn every_litmus_has_exactly_the_derived_outcomes() {
    announced::text::litmuses().for_each(check);
    announced::text::TIMEOUTS.iter().copied().for_each(check);
}

#[test]
fn every_litmus_has_exactly_the_outcomes_that_shuttle_finds() {
    for litmus in native::text::litmuses() {
        let found = by_shuttle(litmus.body, Choices::ThatMatter, EXECUTIONS);
        assert!(found.exhausted, "{}", litmus.name);
        assert_eq!(found.outcomes, expected(litmus), "{}", litmus.name);
    }
}

/// [`Choices::ThatMatter`] leaves out no outcome, as far as [`Choices::All`] can be searched. Four
/// litmuses have too many executions for that.
#[test]
fn the_choices_that_are_left_out_lead_to_no_other_outcome() {
    let unfinished = native::text::litmuses().filter(|litmus| {
        let found = by_shuttle(litmus.body, Choices::All, 140_000);
        assert!(found.outcomes.is_subset(&expected(*litmus)), "{}", litmus.name);
        assert!(!found.exhausted || found.outcomes == expected(*litmus), "{}", litmus.name);
        !found.exhausted
    });
    let unfinished: Vec<_> = unfinished.map(|litmus| litmus.name).collect();
    let many = ["two_tokens", "a_late_third_waiter", "broadcast_then_signal", "independent_reads"];
    assert_eq!(unfinished, many);
}

/// A deadlock fails Shuttle's execution and ends its runner. The search has to continue with the next
/// execution.
///
/// The waiter locks and waits, and the notifier notifies. If the notification comes before the wait,
/// the waiter is stuck: that is before its lock, or between its lock and its wait. If it comes after
/// the wait, the waiter wakes up, locks and unlocks alone.
#[test]
fn shuttles_search_goes_on_after_a_deadlock() {
    let is_it = |litmus: &Litmus| litmus.name == "notify_without_a_flag";
    let litmus = native::text::litmuses().find(is_it).unwrap();
    let found = by_shuttle(litmus.body, Choices::ThatMatter, EXECUTIONS);
    assert_eq!((found.executions, found.exhausted), (3, true));
}

/// This is why the litmuses with time-outs are not run under Shuttle.
#[test]
fn shuttle_fires_no_time_out() {
    let alone = native::text::TIMEOUTS[0];
    assert_eq!(alone.name, "a_timeout_alone");
    let found = by_shuttle(alone.body, Choices::All, EXECUTIONS);
    assert_eq!(found.outcomes, Outcomes::from(["deadlock".to_owned()]));
}

/// A ledger rides on the acquisition before it. Its place among the sections on that ledger is kept all the same.
#[test]
fn a_ledger_under_a_lock_never_loses_an_order() {
    let body = || {
        let entries = Arc::new(std::sync::atomic::AtomicI64::new(0));
        let tasks = [1_u32, 2].map(|label| {
            let (entries, own) = (Arc::clone(&entries), Mutex::new(()));
            spawn(move || {
                let guard = own.lock();
                crate::ledger(0);
                note(label, entries.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
                drop(guard);
            })
        });
        tasks.into_iter().for_each(|task| task.join().unwrap());
    };
    let expected = ["1:0 2:1", "1:1 2:0"].map(str::to_owned).into();
    for reduce in [false, true] {
        let (outcomes, _) = by_sections(body, reduce, 1).unwrap();
        assert_eq!(outcomes, expected, "reduced: {reduce}");
    }
}
