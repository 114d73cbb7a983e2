//! Shuttle's schedulers by chance: uniformly random, and PCT at several depths.

use super::{Budget, Cell, Coverage, Findings, Progress};
use crate::catalogue::{Engine, Invariant};
use crate::on_sections;
use crate::verdict::Verdict;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// PCT finds a bug of depth d best at depth d, and may never find it at another.
const DEPTHS: [usize; 4] = [1, 2, 3, 5];

type Seen = Arc<Mutex<BTreeMap<Verdict, u64>>>;

pub(super) fn explore(cell: Cell, budget: &Budget, progress: Progress) -> Findings {
    assert_eq!(on_sections::backend_name(), "sections on shuttle");
    let executions = usize::try_from(budget.executions).unwrap_or(usize::MAX);
    let mut search =
        Search { cell, budget, began: Instant::now(), findings: Findings::new(cell, budget) };
    if cell.engine == Engine::Pct {
        for (part, depth) in DEPTHS.into_iter().enumerate() {
            let share = (executions + part) / DEPTHS.len();
            search.run(PctScheduler::new_from_seed(budget.seed, depth, share.max(1)));
            progress(search.findings.executions);
        }
    } else {
        search.run(RandomScheduler::new_from_seed(budget.seed, executions));
        progress(search.findings.executions);
    }
    search.finish()
}

struct Search<'a> {
    cell: Cell,
    budget: &'a Budget,
    began: Instant,
    findings: Findings,
}

impl Search<'_> {
    fn run(&mut self, scheduler: impl Scheduler + 'static) {
        let Cell { scenario, protocol, callers, .. } = self.cell;
        let seen = Seen::default();
        let collect = Arc::clone(&seen);
        let mut config = Config::new();
        config.failure_persistence = FailurePersistence::None;
        config.max_steps = MaxSteps::None;
        config.max_time = Some(self.budget.time.saturating_sub(self.began.elapsed()));
        let runner = Runner::new(scheduler, config);
        let ran = catch_unwind(AssertUnwindSafe(|| {
            runner.run(move || {
                let verdict = Verdict::of(&on_sections::run(scenario, protocol, callers));
                *collect
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .entry(verdict)
                    .or_default() += 1;
            })
        }));
        // Executions that came to their end are counted here: Shuttle counts those that began.
        for (verdict, count) in
            std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner))
        {
            self.findings.add(verdict, count);
        }
        if ran.is_err() {
            self.findings.add(Verdict::unfinished(Invariant::NoPanic), 1);
        }
    }

    fn finish(mut self) -> Findings {
        if self.findings.executions >= self.budget.executions {
            self.findings.coverage = Coverage::Sampled;
        }
        self.findings
    }
}
