//! The exhaustive search: depth first, by replay, with sleep sets (Godefroid 1996, chapter 5).
//!
//! A node is a decision. Its children are the steps of the enabled tasks. A task sleeps at a child
//! if its step was explored from this node, or slept here, and commutes with the step that leads to
//! the child: what it would do there has been seen in another order. When everybody who could go on
//! is asleep, the execution is redundant.

mod node;
mod sharing;
mod worker;

use crate::error::Error;
use crate::schedule::Execution;
use sharing::Shared;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// How to search.
#[derive(Clone, Debug)]
pub struct Search {
    /// One execution of each Mazurkiewicz trace, instead of every interleaving. On by default.
    pub reduce: bool,
    /// The most preemptions of an execution; no bound by default. Needs a search without reduction.
    pub preemptions: Option<u32>,
    /// Executions at most, redundant ones included. A search that is cut off is not exhausted.
    pub executions: u64,
    /// Time, at most.
    pub time: Duration,
    /// OS threads that search; by default the number of cores.
    pub workers: usize,
    /// Whether the steps of each execution are written down.
    pub record: bool,
    /// Counts executions while the search is under way, for people who wait.
    pub progress: Option<Arc<AtomicU64>>,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            reduce: true,
            preemptions: None,
            executions: u64::MAX,
            time: Duration::MAX,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            record: false,
            progress: None,
        }
    }
}

/// What a search has covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Executions that were shown.
    pub complete: u64,
    /// Executions that only repeated others, and were not shown.
    pub redundant: u64,
    /// Whether there are no others, within the bound on preemptions if there is one. Never where a
    /// destructor synchronised while its task unwound a panic: nobody chooses there.
    pub exhausted: bool,
}

impl Search {
    /// Runs every execution of `body` and folds those that count into the workers' accumulators.
    ///
    /// `visit` may end the search; it is not exhausted then.
    ///
    /// # Errors
    ///
    /// [`Error`] says why the search means nothing: the scenario is nondeterministic, main takes
    /// part, or the configuration is contradictory.
    pub fn run<T, A, B, V>(&self, body: B, visit: V) -> Result<(Coverage, Vec<A>), Error>
    where
        T: 'static,
        A: Default + Send + 'static,
        B: Fn() -> T + Clone + Send + Sync + 'static,
        V: Fn(&mut A, Execution<T>) -> ControlFlow<()> + Clone + Send + Sync + 'static,
    {
        if self.executions == 0 || self.workers == 0 {
            return Err(Error::NoExecutions);
        }
        if self.reduce && self.preemptions.is_some() {
            return Err(Error::BoundWithReduction);
        }
        let mut tried = BTreeSet::new();
        loop {
            let shared = Arc::new(Shared::new(self, Arc::new(tried.clone())));
            let accumulators = shared.run_workers(&body, &visit);
            let mut queue = shared.lock();
            // Which locks are tried is learned on the way, and changes what is announced.
            let learned = queue.tried.len();
            tried.append(&mut queue.tried);
            if learned > 0 && queue.error.is_none() {
                continue;
            }
            return match queue.error.take() {
                Some(error) => Err(error),
                None => Ok((queue.coverage(&shared), accumulators)),
            };
        }
    }
}
