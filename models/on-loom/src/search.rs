//! The search of loom: the C11 memory model, two to four callers.
//!
//! loom reports a search that its limits cut off as a pass, and returns nothing. So the executions
//! are counted here, the limits are compared here, and the outcomes are collected here.

use crate::{backend_name, run};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use xfetch_vocabulary::catalogue::{Invariant, Protocol, Scenario, Witness};
use xfetch_vocabulary::checkers;
use xfetch_vocabulary::verdict::Verdict;

/// loom looks at its limits once in so many executions.
const INTERVAL: usize = 64;

/// How far a search goes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Executions, at most.
    pub executions: u64,
    /// Time, at most.
    pub time: Duration,
    /// Preemptions of an execution, at most; `None` for all.
    pub preemptions: Option<usize>,
}

/// What a search has seen.
#[derive(Clone, Debug, Default)]
pub struct Searched {
    /// The verdicts, and how often each was reached.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// The witnesses that were reached.
    pub reached: BTreeSet<Witness>,
    /// Whether there are no other executions within the bound on preemptions.
    pub exhausted: bool,
}

impl Searched {
    /// Executions that came to their end, and the one that did not.
    pub fn executions(&self) -> u64 {
        self.verdicts.values().sum()
    }
}

/// Looks at every execution of so many callers that loom knows, up to the limits. `progress` counts them.
pub fn search(
    scenario: Scenario,
    protocol: Protocol,
    callers: usize,
    limits: Limits,
    progress: Option<Arc<AtomicU64>>,
) -> Searched {
    assert_eq!(backend_name(), "loom");
    let seen: Arc<Mutex<Searched>> = Arc::default();
    let (collect, began) = (Arc::clone(&seen), Instant::now());
    let searched = catch_unwind(AssertUnwindSafe(|| {
        builder(limits).check(move || {
            let history = run(scenario, protocol, callers);
            let mut seen = collect.lock().unwrap_or_else(PoisonError::into_inner);
            *seen.verdicts.entry(Verdict::of(&history)).or_default() += 1;
            seen.reached.extend(checkers::reached(&history));
            if let Some(counter) = &progress {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
    }));
    let is_late = began.elapsed() > limits.time;
    let mut seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    match searched {
        Err(panic) => {
            let verdict = Verdict::unfinished(reason(panic.as_ref()));
            *seen.verdicts.entry(verdict).or_default() += 1;
        }
        // loom counts the execution that it does not begin.
        Ok(()) => seen.exhausted = !is_late && seen.executions() + 1 < limits.executions,
    }
    seen
}

/// Every knob is set here: left alone, each follows a variable of the environment.
fn builder(limits: Limits) -> loom::model::Builder {
    let mut builder = loom::model::Builder::new();
    builder.max_threads = 5;
    builder.max_branches = 100_000;
    builder.expect_explicit_explore = false;
    builder.preemption_bound = limits.preemptions;
    builder.max_permutations = Some(usize::try_from(limits.executions).unwrap_or(usize::MAX));
    builder.max_duration = Some(limits.time);
    builder.checkpoint_interval = INTERVAL;
    builder.checkpoint_file = None;
    builder.log = false;
    builder.location = false;
    builder
}

/// loom stops at the first execution that does not come to its end, and says why in a panic.
fn reason(panic: &(dyn std::any::Any + Send)) -> Invariant {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    match text.or_else(|| panic.downcast_ref::<&str>().copied()) {
        Some(text) if text.contains("deadlock") => Invariant::NoDeadlock,
        _ => Invariant::NoPanic,
    }
}
