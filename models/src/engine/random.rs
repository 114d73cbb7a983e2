//! Shuttle's schedulers by chance: uniformly random, and PCT at several depths.

use super::{Budget, Cell, Coverage, Findings, Progress};
use crate::catalogue::{Engine, Invariant};
use crate::history::History;
use crate::on_sections;
use crate::verdict::Verdict;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// PCT finds a bug of depth d best at depth d, and may never find it at another.
const DEPTHS: [usize; 4] = [1, 2, 3, 5];

#[derive(Default)]
struct Seen {
    outcomes: BTreeMap<Verdict, u64>,
    /// Seeded by nothing: the same events give the same hash in every process.
    events: DefaultHasher,
}

impl Seen {
    fn add(&mut self, history: &History) {
        history.records.hash(&mut self.events);
        *self.outcomes.entry(Verdict::of(history)).or_default() += 1;
    }
}

pub(super) fn explore(cell: Cell, budget: &Budget, progress: Progress) -> Findings {
    assert_eq!(on_sections::backend_name(), "sections on shuttle");
    let executions = usize::try_from(budget.executions).unwrap_or(usize::MAX);
    let mut search = Search {
        cell,
        budget,
        began: Instant::now(),
        findings: Findings::new(cell, budget),
        parts: 0,
    };
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
    parts: u32,
}

impl Search<'_> {
    fn run(&mut self, scheduler: impl Scheduler + 'static) {
        let Cell { scenario, protocol, callers, .. } = self.cell;
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let collect = Arc::clone(&seen);
        let mut config = Config::new();
        config.failure_persistence = FailurePersistence::None;
        config.max_steps = MaxSteps::None;
        config.max_time = Some(self.budget.time.saturating_sub(self.began.elapsed()));
        let runner = Runner::new(scheduler, config);
        let ran = catch_unwind(AssertUnwindSafe(|| {
            runner.run(move || {
                sections::reset();
                let history = on_sections::run(scenario, protocol, callers);
                collect.lock().unwrap_or_else(PoisonError::into_inner).add(&history);
            })
        }));
        // Executions that came to their end are counted here: Shuttle counts those that began.
        let seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
        self.findings.fingerprint ^= seen.events.finish().rotate_left(self.parts);
        self.parts += 1;
        for (verdict, count) in seen.outcomes {
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
