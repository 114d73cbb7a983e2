//! A schedule is data: a choice for each decision that leaves one.

use crate::operation::{Footprint, Object, Operation, TaskNumber};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;
use std::sync::Arc;

/// The choices of an execution. A decision at which only one task can run consumes none; 0 stays
/// with the task that ran last, or takes the first one if that cannot go on; k takes the k-th of the
/// others, in the order of their numbers. What is missing at the end is 0.
///
/// A schedule from a search also knows which locks are tried somewhere, since their releases are
/// decisions. One that is made of choices alone learns of those that its own execution tries.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Schedule {
    choices: Vec<u32>,
    tried: Arc<BTreeSet<Object>>,
}

impl Schedule {
    /// The schedule with these choices; zeros at the end are dropped.
    pub fn new(mut choices: Vec<u32>) -> Self {
        while choices.last() == Some(&0) {
            choices.pop();
        }
        Self { choices, tried: Arc::default() }
    }

    /// Other choices for the same scenario.
    pub fn with(&self, choices: Vec<u32>) -> Self {
        Self { tried: Arc::clone(&self.tried), ..Self::new(choices) }
    }

    pub(crate) fn trying(self, tried: &Arc<BTreeSet<Object>>) -> Self {
        Self { tried: Arc::clone(tried), ..self }
    }

    pub(crate) fn tried(&self) -> &BTreeSet<Object> {
        &self.tried
    }

    /// The choices, without the zeros at the end.
    pub fn choices(&self) -> &[u32] {
        &self.choices
    }

    /// The choice at this place.
    pub(crate) fn choice(&self, place: usize) -> u32 {
        self.choices.get(place).copied().unwrap_or(0)
    }
}

/// A step as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Whose.
    pub task: TaskNumber,
    /// What it had announced.
    pub operation: Operation,
    /// What it touched.
    pub footprint: Footprint,
    /// Whether the task before could have gone on.
    pub preempts: bool,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// The body returned.
    Returned(T),
    /// Nobody could go on; these tasks waited for these operations.
    Deadlock(Vec<(TaskNumber, Operation)>),
    /// The body panicked, with this message.
    Panicked(String),
}

/// An execution that came to its end.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Execution<T> {
    /// How.
    pub outcome: Outcome<T>,
    /// The choices that lead there.
    pub schedule: Schedule,
    /// Decisions that took a task off while it could have gone on.
    pub preemptions: u32,
    /// Decisions, those with only one task to choose included.
    pub decisions: usize,
    /// The steps. Empty in a search, unless it records.
    pub steps: Vec<Step>,
    /// The line that made each object, for people who want to know what `object 0.7` is. Empty where
    /// steps are not written down. An object made by a derived `Default` names no line of yours.
    pub made_at: BTreeMap<Object, &'static Location<'static>>,
    /// A checksum (CRC-32) over what every task was about to do at each decision. Zero where steps
    /// are not written down.
    pub checksum: u32,
}
