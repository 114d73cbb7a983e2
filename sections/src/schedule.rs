//! Schedules, steps and executions. A schedule is data: a choice for each decision with more than one
//! enabled task.

use crate::learned::Learned;
use crate::operation::{Footprint, Object, Operation, TaskNumber};
use std::backtrace::Backtrace;
use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::Arc;

/// The choices of an execution. A decision with only one enabled task consumes none. 0 stays with the
/// task that ran last, or takes the first enabled task if that one cannot go on. k takes the k-th of
/// the other enabled tasks, in the order of their numbers. Missing choices at the end are 0.
///
/// A schedule from a search also knows which locks some task tries, because their releases are
/// decisions, and whether main takes part in the decisions. A schedule that is made of choices alone learns what its own
/// execution does.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Schedule {
    choices: Vec<u32>,
    learned: Arc<Learned>,
}

impl Schedule {
    /// A schedule with these choices. Zeros at the end are dropped.
    pub fn new(mut choices: Vec<u32>) -> Self {
        while choices.last() == Some(&0) {
            choices.pop();
        }
        Self { choices, learned: Arc::default() }
    }

    /// A schedule with other choices for the same scenario.
    pub fn with(&self, choices: Vec<u32>) -> Self {
        Self { learned: Arc::clone(&self.learned), ..Self::new(choices) }
    }

    pub(crate) fn knowing(self, learned: &Arc<Learned>) -> Self {
        Self { learned: Arc::clone(learned), ..self }
    }

    pub(crate) fn learned(&self) -> &Learned {
        &self.learned
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

/// A recorded step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The task.
    pub task: TaskNumber,
    /// The operation that it announced.
    pub operation: Operation,
    /// What the step touched.
    pub footprint: Footprint,
    /// How many tasks could have gone on. If there was one, the schedule has no choice for it.
    pub enabled: usize,
    /// Whether the task that ran before could have gone on.
    pub preempts: bool,
    /// The line that called the operation, in your code. A destructor has none: it does not know who dropped it.
    pub place: Option<&'static Location<'static>>,
    /// The calls that led to that line, the innermost first: see [`replay_with_stacks`](crate::replay_with_stacks). Empty
    /// otherwise, and where the build has no line tables.
    pub stack: Vec<Frame>,
    /// The values that the step's operations on atomics saw, or replaced.
    pub values: Vec<String>,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The file, as the compiler was given it.
    pub file: String,
    /// The line.
    pub line: u32,
}

impl Frame {
    /// The calls with a line.
    pub(crate) fn all(stack: &Backtrace) -> Vec<Self> {
        // `Backtrace` has no other stable way to its frames: a frame's line begins with "at", and ends with line and column.
        let frame = |line: &str| {
            let place = line.trim_start().strip_prefix("at ")?;
            let mut parts = place.rsplitn(3, ':');
            let (_, line, file) = (parts.next()?, parts.next()?, parts.next()?);
            Some(Self { file: file.to_owned(), line: line.parse().ok()? })
        };
        stack.to_string().lines().filter_map(frame).collect()
    }
}

/// A task that has panicked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskPanic {
    /// The task.
    pub task: TaskNumber,
    /// The message.
    pub message: String,
    /// Whether a task has joined it by its handle, which returns the panic.
    pub seen: bool,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// The body returned.
    Returned(T),
    /// A deadlock: these tasks waited for these operations.
    Deadlock(Vec<(TaskNumber, Operation)>),
    /// The body panicked, with this message.
    Panicked(String),
}

/// An execution that ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Execution<T> {
    /// How it ended.
    pub outcome: Outcome<T>,
    /// The choices that lead to it.
    pub schedule: Schedule,
    /// Decisions that stopped a task which could have gone on.
    pub preemptions: u32,
    /// All decisions, including those with only one enabled task.
    pub decisions: usize,
    /// The tasks that have panicked, in the order of their ends.
    pub panics: Vec<TaskPanic>,
    /// The steps. Empty in a search, unless it records.
    pub steps: Vec<Step>,
    /// The line that made each object, to find out what `object 0.7` is. Empty unless steps are
    /// recorded. For an object that a derived `Default` makes, the line is not in your code.
    pub made_at: BTreeMap<Object, &'static Location<'static>>,
    /// The names that objects were given: see [`named`](crate::named). Empty unless steps are recorded.
    pub names: BTreeMap<Object, String>,
    /// A checksum (CRC-32) over what every task was about to do at each decision. Zero unless steps are
    /// recorded.
    pub checksum: u32,
}
