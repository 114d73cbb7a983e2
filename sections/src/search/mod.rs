//! The exhaustive search: depth first, by replay, with source sets (Abdulla and others 2017) and sleep sets (Godefroid
//! 1996, chapter 5).
//!
//! A node is a decision. Its children are the steps of the enabled tasks. The first one is explored, and then those for
//! which races ask: see `races`. A task sleeps at a child in two cases: its step was explored from the node, or it slept
//! at the node. In both cases the step has to commute with the step that leads to the child. What the task would do there
//! has been explored in another order. If all enabled tasks sleep, the execution is redundant.

mod checkpoint;
mod estimate;
mod node;
mod odds;
mod parts;
mod past;
mod races;
mod sharing;
mod symmetry;
mod traces;
mod worker;

use crate::error::Error;
use crate::learned::Learned;
use crate::schedule::{Execution, Schedule};
pub use checkpoint::{Checkpoint, NotACheckpoint};
pub use estimate::{Estimate, Reading};
use sharing::Shared;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

/// The options of a search.
#[derive(Clone, Debug)]
pub struct Search {
    /// One execution of each Mazurkiewicz trace, instead of every interleaving. On by default.
    pub reduce: bool,
    /// With the reduction, explore only the orders that races ask for (source sets). On by default. Without it sleep sets alone reduce: the same executions are shown, and far more are redundant.
    pub sources: bool,
    /// With the reduction, explore one of several tasks that are alike, where they have done alike. Which tasks are alike,
    /// [`spawn_alike`](crate::thread::spawn_alike) says. Off by default: the judge must not tell them apart. With symmetry
    /// sleep sets alone reduce the rest, as without `sources`.
    pub symmetry: bool,
    /// The most preemptions of an execution; no bound by default. Needs a search without reduction.
    pub preemptions: Option<u32>,
    /// Only the executions that begin like this one; by default all.
    pub below: Option<Prefix>,
    /// The most executions, redundant ones included. A search that is cut off is not exhausted.
    pub executions: u64,
    /// The longest time.
    pub time: Duration,
    /// OS threads that search; by default the number of cores.
    pub workers: usize,
    /// Whether to record the steps of each execution.
    pub record: bool,
    /// A counter of executions for a progress bar.
    pub progress: Option<Arc<AtomicU64>>,
    /// An estimate of how far the search is, for a progress bar. A further OS thread runs the scenario for it up to
    /// 100,000 times, at random. `visit` does not get these executions.
    pub estimate: Option<Arc<Estimate>>,
    /// Once this is set, no execution begins, and the search is not exhausted.
    pub stop: Option<Arc<AtomicBool>>,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            reduce: true,
            sources: true,
            symmetry: false,
            preemptions: None,
            below: None,
            executions: u64::MAX,
            time: Duration::MAX,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            record: false,
            progress: None,
            estimate: None,
            stop: None,
        }
    }
}

/// The beginning of an execution: the first choices of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The schedule.
    pub schedule: Schedule,
    /// How many of its choices. Those that it does not have are 0.
    pub choices: usize,
}

/// What a search covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Executions that `visit` got.
    pub complete: u64,
    /// Executions that repeated others. `visit` did not get them.
    pub redundant: u64,
    /// Whether there are no other executions, within the bound on preemptions if there is one. Always
    /// `false` if a destructor synchronised while its task unwound a panic, because there the scheduler
    /// cannot choose.
    pub exhausted: bool,
}

impl Search {
    /// Whether only those orders are explored for which races ask.
    fn by_races(&self) -> bool {
        self.reduce && self.sources && !self.symmetry
    }

    /// Runs every execution of `body`. `visit` folds each one that counts into the accumulator of its
    /// worker, and may end the search. Then the search is not exhausted.
    ///
    /// # Errors
    ///
    /// [`Error`] if the result would mean nothing: the scenario is nondeterministic, synchronises
    /// in other ways, or the options contradict each other.
    pub fn run<T, A, B, V>(&self, body: B, visit: V) -> Result<(Coverage, Vec<A>), Error>
    where
        T: 'static,
        A: Default + Send + 'static,
        B: Fn() -> T + Clone + Send + Sync + 'static,
        V: Fn(&mut A, Execution<T>) -> ControlFlow<()> + Clone + Send + Sync + 'static,
    {
        let Searched { coverage, accumulators, .. } = self.resume(None, body, visit)?;
        Ok((coverage, accumulators))
    }

