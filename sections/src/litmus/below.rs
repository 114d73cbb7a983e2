//! Searches below the beginning of a schedule, compared with the executions of the whole search that begin so.

use crate::sync::atomic::AtomicU64;
use crate::thread::spawn;
use crate::{Error, Execution, Outcome, Prefix, Schedule, Search};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

/// Three tasks that lose each other's updates. The result tells most orders apart.
fn body() -> u64 {
    let shared = Arc::new(AtomicU64::new(1));
    let tasks: Vec<_> = (0..3)
        .map(|number| {
            let shared = Arc::clone(&shared);
            spawn(move || {
                let seen = shared.load(SeqCst);
                shared.store(seen * 5 + number, SeqCst);
            })
        })
        .collect();
    tasks.into_iter().for_each(|task| task.join().unwrap());
    shared.load(SeqCst)
}

/// Every execution: its schedule and its result.
fn executions(search: &Search) -> Result<Vec<(Schedule, u64)>, Error> {
    let visit = |all: &mut Vec<(Schedule, u64)>, execution: Execution<u64>| {
        if let Outcome::Returned(result) = execution.outcome {
            all.push((execution.schedule, result));
        }
        ControlFlow::Continue(())
    };
    let (coverage, found) = search.run(body, visit)?;
    assert!(coverage.exhausted);
    Ok(found.into_iter().flatten().collect())
}

fn results(all: &[(Schedule, u64)]) -> BTreeSet<u64> {
    all.iter().map(|(_, result)| *result).collect()
}

#[test]
fn below_a_prefix_are_exactly_the_executions_that_begin_with_it() {
    let whole = Search { reduce: false, ..Search::default() };
    let all = executions(&whole).unwrap();
    // 90 orders of three tasks with two operations each: 6! / 2!^3.
    assert_eq!(all.len(), 90);
    for (schedule, _) in all.iter().step_by(17) {
        for choices in 0..6 {
            let begins = |other: &Schedule| {
                (0..choices).all(|place| other.choice(place) == schedule.choice(place))
            };
            let expected: Vec<_> = all.iter().filter(|(it, _)| begins(it)).cloned().collect();
            let below = Some(Prefix { schedule: schedule.clone(), choices });
            let found = executions(&Search { below: below.clone(), ..whole.clone() }).unwrap();
            let set = |of: &[(Schedule, u64)]| of.iter().cloned().collect::<BTreeSet<_>>();
            assert_eq!(set(&found), set(&expected), "{schedule:?}, {choices} choices");
            for workers in [1, 2] {
                for sources in [false, true] {
                    let reduced =
                        Search { below: below.clone(), workers, sources, ..Search::default() };
                    let reduced = executions(&reduced).unwrap();
                    assert!(reduced.len() <= expected.len());
                    assert_eq!(results(&reduced), results(&expected), "{schedule:?}, {choices}");
                }
            }
        }
    }
}

#[test]
fn a_prefix_that_no_execution_has_is_an_error_that_names_the_choice() {
    let below = Some(Prefix { schedule: Schedule::new(vec![0, 7]), choices: 2 });
    let wrong = executions(&Search { below, ..Search::default() });
    assert!(matches!(wrong, Err(Error::NoSuchChoice { place: 1, choice: 7, .. })), "{wrong:?}");
}

#[test]
fn an_execution_that_follows_the_order_of_another_has_its_schedule_and_its_result() {
    let whole = Search { reduce: false, record: true, ..Search::default() };
    let visit = |all: &mut Vec<Execution<u64>>, execution: Execution<u64>| {
        all.push(execution);
        ControlFlow::Continue(())
    };
    let (_, found) = whole.run(body, visit).unwrap();
    for execution in found.into_iter().flatten() {
        let order: Vec<_> = execution.steps.iter().map(|step| step.task).collect();
        let none = Schedule::default();
        let (again, ()) = crate::follow(&none, &order, body, |_| ()).unwrap();
        assert_eq!(again.schedule, execution.schedule);
        assert_eq!(again.outcome, execution.outcome);
    }
    // An order that is over goes on as a choice of 0 does, and tasks that there are not are passed over.
    let (first, ()) = crate::follow(&Schedule::default(), &[9], body, |_| ()).unwrap();
    assert_eq!(first.schedule, Schedule::default());
}
