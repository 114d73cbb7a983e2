//! What a search or a sample of executions has seen.

use crate::refined::Refined;
use sections::{Execution, Outcome, Schedule};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use xfetch_vocabulary::catalogue::{Invariant, Protocol, Witness};
use xfetch_vocabulary::checkers;
use xfetch_vocabulary::history::{History, Record};
use xfetch_vocabulary::verdict::Verdict;

/// A schedule that leads to an outcome. The one with the fewest preemptions is the smallest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Example {
    /// Decisions that took a caller off while it could have gone on.
    pub preemptions: u32,
    /// The choices.
    pub schedule: Schedule,
}

/// The outcomes of the executions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Each outcome, with how often it was reached, and the smallest schedule that led to it.
    pub outcomes: BTreeMap<Verdict, (u64, Example)>,
    /// The witnesses that were reached.
    pub reached: BTreeSet<Witness>,
    /// What holding them against the transition table has shown. Of the shipped protocol alone.
    pub refined: Refined,
}

impl Seen {
    /// Adds an execution. Breaks if it violates what was looked for.
    pub(crate) fn note(
        &mut self,
        execution: &Execution<History>,
        protocol: Protocol,
        held: bool,
        until: Option<Invariant>,
    ) -> ControlFlow<()> {
        if held {
            self.refined.note(protocol, execution);
        }
        let example =
            Example { preemptions: execution.preemptions, schedule: execution.schedule.clone() };
        if let Outcome::Returned(history) = &execution.outcome {
            self.reached.extend(checkers::reached(history));
        }
        let verdict = check(&execution.outcome);
        let found = until.is_some_and(|until| verdict.violated.contains(&until));
        match self.outcomes.get_mut(&verdict) {
            Some((count, smallest)) => {
                *count += 1;
                if example < *smallest {
                    *smallest = example;
                }
            }
            None => drop(self.outcomes.insert(verdict, (1, example))),
        }
        if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// The verdict on an execution, however it ended. It is to be asked on the OS thread on which it ran.
pub fn check(outcome: &Outcome<History>) -> Verdict {
    match outcome {
        Outcome::Returned(history) => Verdict::of(history),
        unfinished => check_unfinished(unfinished, &crate::unfinished()),
    }
}

/// The verdict on an execution that did not come to its end; `records` are what was written down of it.
pub fn check_unfinished(outcome: &Outcome<History>, records: &[Record]) -> Verdict {
    Verdict::unfinished(match outcome {
        Outcome::Deadlock(waiting) => {
            let waiting: Vec<_> = waiting.iter().map(|(task, _)| *task).collect();
            checkers::violated_by_a_deadlock(records, &waiting)
        }
        Outcome::Returned(_) | Outcome::Panicked(_) => Invariant::NoPanic,
    })
}
