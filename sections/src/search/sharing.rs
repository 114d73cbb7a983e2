//! What the OS threads of a search share: the parts of the tree, the counts, and the limits.

use super::checkpoint::Checkpoint;
use super::parts::{Part, Parts};
use super::traces::{ROUNDS, Sampler};
use super::worker::Worker;
use super::{Coverage, Search};
use crate::error::Error;
use crate::learned::Learned;
#[cfg(test)]
use crate::rules;
use crate::run::run;
use crate::schedule::Execution;
use crate::scheduler::Setup;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub(super) struct Queue {
    pub(super) parts: Parts,
    /// The number of idle workers.
    idle: usize,
    begun: bool,
    stop: bool,
    pub(super) cut: bool,
    /// An execution had orders that cannot be explored. What is left of a search keeps that.
    pub(super) unexplored: bool,
    pub(super) error: Option<Error>,
    pub(super) learned: Learned,
    pub(super) complete: u64,
    pub(super) redundant: u64,
}

impl Queue {
    pub(super) fn coverage(&self, shared: &Shared) -> Coverage {
        let any = self.complete > 0 || shared.executions.load(Ordering::Relaxed) > 0;
        let exhausted = !self.cut && !self.unexplored && any;
        Coverage { complete: self.complete, redundant: self.redundant, exhausted }
    }
}

pub(super) struct Shared {
    pub(super) search: Search,
    pub(super) learned: Arc<Learned>,
    pub(super) began: Instant,
    pub(super) executions: AtomicU64,
    pub(super) queue: Mutex<Queue>,
    pub(super) changed: Condvar,
    /// Whether no execution is to begin: readable without the lock.
    stopped: AtomicBool,
}

impl Shared {
    pub(super) fn new(search: &Search, learned: Arc<Learned>, from: Option<&Checkpoint>) -> Self {
        let bound = search.preemptions.unwrap_or(u32::MAX);
        let (complete, redundant) = from.map_or((0, 0), |from| (from.complete, from.redundant));
        search.estimate.iter().for_each(|estimate| estimate.begin(complete, redundant));
        let queue = Queue {
            parts: from.map_or_else(|| Parts::new(bound), |from| from.parts(bound)),
            idle: 0,
            begun: false,
            stop: false,
            cut: false,
            unexplored: from.is_some_and(|from| from.unexplored),
            error: None,
            learned: Learned::default(),
            complete,
            redundant,
        };
        Self {
            search: search.clone(),
            learned,
            began: Instant::now(),
            executions: AtomicU64::new(0),
            queue: Mutex::new(queue),
            changed: Condvar::new(),
            stopped: AtomicBool::new(false),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stop(&self, change: impl FnOnce(&mut Queue)) {
        let mut queue = self.lock();
        queue.stop = true;
        self.stopped.store(true, Ordering::Relaxed);
        change(&mut queue);
        drop(queue);
        self.changed.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub(super) fn fail(&self, error: Error) {
        self.stop(|queue| {
            queue.error.get_or_insert(error);
        });
    }

    /// Waits for a part of the tree. `None` if all workers are idle or the search was stopped.
    pub(super) fn take(&self) -> Option<Part> {
        let mut queue = self.lock();
        queue.idle += 1;
        let part = loop {
            if queue.stop {
                break None;
            }
            if let Some(part) = queue.parts.take() {
                break Some(part);
            }
            if queue.begun && queue.idle == self.search.workers {
                queue.stop = true;
                self.stopped.store(true, Ordering::Relaxed);
                self.changed.notify_all();
                break None;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        };
        queue.begun |= part.is_some();
        queue.idle -= 1;
        part
    }

    /// Ends or splits a part.
    pub(super) fn change(&self, change: impl FnOnce(&mut Parts)) {
        let mut queue = self.lock();
        change(&mut queue.parts);
        drop(queue);
        self.changed.notify_all();
    }

    pub(super) fn run_workers<T, A, B, V>(self: &Arc<Self>, body: &B, visit: &V) -> Vec<A>
    where
        T: 'static,
        A: Default + Send + 'static,
        B: Fn() -> T + Clone + Send + Sync + 'static,
        V: Fn(&mut A, Execution<T>) -> ControlFlow<()> + Clone + Send + Sync + 'static,
    {
        #[cfg(test)]
        let off = rules::off();
        std::thread::scope(|scope| {
            let work = || {
                #[cfg(test)]
                return rules::without(off, || self.work(body.clone(), visit.clone()));
                #[cfg(not(test))]
                self.work(body.clone(), visit.clone())
            };
            if self.search.estimate.is_some() && self.search.below.is_none() {
                scope.spawn(|| self.sample(body.clone()));
            }
            let others: Vec<_> = (1..self.search.workers).map(|_| scope.spawn(work)).collect();
            let mut accumulators = vec![work()];
            accumulators.extend(others.into_iter().filter_map(|other| other.join().ok()));
            accumulators
        })
    }

    /// Estimates how many executions there are.
    fn sample<T: 'static>(self: &Arc<Self>, body: impl Fn() -> T + Send + Sync + 'static) {
        let setup = Setup { learned: Arc::clone(&self.learned), ..Setup::default() };
        // What goes wrong in a sample goes wrong in the search, which reports it. There is no estimate then.
        let _ = run(Sampler::new(Arc::clone(self), ROUNDS), setup, body, |_| ());
    }

    /// The work of one OS thread.
    pub(super) fn work<T, A, B, V>(self: &Arc<Self>, body: B, visit: V) -> A
    where
        T: 'static,
        A: Default + Send + 'static,
        B: Fn() -> T + Send + Sync + 'static,
        V: Fn(&mut A, Execution<T>) -> ControlFlow<()> + Send + Sync + 'static,
    {
        let accumulator = Arc::new(Mutex::new((A::default(), 0)));
        let (kept, shared) = (Arc::clone(&accumulator), Arc::clone(self));
        let see = move |execution| {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.1 += 1;
            if visit(&mut kept.0, execution).is_break() {
                shared.stop(|queue| queue.cut = true);
            }
        };
        let setup = Setup {
            learned: Arc::clone(&self.learned),
            recording: self.search.record,
            ..Setup::default()
        };
        if let Err(error) = run(Worker::new(Arc::clone(self)), setup, body, see) {
            self.fail(error);
        }
        let mut kept = accumulator.lock().unwrap_or_else(PoisonError::into_inner);
        self.lock().complete += kept.1;
        std::mem::take(&mut kept.0)
    }
}
