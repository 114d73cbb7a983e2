//! Shuttle's schedulers by chance: random, PCT at several depths, and the uniform random walk. They choose at
//! announced operations alone, so that what they find is a schedule that can be replayed.

use super::sections::{Seen, note};
use super::urw::Urw;
use super::{Budget, Cell, Coverage, Fault, Findings, Progress};
use crate::catalogue::Engine;
use crate::on_sections;
use sections::{Outcome, Sample};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::time::Instant;

/// PCT finds a bug of depth d best at depth d, and may never find it at another.
const DEPTHS: [usize; 4] = [1, 2, 3, 5];

#[derive(Default)]
struct Sampled {
    seen: Seen,
    /// Seeded by nothing: the same events give the same hash in every process.
    events: DefaultHasher,
}

pub(super) fn explore(cell: Cell, budget: &Budget, progress: Progress) -> Result<Findings, Fault> {
    assert_eq!(on_sections::backend_name(), "sections on shuttle");
    let executions = usize::try_from(budget.executions).unwrap_or(usize::MAX);
    let (findings, began) = (Findings::new(cell, budget), Instant::now());
    let mut search = Search { cell, budget, progress, began, findings, parts: 0 };
    match cell.engine {
        Engine::Pct => {
            for (part, depth) in DEPTHS.into_iter().enumerate() {
                let share = ((executions + part) / DEPTHS.len()).max(1);
                search.run(|| PctScheduler::new_from_seed(budget.seed, depth, share))?;
            }
        }
        Engine::Urw => search.run(|| Urw::new(budget.seed, executions))?,
        _ => search.run(|| RandomScheduler::new_from_seed(budget.seed, executions))?,
    }
    Ok(search.finish())
}

struct Search<'a> {
    cell: Cell,
    budget: &'a Budget,
    progress: Progress<'a>,
    began: Instant,
    findings: Findings,
    parts: u32,
}

impl Search<'_> {
    fn run<S: Scheduler + 'static>(&mut self, scheduler: impl Fn() -> S) -> Result<(), Fault> {
        let Cell { scenario, protocol, callers, .. } = self.cell;
        let time = self.budget.time.saturating_sub(self.began.elapsed());
        let sample = Sample { time, progress: self.progress.cloned(), ..Sample::default() };
        let body = move || on_sections::run(scenario, protocol, callers);
        let (_, Sampled { seen, events }) =
            sample.run(scheduler, body, |sampled: &mut Sampled, execution| {
                if let Outcome::Returned(history) = &execution.outcome {
                    history.records.hash(&mut sampled.events);
                }
                note(&mut sampled.seen, &execution);
                ControlFlow::Continue(())
            })?;
        self.findings.fingerprint ^= events.finish().rotate_left(self.parts);
        self.parts += 1;
        self.findings.merge(seen);
        Ok(())
    }

    fn finish(mut self) -> Findings {
        if self.findings.executions >= self.budget.executions {
            self.findings.coverage = Coverage::Sampled;
        }
        self.findings
    }
}
