//! Simulations: one long execution under virtual time, with a chooser that is called at each step.
//!
//! A search and a sample are about short programs without time. A simulation is about long ones: a service that runs
//! for a day. Its tasks use the same primitives. What differs:
//!
//! - There is a clock. It stands still while tasks take steps, and moves when the chooser lets time pass, or when no task
//!   can go on: then it moves to the next timer. Nothing waits in real time.
//! - [`sleep_until`] is an operation, and a wait with a time-out ends when its time has come.
//! - The body takes part like any other task.
//! - Nothing is kept of a step, unless it is recorded: an execution may have any number of them.

pub(crate) mod runtime;

use crate::operation::{Object, TaskNumber};
use crate::schedule::{Outcome, Step};
use crate::state::{sleep, with};
use std::collections::BTreeMap;
use std::panic::Location;
use std::time::Duration;

/// What the chooser can choose.
#[derive(Clone, Copy, Debug)]
pub struct Alternatives<'a> {
    /// The tasks that can go on. The task that ran last comes first, if it can go on. If there is none and no timer
    /// either, it is a deadlock: then the choice does not matter.
    pub tasks: &'a [TaskNumber],
    /// Whether the first of them ran last.
    pub stays: bool,
    /// The time since the start.
    pub now: Duration,
    /// When the next timer is due.
    pub next: Option<Duration>,
}

/// What the chooser chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// The task at this place of the list takes its step. The first one does if the list is shorter.
    Run(usize),
    /// Time passes until the next timer. Without a timer the first task takes its step.
    Pass,
    /// The task at this place does not go on for so long.
    Stall(usize, Duration),
    /// The simulation ends here: every task unwinds.
    Stop,
}

/// The options of a simulation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Simulation {
    /// Whether to record the steps. Each takes about a hundred bytes.
    pub record: bool,
}

/// How a simulation ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Simulated<T> {
    /// How it ended. Nothing if the chooser stopped it.
    pub outcome: Option<Outcome<T>>,
    /// The virtual time that has passed.
    pub now: Duration,
    /// The number of steps.
    pub decisions: u64,
    /// The steps, each with its time. Empty unless they were recorded.
    pub steps: Vec<(Duration, Step)>,
    /// The line that made each object. Empty unless steps were recorded.
    pub made_at: BTreeMap<Object, &'static Location<'static>>,
}

impl Simulation {
    /// Runs `body` once, on this OS thread. The chooser must not touch a task or a primitive.
    pub fn run<T: Send + 'static>(
        self,
        chooser: impl FnMut(&Alternatives) -> Move + 'static,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> Simulated<T> {
        runtime::run(self, Box::new(chooser), body)
    }
}

/// The virtual time since the start of the simulation. To read it is no operation.
///
/// # Panics
///
/// Outside of a simulation.
pub fn now() -> Duration {
    with(|state| state.clockwork().now())
}

/// How many tasks there were so far. They have the numbers from 1 to this one.
///
/// # Panics
///
/// Outside of a simulation.
pub fn tasks() -> TaskNumber {
    with(|state| state.clockwork().tasks)
}

/// The running task goes on when this moment has come. It is an operation even if the moment is past.
///
/// # Panics
///
/// Outside of a simulation.
pub fn sleep_until(moment: Duration) {
    sleep(moment);
}

#[cfg(test)]
mod tests;
