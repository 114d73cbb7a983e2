//! Why an exploration cannot be trusted, or cannot begin.

use crate::operation::{Operation, TaskNumber};
use std::fmt;

/// What ends an exploration without a result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The same choices led somewhere else. The scenario depends on something that is not
    /// announced: a clock, a random number, the order of a hash map, state kept between executions.
    Nondeterministic {
        /// The decision, counted from 0.
        decision: usize,
        /// What the tasks were about to do before.
        before: Vec<(TaskNumber, Operation)>,
        /// What they are about to do now.
        now: Vec<(TaskNumber, Operation)>,
    },
    /// Main did more than spawn and join while tasks were alive.
    MainTakesPart {
        /// What it was about to do.
        operation: Operation,
    },
    /// A schedule asks for a choice that is not there.
    NoSuchChoice {
        /// Which of its choices, counted from 0.
        place: usize,
        /// The choice.
        choice: u32,
        /// How many there are.
        enabled: usize,
    },
    /// An exploration of nothing.
    NoExecutions,
    /// A bound on preemptions and a reduction together: sleep sets are not sound under such a bound.
    BoundWithReduction,
    /// The scenario draws random numbers from Shuttle. No schedule records them.
    RandomNumber,
    /// An execution took this many decisions and had not ended.
    Endless {
        /// The limit.
        decisions: usize,
    },
    /// Shuttle gave up, with this message.
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
            Self::MainTakesPart { operation } => write!(
                f,
                "main is about to {operation} while tasks are alive: spawn every participant and \
                 let main only join"
            ),
            Self::NoSuchChoice { place, choice, enabled } => write!(
                f,
                "choice {place} of the schedule is {choice}, but only {enabled} tasks can run there"
            ),
            Self::NoExecutions => f.write_str("0 executions: an exploration has at least 1"),
            Self::BoundWithReduction => f.write_str(
                "a bound on preemptions needs a search without reduction: sleep sets are not sound \
                 under it",
            ),
            Self::RandomNumber => f.write_str(
                "the scenario draws random numbers: no schedule records them, so that none could \
                 be replayed",
            ),
            Self::Endless { decisions } => write!(
                f,
                "an execution has not ended after {decisions} decisions: the programs explored are \
                 those that end, however they are scheduled"
            ),
            Self::Shuttle(message) => write!(f, "shuttle gave up: {message}"),
        }
    }
}

impl std::error::Error for Error {}
