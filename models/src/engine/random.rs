//! The engines `random`, `pct` and `urw`: Shuttle's schedulers by chance. They choose only at announced
//! operations, so each execution has a schedule that can be replayed.

use super::sections::{Seen, note};
use super::urw::Urw;
use super::{Budget, Cell, Coverage, Exploration, Fault, Progress};
use crate::catalogue::Engine;
use sections::{Outcome, Sample};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Schedule, Scheduler, Task, TaskId};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

/// PCT with depth d finds bugs of depth d best, and may never find others.
const DEPTHS: [usize; 4] = [1, 2, 3, 5];

#[derive(Default)]
struct Sampled {
    seen: Seen,
    /// The hasher has no seed, so the same events give the same hash in every process.
    events: DefaultHasher,
}

pub(super) fn explore(
    cell: Cell,
    budget: &Budget,
    progress: Progress,
) -> Result<Exploration, Fault> {
    assert_eq!(xfetch_on_sections::backend_name(), "sections on shuttle");
    let executions = usize::try_from(budget.executions).unwrap_or(usize::MAX);
    let (exploration, began) = (Exploration::new(cell, budget), Instant::now());
    let mut search = Search { cell, budget, progress, began, exploration, parts: 0 };
    match cell.engine {
        Engine::Pct => {
            for (part, depth) in DEPTHS.into_iter().enumerate() {
                let share = ((executions + part) / DEPTHS.len()).max(1);
                search.run(|| PctScheduler::new_from_seed(budget.seed, depth, share))?;
            }
        }
        Engine::Urw => search.run(|| Urw::new(budget.seed, executions))?,
        _ => search.run(|| Quiet(RandomScheduler::new_from_seed(budget.seed, executions)))?,
    }
    Ok(search.finish())
}

/// Shuttle's random scheduler treats an early end as a failure and prints how to replay it. This
/// wrapper runs it to its end, so it prints nothing.
struct Quiet(RandomScheduler);

impl Drop for Quiet {
    fn drop(&mut self) {
        while self.0.new_execution().is_some() {}
    }
}

impl Scheduler for Quiet {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.0.new_execution()
    }

    fn next_task(&mut self, tasks: &[&Task], now: Option<TaskId>, yields: bool) -> Option<TaskId> {
        self.0.next_task(tasks, now, yields)
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
}

struct Search<'a> {
    cell: Cell,
    budget: &'a Budget,
    progress: Progress<'a>,
    began: Instant,
    exploration: Exploration,
    parts: u32,
}

impl Search<'_> {
    fn run<S: Scheduler + 'static>(&mut self, scheduler: impl Fn() -> S) -> Result<(), Fault> {
        let (Cell { scenario, protocol, callers, .. }, until) = (self.cell, self.budget.until);
        if until.is_some_and(|until| self.exploration.violates(until)) {
            return Ok(());
        }
        let time = self.budget.time.saturating_sub(self.began.elapsed());
        let sample = Sample { time, progress: self.progress.cloned(), ..Sample::default() };
        let body = move || xfetch_on_sections::run(scenario, protocol, callers);
        let (_, Sampled { seen, events }) =
            sample.run(scheduler, body, move |sampled: &mut Sampled, execution| {
                if let Outcome::Returned(history) = &execution.outcome {
                    history.records.hash(&mut sampled.events);
                }
                note(&mut sampled.seen, &execution, until)
            })?;
        self.exploration.fingerprint ^= events.finish().rotate_left(self.parts);
        self.parts += 1;
        self.exploration.merge(seen);
        Ok(())
    }

    fn finish(mut self) -> Exploration {
        if self.exploration.executions >= self.budget.executions {
            self.exploration.coverage = Coverage::Sampled;
        }
        self.exploration
    }
}