    /// As [`run`](Self::run), and goes on with a search that was cut off, if there is one. `visit` gets only the
    /// executions that it did not get then.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run). [`Error::OtherOptions`] if the other search had another reduction or bound, or
    /// if this one is below a prefix. [`Error::NoSuchChoice`] if no execution begins with the prefix.
    pub fn resume<T, A, B, V>(
        &self,
        from: Option<Checkpoint>,
        body: B,
        visit: V,
    ) -> Result<Searched<A>, Error>
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
        if self.symmetry && !self.reduce {
            return Err(Error::SymmetryWithoutReduction);
        }
        if from.as_ref().is_some_and(|from| !from.fits(self) || self.below.is_some()) {
            return Err(Error::OtherOptions);
        }
        let mut from = from;
        let of_prefix = || {
            self.below.as_ref().map_or_else(Learned::default, |it| it.schedule.learned().clone())
        };
        let mut learned = from.as_ref().map_or_else(of_prefix, |from| from.learned.clone());
        let mut begins_again = false;
        loop {
            let shared = Arc::new(Shared::new(self, Arc::new(learned.clone()), from.as_ref()));
            let accumulators = shared.run_workers(&body, &visit);
            let mut queue = shared.lock();
            // The search finds out which locks are tried, and whether main takes part. That changes what is
            // announced, so it starts again.
            if learned.add(std::mem::take(&mut queue.learned)) && queue.error.is_none() {
                begins_again |= from.take().is_some();
                continue;
            }
            if let Some(error) = queue.error.take() {
                return Err(error);
            }
            let coverage = queue.coverage(&shared);
            let is_cut = !queue.parts.queue.is_empty();
            let goes_on = is_cut && self.below.is_none();
            let rest = goes_on.then(|| Checkpoint::new(self, &learned, &queue));
            if let Some(estimate) = self.estimate.as_ref().filter(|_| !is_cut) {
                estimate.end();
            }
            let reading = self.estimate.as_ref().and_then(|estimate| estimate.read());
            let explored = if is_cut { reading.map(|reading| reading.explored) } else { Some(1.0) };
            return Ok(Searched {
                coverage,
                accumulators,
                rest,
                explored,
                begins_again,
                #[cfg(test)]
                learned,
            });
        }
    }
}

/// What a search covers, and how many complete executions are expected of it after so many rounds of samples.
#[cfg(test)]
pub(crate) fn expected<T: 'static>(
    search: &Search,
    rounds: usize,
    body: impl Fn() -> T + Clone + Send + Sync + 'static,
) -> (Coverage, f64) {
    let found = search.resume(None, body.clone(), |(): &mut (), _| ControlFlow::Continue(()));
    let Searched { coverage, learned, .. } = found.expect("no error");
    let estimate = Arc::<Estimate>::default();
    let search = Search { estimate: Some(Arc::clone(&estimate)), ..search.clone() };
    let shared = Arc::new(Shared::new(&search, Arc::new(learned.clone()), None));
    let setup = crate::scheduler::Setup { learned: Arc::new(learned), ..Default::default() };
    crate::run::run(traces::Sampler::new(shared, rounds), setup, body, |_| ()).expect("no error");
    (coverage, estimate.expected())
}

/// The result of [`Search::resume`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Searched<A> {
    /// What was covered, by this search and those that it goes on with.
    pub coverage: Coverage,
    /// The accumulator of each worker.
    pub accumulators: Vec<A>,
    /// What is left, if the search was cut off. A search below a prefix cannot go on.
    pub rest: Option<Checkpoint>,
    /// An estimate of the share of the executions that is explored: 0 to 1. It is no bound. `None` if the search was cut
    /// off and had no [`estimate`](Search::estimate), or was too short for one.
    pub explored: Option<f64>,
    /// The search learned something of the scenario that the searches before had not learned, and began anew. What they
    /// have seen, it has seen again.
    pub begins_again: bool,
    #[cfg(test)]
    pub(crate) learned: Learned,
}
