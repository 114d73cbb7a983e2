//! The engine `sections`: every interleaving of synchronising operations, one of each equivalence
//! class.

use super::{Budget, Cell, Coverage, Example, Exploration, Fault, Progress};
use crate::catalogue::{Invariant, Witness};
use crate::checkers;
use crate::history::{History, Record};
use crate::verdict::Verdict;
use sections::{Execution, Outcome, Search};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// What a search has found so far.
#[derive(Default)]
pub(super) struct Seen {
    /// The outcomes, each with its count and its smallest schedule.
    pub(super) outcomes: BTreeMap<Verdict, (u64, Example)>,
    /// The witnesses that were reached.
    pub(super) reached: BTreeSet<Witness>,
}

pub(super) fn explore(
    cell: Cell,
    budget: &Budget,
    progress: Progress,
) -> Result<Exploration, Fault> {
    assert_eq!(xfetch_on_sections::backend_name(), "sections on shuttle");
    let search = Search {
        reduce: budget.preemptions.is_none(),
        preemptions: budget.preemptions.map(|bound| u32::try_from(bound).unwrap_or(u32::MAX)),
        executions: budget.executions,
        time: budget.time,
        workers: budget.workers,
        progress: progress.cloned(),
        ..Search::default()
    };
    let (Cell { scenario, protocol, callers, .. }, until) = (cell, budget.until);
    let body = move || xfetch_on_sections::run(scenario, protocol, callers);
    let (covered, seen) =
        search.run(body, move |seen: &mut Seen, execution| note(seen, &execution, until))?;
    let mut exploration = Exploration::new(cell, budget);
    seen.into_iter().for_each(|seen| exploration.merge(seen));
    exploration.redundant = covered.redundant;
    if covered.exhausted {
        exploration.coverage = budget.preemptions.map_or(Coverage::Complete, Coverage::Preemptions);
    }
    Ok(exploration)
}

/// Adds an execution, and keeps the smallest schedule of each outcome. Breaks if the execution violates
/// `until`.
pub(super) fn note(
    seen: &mut Seen,
    execution: &Execution<History>,
    until: Option<Invariant>,
) -> ControlFlow<()> {
    let example =
        Example { preemptions: execution.preemptions, schedule: execution.schedule.clone() };
    if let Outcome::Returned(history) = &execution.outcome {
        seen.reached.extend(checkers::reached(history));
    }
    let verdict = check(&execution.outcome);
    let found = until.is_some_and(|until| verdict.violated.contains(&until));
    match seen.outcomes.get_mut(&verdict) {
        Some((count, smallest)) => {
            *count += 1;
            if example < *smallest {
                *smallest = example;
            }
        }
        None => drop(seen.outcomes.insert(verdict, (1, example))),
    }
    if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// The verdict about an execution, however it ended.
pub(crate) fn check(outcome: &Outcome<History>) -> Verdict {
    match outcome {
        Outcome::Returned(history) => Verdict::of(history),
        unfinished => check_unfinished(unfinished, &xfetch_on_sections::unfinished()),
    }
}

/// The verdict about an execution that did not end, from what was recorded of it.
pub(crate) fn check_unfinished(outcome: &Outcome<History>, records: &[Record]) -> Verdict {
    Verdict::unfinished(match outcome {
        Outcome::Deadlock(waiting) => {
            let waiting: Vec<_> = waiting.iter().map(|(task, _)| *task).collect();
            checkers::violated_by_a_deadlock(records, &waiting)
        }
        Outcome::Returned(_) | Outcome::Panicked(_) => Invariant::NoPanic,
    })
}
