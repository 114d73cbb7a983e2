//! Real threads, the locks that ship, real time: what the models cannot see.
//!
//! Which interleavings it meets is up to the machine. A violation that it finds is real; that it
//! finds none says little.

use super::{Budget, Cell, Coverage, Findings, Progress};
use crate::catalogue::Invariant;
use crate::judge;
use crate::on_threads;
use crate::verdict::Verdict;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::Instant;

pub(super) fn explore(cell: Cell, budget: &Budget, progress: Progress) -> Findings {
    assert_eq!(on_threads::backend_name(), "parking_lot");
    let began = Instant::now();
    let mut findings = Findings::new(cell, budget);
    for _ in 0..budget.executions {
        if began.elapsed() > budget.time {
            return findings;
        }
        let run = || on_threads::run(cell.scenario, cell.protocol, cell.callers);
        let verdict = catch_unwind(AssertUnwindSafe(run)).map_or_else(
            |_| Verdict::unfinished(Invariant::NoPanic),
            |history| {
                findings.reached.extend(judge::reached(&history));
                Verdict::of_threads(&history, cell.scenario)
            },
        );
        findings.add(verdict, 1);
        if let Some(progress) = progress {
            progress.fetch_add(1, Ordering::Relaxed);
        }
    }
    findings.coverage = Coverage::Sampled;
    findings
}
