//! The engine `threads`: real threads, the shipped locks and real time, which the models do not have.
//!
//! The machine decides which interleavings happen. A violation is real. No violation says little.

use super::{Budget, Cell, Coverage, Exploration, Progress};
use crate::catalogue::Invariant;
use crate::checkers;
use crate::stop;
use crate::verdict::Verdict;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::Instant;

pub(super) fn explore(cell: Cell, budget: &Budget, progress: Progress) -> Exploration {
    assert_eq!(xfetch_on_threads::backend_name(), "parking_lot");
    let began = Instant::now();
    let mut exploration = Exploration::new(cell, budget);
    for _ in 0..budget.executions {
        if stop::is_set() || began.elapsed() > budget.time {
            return exploration;
        }
        let run = || xfetch_on_threads::run(cell.scenario, cell.protocol, cell.callers);
        let verdict = catch_unwind(AssertUnwindSafe(run)).map_or_else(
            |_| Verdict::unfinished(Invariant::NoPanic),
            |history| {
                exploration.reached.extend(checkers::reached(&history));
                Verdict::of_threads(&history, cell.scenario)
            },
        );
        exploration.add(verdict, 1);
        if let Some(progress) = progress {
            progress.fetch_add(1, Ordering::Relaxed);
        }
    }
    exploration.coverage = Coverage::Sampled;
    exploration
}
