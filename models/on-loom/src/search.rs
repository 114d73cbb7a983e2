//! The search of loom: the C11 memory model, two to four callers.
//!
//! If loom's limits cut a search off, loom reports success and returns nothing. So this module counts
//! the executions, compares the limits and collects the outcomes.

use crate::backend::workers;
use crate::{backend_name, run};
pub use loom::MAX_THREADS;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use xfetch_vocabulary::catalogue::{Invariant, Protocol, Scenario, Witness};
use xfetch_vocabulary::checkers;
use xfetch_vocabulary::verdict::Verdict;

/// loom checks its limits once in this many executions.
const INTERVAL: usize = 64;
/// How often a search is asked whether it has to stop.
const GLANCE: Duration = Duration::from_millis(20);

/// The limits of a search.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most executions.
    pub executions: u64,
    /// The longest time.
    pub time: Duration,
    /// The most preemptions of an execution. `None`: no bound.
    pub preemptions: Option<usize>,
}

/// The result of a search.
#[derive(Clone, Debug, Default)]
pub struct Searched {
    /// The verdicts, and how often each was reached.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// The witnesses that were reached.
    pub reached: BTreeSet<Witness>,
    /// Whether the search was complete within the bound on preemptions.
    pub exhausted: bool,
}

impl Searched {
    /// All executions, including one that did not end.
    pub fn executions(&self) -> u64 {
        self.verdicts.values().sum()
    }
}

/// The threads of loom in one execution: main, the callers and, for a pool, its worker and the task that
/// ends it.
pub fn threads(scenario: Scenario, protocol: Protocol, callers: usize) -> usize {
    let pool = match scenario.workers(protocol) {
        0 => 0,
        of_scenario => workers(of_scenario) + 1,
    };
    1 + callers + pool
}

/// Runs every execution that loom distinguishes, up to the limits. `progress` counts them. If `stop` is set,
/// the search is left to itself and what it has seen so far is returned, because loom has no way to stop.
pub fn search(
    scenario: Scenario,
    protocol: Protocol,
    callers: usize,
    limits: Limits,
    progress: Option<Arc<AtomicU64>>,
    stop: Option<Arc<AtomicBool>>,
) -> Searched {
    assert_eq!(backend_name(), "loom");
    let seen: Arc<Mutex<Searched>> = Arc::default();
    let (collect, began) = (Arc::clone(&seen), Instant::now());
    let (end, ended) = channel();
    thread::spawn(move || {
        let search = AssertUnwindSafe(|| {
            builder(limits).check(move || {
                let history = run(scenario, protocol, callers);
                let mut seen = collect.lock().unwrap_or_else(PoisonError::into_inner);
                *seen.verdicts.entry(Verdict::of(&history)).or_default() += 1;
                seen.reached.extend(checkers::reached(&history));
                if let Some(counter) = &progress {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            });
        });
        // Nobody listens to a search that was left to itself.
        drop(end.send(catch_unwind(search)));
    });
    let is_set = |stop: &Arc<AtomicBool>| stop.load(Ordering::Relaxed);
    let searched = loop {
        match ended.recv_timeout(GLANCE) {
            Ok(searched) => break Some(searched),
            Err(RecvTimeoutError::Timeout) if !stop.as_ref().is_some_and(is_set) => {}
            Err(_) => break None,
        }
    };
    let is_late = began.elapsed() > limits.time;
    let mut seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    match searched {
        Some(Err(panic)) => {
            let verdict = Verdict::unfinished(reason(panic.as_ref()));
            *seen.verdicts.entry(verdict).or_default() += 1;
        }
        // loom counts the execution that it does not begin too.
        Some(Ok(())) => seen.exhausted = !is_late && seen.executions() + 1 < limits.executions,
        None => {}
    }
    seen
}

/// Sets every option of loom, because an environment variable sets each option that is left out.
fn builder(limits: Limits) -> loom::model::Builder {
    let mut builder = loom::model::Builder::new();
    builder.max_threads = MAX_THREADS;
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

/// The invariant that a panic of loom's search means. loom stops at the first execution that does not
/// end, and its panic says why.
fn reason(panic: &(dyn std::any::Any + Send)) -> Invariant {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    match text.or_else(|| panic.downcast_ref::<&str>().copied()) {
        Some(text) if text.contains("deadlock") => Invariant::NoDeadlock,
        _ => Invariant::NoPanic,
    }
}
