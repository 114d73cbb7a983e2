//! The engine `urw`: the uniform random walk of Zhao, Wolff, Mathur and Roychoudhury ("Selectively
//! Uniform Concurrency Testing", ASPLOS 2025). It chooses a task in proportion to the operations that
//! the task has left, so that every interleaving is equally likely. The first execution estimates these
//! numbers.
//!
//! Shuttle has one too, but it numbers tasks in the order in which they become runnable. Our tasks
//! become runnable only when their next operation can go on, and then it panics.

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};

/// Chooses by what is left.
pub(crate) struct Urw {
    random: fastrand::Rng,
    executions: usize,
    /// Operations of each task in the first execution.
    estimated: Vec<u64>,
    /// Operations of each task in the current execution.
    taken: Vec<u64>,
}

impl Urw {
    pub(crate) fn new(seed: u64, executions: usize) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Self { random, executions, estimated: Vec::new(), taken: Vec::new() }
    }

    /// At least 1, so that a task with more operations than in the first execution can go on.
    fn left(&self, task: usize) -> u64 {
        let of = |counts: &[u64]| counts.get(task).copied().unwrap_or(0);
        of(&self.estimated).saturating_sub(of(&self.taken)).max(1)
    }

    fn take(&mut self, task: usize) {
        if self.taken.len() <= task {
            self.taken.resize(task + 1, 0);
        }
        self.taken[task] += 1;
    }
}

impl Scheduler for Urw {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.executions = self.executions.checked_sub(1)?;
        let taken = std::mem::take(&mut self.taken);
        if self.estimated.is_empty() {
            self.estimated = taken;
        }
        Some(Schedule::new(0))
    }

    fn next_task(&mut self, runnable: &[&Task], _: Option<TaskId>, _: bool) -> Option<TaskId> {
        let number = |task: &Task| usize::from(task.id());
        let mut drawn =
            self.random.u64(0..runnable.iter().map(|task| self.left(number(task))).sum());
        let chosen = runnable.iter().find(|task| {
            let left = self.left(number(task));
            let is_chosen = drawn < left;
            drawn = drawn.saturating_sub(left);
            is_chosen
        })?;
        self.take(number(chosen));
        Some(chosen.id())
    }

    fn next_u64(&mut self) -> u64 {
        self.random.u64(..)
    }
}
