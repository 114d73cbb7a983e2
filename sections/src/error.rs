//! The reasons why an exploration has no result.

use crate::notation::NotASchedule;
use crate::operation::{Kind, Object, Operation, TaskNumber};
use crate::schedule::Schedule;
use std::fmt;
use std::panic::Location;

/// Why an exploration has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The same choices led to different operations. The scenario depends on something that is not
    /// announced: a clock, a random number, the order of a hash map, or state that outlives an
    /// execution.
    Nondeterministic {
        /// The decision, counted from 0.
        decision: usize,
        /// What the tasks were about to do before.
        before: Vec<(TaskNumber, Operation)>,
        /// What they are about to do now.
        now: Vec<(TaskNumber, Operation)>,
    },
    /// A schedule has a choice that does not exist.
    NoSuchChoice {
        /// The place of the choice, counted from 0.
        place: usize,
        /// The choice.
        choice: u32,
        /// The number of tasks that could run.
        enabled: usize,
    },
    /// The search may run no execution.
    NoExecutions,
    /// A search goes on with one of another reduction or bound.
    OtherOptions,
    /// A bound on preemptions together with reduction. Sleep sets are not sound under such a bound.
    BoundWithReduction,
    /// Symmetry is part of the reduction.
    SymmetryWithoutReduction,
    /// The scenario draws random numbers from Shuttle, which no schedule records.
    RandomNumber,
    /// An execution did not end within this many decisions.
    Endless {
        /// The limit.
        decisions: usize,
    },
    /// The closure that judges the executions panicked.
    Judge {
        /// The message.
        message: String,
        /// The schedule of the execution that it judged.
        schedule: Schedule,
    },
    /// The text of a schedule that was asked for is none.
    NoSchedule(NotASchedule),
    /// An execution failed with this schedule, and its replay did not.
    NotRepeated(Schedule),
    /// A task panicked, and a destructor on the way of the panic waits for another task. No task can run until the
    /// panic is caught.
    CannotUnwind {
        /// The choices that lead to it.
        schedule: Schedule,
        /// What the destructor waits for, with the task that panicked. Then what the others are about to do.
        waiting: Vec<(TaskNumber, Operation)>,
    },
    /// A task uses an object of another execution, or one that was made outside of every execution. What it holds
    /// depends on what was executed before, and it has no name in this execution.
    Outlived {
        /// The task.
        task: TaskNumber,
        /// What it was about to do.
        kind: Kind,
        /// The line that made the object. If a derived `Default` made it, the line is not in your code.
        made_at: &'static Location<'static>,
    },
    /// A task that holds a lock for reading is about to read-lock it again. With `std::sync::RwLock` that may lock up
    /// or panic, because a writer that waits may come first.
    RecursiveRead {
        /// The task.
        task: TaskNumber,
        /// The lock.
        lock: Object,
    },
    /// A task uses one of Shuttle's primitives, or a destructor of one of Shuttle's thread-locals synchronises. What
    /// depends on that is not explored.
    ForeignSchedulingPoint {
        /// The task.
        task: TaskNumber,
        /// Its function, and the line if there is debug information.
        place: Option<String>,
    },
    /// Shuttle gave up with this message.
    Shuttle(String),
}

fn list(pending: &[(TaskNumber, Operation)]) -> String {
    let tasks: Vec<_> =
        pending.iter().map(|(task, operation)| format!("task {task}: {operation}")).collect();
    tasks.join(", ")
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nondeterministic { decision, before, now } => write!(
                f,
                "nondeterministic scenario: at decision {decision} the tasks were about to do \
                 [{}], and with the same choices now [{}]",
                list(before),
                list(now)
            ),
            Self::NoSuchChoice { place, choice, enabled } => write!(
                f,
                "choice {place} of the schedule is {choice}, but only {enabled} tasks can run there"
            ),
            Self::NoExecutions => f.write_str("0 executions or 0 workers: a search needs at least 1 of each"),
            Self::OtherOptions => f.write_str(
                "the search that was cut off had another reduction or another bound on preemptions",
            ),
            Self::BoundWithReduction => f.write_str(
                "a bound on preemptions needs a search without reduction: sleep sets are not sound \
                 under it",
            ),
            Self::SymmetryWithoutReduction => f.write_str(
                "`symmetry` needs `reduce`: without the reduction every interleaving is explored",
            ),
            Self::RandomNumber => f.write_str(
                "the scenario draws random numbers from Shuttle: no schedule records them, so no execution \
                 could be replayed",
            ),
            Self::Endless { decisions } => write!(
                f,
                "an execution has not ended after {decisions} decisions: a scenario has to end under \
                 every schedule"
            ),
            Self::Judge { message, schedule } => write!(
                f,
                "the judge panicked at the execution of the schedule {schedule}: {message}"
            ),
            Self::NoSchedule(why) => why.fmt(f),
            Self::NotRepeated(schedule) => write!(
                f,
                "the execution of the schedule {schedule} failed, and its replay did not: the scenario depends \
                 on something that is not announced"
            ),
            Self::CannotUnwind { schedule, waiting } => write!(
                f,
                "a task panicked, and a destructor waits for another task before the panic is caught: [{}], \
                 along the schedule {schedule}",
                list(waiting),
            ),
            Self::Outlived { task, kind, made_at } => write!(
                f,
                "task {task} is about to {kind} an object that another execution has made, or none, at {made_at}: \
                 make every object in the body"
            ),
            Self::RecursiveRead { task, lock } => write!(
                f,
                "task {task} holds {lock} for reading and is about to read-lock it again, which may deadlock \
                 if a writer waits"
            ),
            Self::ForeignSchedulingPoint { task, place } => write!(
                f,
                "task {task} synchronises through Shuttle, not through `sections`, at {}",
                place.as_deref().unwrap_or("an unknown place")
            ),
            Self::Shuttle(message) => write!(f, "Shuttle gave up: {message}"),
        }
    }
}

impl std::error::Error for Error {}
