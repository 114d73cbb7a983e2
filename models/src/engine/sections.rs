//! `sections`: every interleaving of synchronising operations, one of each equivalence class.

use super::{Budget, Cell, Coverage, Example, Fault, Findings, Progress};
use crate::catalogue::{Invariant, Witness};
use crate::history::{History, Record};
use crate::judge;
use crate::on_sections;
use crate::verdict::Verdict;
use sections::{Execution, Outcome, Search};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// What was reached.
#[derive(Default)]
pub(super) struct Seen {
    /// Outcomes, each with how often and by which schedule.
    pub(super) outcomes: BTreeMap<Verdict, (u64, Example)>,
    /// Witnesses.
    pub(super) reached: BTreeSet<Witness>,
}

pub(super) fn explore(cell: Cell, budget: &Budget, progress: Progress) -> Result<Findings, Fault> {
    assert_eq!(on_sections::backend_name(), "sections on shuttle");
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
    let body = move || on_sections::run(scenario, protocol, callers);
    let (covered, seen) =
        search.run(body, move |seen: &mut Seen, execution| note(seen, &execution, until))?;
    let mut findings = Findings::new(cell, budget);
    seen.into_iter().for_each(|seen| findings.merge(seen));
    findings.redundant = covered.redundant;
    if covered.exhausted {
        findings.coverage = budget.preemptions.map_or(Coverage::Complete, Coverage::Preemptions);
    }
    Ok(findings)
}

/// Adds an execution to what was seen; the smallest schedule of each outcome is kept. Says whether that was
/// what was looked for.
pub(super) fn note(
    seen: &mut Seen,
    execution: &Execution<History>,
    until: Option<Invariant>,
) -> ControlFlow<()> {
    let example =
        Example { preemptions: execution.preemptions, schedule: execution.schedule.clone() };
    if let Outcome::Returned(history) = &execution.outcome {
        seen.reached.extend(judge::reached(history));
    }
    let verdict = judge(&execution.outcome);
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

/// What is said of an execution, however it ended.
pub(crate) fn judge(outcome: &Outcome<History>) -> Verdict {
    judge_unfinished(outcome, &on_sections::unfinished())
}

/// The same; `records` are those of an execution that did not come to its end.
pub(crate) fn judge_unfinished(outcome: &Outcome<History>, records: &[Record]) -> Verdict {
    match outcome {
        Outcome::Returned(history) => Verdict::of(history),
        Outcome::Deadlock(waiting) => {
            let waiting: Vec<_> = waiting.iter().map(|(task, _)| *task).collect();
            Verdict::unfinished(judge::of_a_deadlock(records, &waiting))
        }
        Outcome::Panicked(_) => Verdict::unfinished(Invariant::NoPanic),
    }
}
