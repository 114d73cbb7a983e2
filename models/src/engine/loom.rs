//! loom: the C11 memory model, two to four callers.
//!
//! loom reports a search that its limits cut off as a pass, and returns nothing. So the executions
//! are counted here, the limits are compared here, and the outcomes are collected here.

use super::{Budget, Cell, Coverage, Findings, Progress};
use crate::catalogue::{Invariant, Witness};
use crate::judge;
use crate::on_loom;
use crate::verdict::Verdict;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// loom looks at its limits once in so many executions.
const INTERVAL: usize = 64;

pub(super) fn explore(cell: Cell, budget: &Budget, progress: Progress) -> Findings {
    assert_eq!(on_loom::backend_name(), "loom");
    let mut builder = loom::model::Builder::new();
    // Every knob is set here: left alone, each follows a variable of the environment.
    builder.max_threads = 5;
    builder.max_branches = 100_000;
    builder.expect_explicit_explore = false;
    builder.preemption_bound = budget.preemptions;
    builder.max_permutations = Some(usize::try_from(budget.executions).unwrap_or(usize::MAX));
    builder.max_duration = Some(budget.time);
    builder.checkpoint_interval = INTERVAL;
    builder.checkpoint_file = None;
    builder.log = false;
    builder.location = false;

    let seen: Arc<Mutex<(BTreeMap<Verdict, u64>, BTreeSet<Witness>)>> = Arc::default();
    let (collect, counter) = (Arc::clone(&seen), progress.cloned());
    let began = Instant::now();
    let searched = catch_unwind(AssertUnwindSafe(|| {
        builder.check(move || {
            let history = on_loom::run(cell.scenario, cell.protocol, cell.callers);
            let mut seen = collect.lock().unwrap_or_else(PoisonError::into_inner);
            *seen.0.entry(Verdict::of(&history)).or_default() += 1;
            seen.1.extend(judge::reached(&history));
            if let Some(counter) = &counter {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
    }));
    let cut_off = began.elapsed() > budget.time;

    let mut findings = Findings::new(cell, budget);
    let seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    findings.reached = seen.1;
    for (verdict, count) in seen.0 {
        findings.add(verdict, count);
    }
    match searched {
        Err(panic) => findings.add(Verdict::unfinished(reason(panic.as_ref())), 1),
        // loom counts the execution that it does not begin.
        Ok(()) if cut_off || findings.executions + 1 >= budget.executions => {}
        Ok(()) => {
            findings.coverage =
                budget.preemptions.map_or(Coverage::Complete, Coverage::Preemptions);
        }
    }
    findings
}

/// loom stops at the first execution that does not come to its end, and says why in a panic.
fn reason(panic: &(dyn std::any::Any + Send)) -> Invariant {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    match text.or_else(|| panic.downcast_ref::<&str>().copied()) {
        Some(text) if text.contains("deadlock") => Invariant::NoDeadlock,
        _ => Invariant::NoPanic,
    }
}
