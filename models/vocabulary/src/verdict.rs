//! The verdict: the result of checking one execution.

use crate::catalogue::{Invariant, Scenario};
use crate::checkers;
use crate::history::{AnswerKind, Event, History};
use std::collections::{BTreeMap, BTreeSet};

/// The result of checking an execution. Equal verdicts are one outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Verdict {
    /// Computes that started before all callers had returned.
    pub computes: u32,
    /// How many callers got an answer of each kind.
    pub answers: BTreeMap<AnswerKind, u32>,
    /// The invariants that were violated.
    pub violated: BTreeSet<Invariant>,
}

impl Verdict {
    /// Checks an execution that ended.
    pub fn of(history: &History) -> Self {
        Self::with(history, &checkers::violated(history))
    }

    /// Checks an execution of real threads.
    pub fn of_threads(history: &History, scenario: Scenario) -> Self {
        Self::with(history, &checkers::violated_by_threads(history, scenario))
    }

    /// The verdict for these violations of the history.
    pub fn with(history: &History, violations: &[checkers::Violation]) -> Self {
        let started = |event: &Event| matches!(event, Event::ComputeStarted(..));
        let before_rest = history.records.iter().take_while(|record| record.event != Event::Rest);
        let computes = before_rest.filter(|record| started(&record.event)).count();
        let mut answers = BTreeMap::new();
        for answer in &history.answers {
            *answers.entry(*answer).or_default() += 1;
        }
        let violated = violations.iter().map(|(invariant, _)| *invariant).collect();
        Self { computes: computes as u32, answers, violated }
    }

    /// The verdict for an execution that did not end.
    pub fn unfinished(violated: Invariant) -> Self {
        Self { violated: BTreeSet::from([violated]), ..Self::default() }
    }
}
