//! What remains of an execution when it has been judged.

use crate::catalogue::{Invariant, Scenario};
use crate::checkers;
use crate::history::{AnswerKind, Event, History};
use std::collections::{BTreeMap, BTreeSet};

/// A judged execution. Equal verdicts are one outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Verdict {
    /// Computes started, until all were home.
    pub computes: u32,
    /// How many callers got an answer of each kind.
    pub answers: BTreeMap<AnswerKind, u32>,
    /// What was violated.
    pub violated: BTreeSet<Invariant>,
}

impl Verdict {
    /// Checks an execution that came to its end.
    pub fn of(history: &History) -> Self {
        Self::with(history, &checkers::violated(history))
    }

    /// Checks an execution of real threads.
    pub fn of_threads(history: &History, scenario: Scenario) -> Self {
        Self::with(history, &checkers::violated_by_threads(history, scenario))
    }

    /// The verdict that these violations of the history make.
    pub fn with(history: &History, violations: &[checkers::Violation]) -> Self {
        let started = |event: &Event| matches!(event, Event::ComputeStarted(..));
        let played = history.records.iter().take_while(|record| record.event != Event::Rest);
        let computes = played.filter(|record| started(&record.event)).count();
        let mut answers = BTreeMap::new();
        for answer in &history.answers {
            *answers.entry(*answer).or_default() += 1;
        }
        let violated = violations.iter().map(|(invariant, _)| *invariant).collect();
        Self { computes: computes as u32, answers, violated }
    }

    /// An execution that did not come to its end.
    pub fn unfinished(violated: Invariant) -> Self {
        Self { violated: BTreeSet::from([violated]), ..Self::default() }
    }
}
