//! What remains of an execution when it has been judged.

use crate::catalogue::Invariant;
use crate::history::{Answer, Event, History};
use crate::judge;
use std::collections::{BTreeMap, BTreeSet};

/// A judged execution. Equal verdicts are one outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Verdict {
    /// Computes started.
    pub computes: u32,
    /// How many callers went home with what.
    pub answers: BTreeMap<Answer, u32>,
    /// What was violated.
    pub violated: BTreeSet<Invariant>,
}

impl Verdict {
    /// Judges an execution that came to its end.
    pub fn of(history: &History) -> Self {
        let started = |event: &Event| matches!(event, Event::ComputeStarted(..));
        let computes = history.records.iter().filter(|record| started(&record.event)).count();
        let mut answers = BTreeMap::new();
        for answer in &history.answers {
            *answers.entry(*answer).or_default() += 1;
        }
        let violated =
            judge::violated(history).into_iter().map(|(invariant, _)| invariant).collect();
        Self { computes: computes as u32, answers, violated }
    }

    /// An execution that did not come to its end.
    pub fn unfinished(violated: Invariant) -> Self {
        Self { violated: BTreeSet::from([violated]), ..Self::default() }
    }
}
